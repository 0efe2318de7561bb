// What the specs evaluate runs in a page. The build of main does not include this folder, so that
// code without a page does not come to count on one.
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/// <reference lib="dom.asynciterable" />
