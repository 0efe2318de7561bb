import { compareBytes } from '../../base/bytes.ts';
import type { RangeBounds } from '../storage/types.ts';
import type { KeyRange } from './types.ts';

/** etcd's reading of a request: no range_end is one key, "\0" is to the end of the key space. */
export function keyRangeOf(key: Buffer, rangeEnd: Buffer): KeyRange {
  return { key, end: rangeEnd.length === 0 ? undefined : rangeEnd };
}

/** Up to the end of the key space. */
export function isOpenEnd(end: Uint8Array | undefined): boolean {
  return end !== undefined && end.length === 1 && end[0] === 0;
}

export function isSingleKey({ end }: KeyRange): boolean {
  return end === undefined;
}

/** Nothing can be in it: its end does not lie behind its start. */
export function isEmptyRange({ key, end }: KeyRange): boolean {
  return end !== undefined && !isOpenEnd(end) && compareBytes(key, end) >= 0;
}

/** Every key there can be: the smallest one that is not empty is one zero byte. */
export function isWholeSpace({ key, end }: KeyRange): boolean {
  return isOpenEnd(end) && (key.length === 0 || (key.length === 1 && key[0] === 0));
}

export function rangeContains({ key, end }: KeyRange, candidate: Uint8Array): boolean {
  const order = compareBytes(candidate, key);
  if (end === undefined) return order === 0;
  return order >= 0 && (isOpenEnd(end) || compareBytes(candidate, end) < 0);
}

/** Bounds in a table whose keys are the user's. Not for an empty range. */
export function userKeyBounds({ key, end }: KeyRange): RangeBounds {
  if (end === undefined) return { gte: key, lte: key };
  return isOpenEnd(end) ? { gte: key } : { gte: key, lt: end };
}
