import { displayBytes, displayShort, equalBytes, prefixRangeEnd } from '../../lib/bytes.ts';

export type Scope = 'prefix' | 'range' | 'key';

export interface WatchTarget {
  scope: Scope;
  /** The key, the prefix, or the first key of the range. */
  key: Uint8Array;
  /** One past the last key of a range; empty: to the end of all keys. Empty for other scopes. */
  rangeEnd: Uint8Array;
  /** 0: from now. */
  startRevision: number;
  /** null: both. The server leaves the others out. */
  only: 'put' | 'delete' | null;
}

const END_OF_KEYS = Uint8Array.of(0);

/** The half-open end as etcd takes it; undefined for one key. */
export function targetEnd({ scope, key, rangeEnd }: WatchTarget): Uint8Array | undefined {
  if (scope === 'key') return undefined;
  if (scope === 'prefix') return prefixRangeEnd(key);
  return rangeEnd.length === 0 ? END_OF_KEYS : rangeEnd;
}

export function isEveryKey({ scope, key, rangeEnd }: WatchTarget): boolean {
  return scope !== 'key' && key.length === 0 && rangeEnd.length === 0;
}

/** The same keys and kinds, wherever they begin. */
export function sameTarget(a: WatchTarget, b: WatchTarget): boolean {
  return (
    a.scope === b.scope &&
    a.only === b.only &&
    equalBytes(a.key, b.key) &&
    equalBytes(a.rangeEnd, b.rangeEnd)
  );
}

export function covers(target: WatchTarget, key: Uint8Array, isDelete: boolean): boolean {
  if (target.only !== null && (target.only === 'delete') !== isDelete) return false;
  if (target.scope === 'key') return equalBytes(key, target.key);
  if (target.scope === 'prefix') return startsWith(key, target.key);
  if (isBefore(key, target.key)) return false;
  return target.rangeEnd.length === 0 || isBefore(key, target.rangeEnd);
}

export function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (bytes.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}

function isBefore(a: Uint8Array, b: Uint8Array): boolean {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return (a[i] ?? 0) < (b[i] ?? 0);
  }
  return a.length < b.length;
}

/** For a title: "/config/*", "/a … /m", "/leader". `everyKey` stands for all of them. */
export function targetText(target: WatchTarget, everyKey: string, maxChars = 1_000): string {
  if (isEveryKey(target)) return everyKey;
  const text = (bytes: Uint8Array) =>
    maxChars < 1_000 ? displayShort(bytes, maxChars) : displayBytes(bytes);
  if (target.scope === 'key') return text(target.key);
  if (target.scope === 'prefix') return `${text(target.key)}*`;
  return `${text(target.key)} … ${text(target.rangeEnd)}`;
}
