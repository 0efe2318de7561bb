/**
 * Peer URLs as a client gave them, sorted and without their trailing slash; undefined if one of them is none: they need a scheme, a host, a port, and
 * no path (etcd's types.NewURLs).
 */
export function checkPeerUrls(urls: readonly string[]): string[] | undefined {
  if (urls.length === 0) return undefined;
  const checked: string[] = [];
  for (const url of urls) {
    const match = /^(http):\/\/(\[[0-9a-fA-F:.]+\]|[^:/[\]\s?#@]+):(\d{1,5})\/?$/.exec(url.trim());
    if (match === null || Number(match[3]) > 65_535) return undefined;
    checked.push(url.trim().replace(/\/$/, ''));
  }
  return checked.sort();
}
