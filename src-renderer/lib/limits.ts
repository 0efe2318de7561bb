/**
 * The contract's limits that forms check beforehand. Copies, because importing them would bundle
 * zod; see the test.
 */
export const MAX_VALUE_BYTES = 1.5 * 1024 * 1024;
export const MAX_KEY_BYTES = 64 * 1024;
export const MAX_PAGE_ROWS = 5_000;
export const MAX_CLUSTER_NAME_CHARS = 64;
export const MAX_ENDPOINTS = 32;
export const MAX_OWN_NOTE_CHARS = 4_000;
