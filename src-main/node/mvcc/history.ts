import { equalBytes } from '../../base/bytes.ts';
import type { KeyValue } from '../../proto/etcd/kv.ts';
import { currentVersion, keyValueOf } from '../storage/schema/current.ts';
import {
  historyIsDelete,
  historyKey,
  historyMain,
  historyPrefix,
  historyRowPrefix,
  historySub,
  unescapeKey,
} from '../storage/schema/history.ts';
import {
  currentRowOf,
  isDelete,
  revisionKey,
  revisionUserKey,
} from '../storage/schema/revisions.ts';
import type { RangeBounds, Row, StateStore } from '../storage/types.ts';
import { isEmptyRange, isOpenEnd, rangeContains } from './key-range.ts';
import type { KeyRange } from './types.ts';

/** Versions of one key that are walked over before it is cheaper to seek the one that is wanted. */
const WALK_LIMIT = 16;
/** Values are read along with the changes; past this a count of keys is cheaper. */
const COUNT_BYTES_LIMIT = 16 * 1024 * 1024;
const MAX_SUB = 0xffff_ffff;

/** A key that existed at some revision, and where its version of then is. */
export interface VersionPointer {
  key: Buffer;
  main: number;
  sub: number;
}

/** Bounds in `history`. Not for an empty range. */
function historyBounds({ key, end }: KeyRange): RangeBounds {
  const gte = historyPrefix(key);
  if (end === undefined) return { gte, lte: historyKey(key, Number.MAX_SAFE_INTEGER, MAX_SUB) };
  return isOpenEnd(end) ? { gte } : { gte, lt: historyPrefix(end) };
}

/** The newest version of one key at `revision`; undefined if it did not exist then. */
export function versionAt(
  store: StateStore,
  key: Buffer,
  revision: number,
): VersionPointer | undefined {
  const bounds = {
    gte: historyPrefix(key),
    lte: historyKey(key, revision, MAX_SUB),
    reverse: true,
  };
  for (const row of store.range('history', bounds)) return pointerOf(key, row);
  return undefined;
}

function pointerOf(key: Buffer, row: Row): VersionPointer | undefined {
  if (historyIsDelete(row.value)) return undefined;
  return { key, main: historyMain(row.key), sub: historySub(row.key) };
}

/**
 * Keys of the range that existed at `revision`, in key order. A key with many versions costs one
 * walk over the first few of them and two seeks, whatever their number.
 */
export function* versionsAt(
  store: StateStore,
  range: KeyRange,
  revision: number,
): Generator<VersionPointer> {
  if (isEmptyRange(range)) return;
  const bounds = historyBounds(range);
  let resume: RangeBounds | undefined = bounds;
  while (resume !== undefined) {
    const walk = new HistoryWalk(revision);
    for (const row of store.range('history', resume)) {
      const found = walk.step(row);
      if (found !== undefined) yield found;
      if (walk.tooLong) break;
    }
    resume = undefined;
    if (walk.tooLong) {
      const key = unescapeKey(walk.prefix as Buffer);
      const found = versionAt(store, key, revision);
      if (found !== undefined) yield found;
      const behind = historyKey(key, Number.MAX_SAFE_INTEGER, MAX_SUB);
      resume = { ...bounds, gt: behind };
      delete resume.gte;
    } else {
      const last = walk.end();
      if (last !== undefined) yield last;
    }
  }
}

/**
 * Takes rows in order and answers each key's version once all that could replace it have been seen.
 */
class HistoryWalk {
  readonly #revision: number;
  prefix: Buffer | undefined;
  #newest: Row | undefined;
  #versions = 0;

  constructor(revision: number) {
    this.#revision = revision;
  }

  get tooLong(): boolean {
    return this.#versions > WALK_LIMIT;
  }

  step(row: Row): VersionPointer | undefined {
    let found: VersionPointer | undefined;
    const prefix = historyRowPrefix(row.key);
    if (this.prefix === undefined || !equalBytes(prefix, this.prefix)) {
      found = this.end();
      this.prefix = prefix;
      this.#newest = undefined;
      this.#versions = 0;
    }
    this.#versions++;
    if (historyMain(row.key) <= this.#revision) this.#newest = row;
    return found;
  }

  end(): VersionPointer | undefined {
    if (this.#newest === undefined || this.prefix === undefined) return undefined;
    if (historyIsDelete(this.#newest.value)) return undefined;
    return pointerOf(unescapeKey(this.prefix), this.#newest);
  }
}

/** The version that a pointer names, or undefined if it is compacted away. */
export function loadVersion(
  store: StateStore,
  { key, main, sub }: VersionPointer,
  keysOnly = false,
): KeyValue | undefined {
  const row = store.get('revisions', revisionKey(main, sub));
  if (row === undefined || isDelete(row)) return undefined;
  return keyValueOf(key, currentRowOf(row), keysOnly);
}

/**
 * How many keys of the range exist at head beyond those at `revision`: creations less deletions
 * since. undefined if more than `maxRows` changes lie in between, or too many bytes. `revision` is
 * not compacted, so every change after it is still there.
 */
export function countChange(
  store: StateStore,
  range: KeyRange,
  revision: number,
  maxRows: number,
): number | undefined {
  let change = 0;
  let rows = 0;
  let bytes = 0;
  for (const { value } of store.range('revisions', { gte: revisionKey(revision + 1, 0) })) {
    bytes += value.length;
    if (++rows > maxRows || bytes > COUNT_BYTES_LIMIT) return undefined;
    const deleted = isDelete(value);
    if (!deleted && currentVersion(currentRowOf(value)) !== 1) continue;
    if (rangeContains(range, revisionUserKey(value))) change += deleted ? -1 : 1;
  }
  return change;
}
