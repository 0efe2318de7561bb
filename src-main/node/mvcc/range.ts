import { assert } from '../../base/assert.ts';
import { compareBytes } from '../../base/bytes.ts';
import type { KeyValue } from '../../proto/etcd/kv.ts';
import {
  RangeRequest_SortOrder as Order,
  type RangeRequest,
  type RangeResponse,
  RangeRequest_SortTarget as Target,
} from '../../proto/etcd/rpc.ts';
import { nodeError } from '../apply/errors.ts';
import { currentCreate, currentMod, keyValueOf } from '../storage/schema/current.ts';
import { countChange, loadVersion, versionAt, versionsAt } from './history.ts';
import { isEmptyRange, isSingleKey, keyRangeOf, userKeyBounds } from './key-range.ts';
import type { KvState } from './kv-state.ts';
import type { KeyRange } from './types.ts';

/** So many changes since an old revision are always read to derive its count from that at head. */
const CHEAP_CHANGES = 1_000;

/** What a scan has to find. `limit` is in keys that pass the filter; Infinity for all. */
interface Scan {
  range: KeyRange;
  limit: number;
  reverse: boolean;
  keysOnly: boolean;
  accepts: ((kv: { createRevision: number; modRevision: number }) => boolean) | undefined;
}

interface Scanned {
  kvs: KeyValue[];
  /** Keys in the range, whether they passed or not. */
  count: number;
}

/** Whether a revision may be read now. Throws FutureRev or Compacted, in etcd's order. */
export function checkReadRevision(kv: KvState, revision: number): void {
  if (revision > kv.head) throw nodeError('FutureRev');
  if (revision > 0 && revision < kv.compactRevision) throw nodeError('Compacted');
}

/**
 * etcd's Range, to the detail (server/etcdserver/apply.go): count is of all keys in the range
 * whatever limit and filters say; a sort by anything but the key with no order given sorts only the
 * first `limit` keys, ascending.
 */
export function rangeKeys(kv: KvState, request: RangeRequest): RangeResponse {
  checkReadRevision(kv, request.revision);
  const revision = request.revision > 0 ? request.revision : kv.head;
  const range = keyRangeOf(request.key, request.rangeEnd);
  if (request.countOnly) {
    return { header: undefined, kvs: [], more: false, count: countAt(kv, range, revision) };
  }
  const byKey = request.sortTarget === Target.KEY;
  const accepts = filterOf(request);
  const sortsAll = !byKey && (request.sortOrder !== Order.NONE || accepts !== undefined);
  const limit = request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
  const { kvs, count } = scan(kv, revision, {
    range,
    // One more than asked for says whether there are more.
    limit: sortsAll ? Number.POSITIVE_INFINITY : limit + 1,
    reverse: byKey && request.sortOrder === Order.DESCEND,
    // A sort by value needs the values.
    keysOnly: request.keysOnly && request.sortTarget !== Target.VALUE,
    accepts,
  });
  if (!byKey) sortBy(kvs, request);
  const more = kvs.length > limit;
  if (more) kvs.length = limit;
  if (request.keysOnly) for (const found of kvs) found.value = NO_VALUE;
  return { header: undefined, kvs, more, count };
}

const NO_VALUE: Buffer = Buffer.alloc(0);

function filterOf(request: RangeRequest): Scan['accepts'] {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if ((minModRevision || maxModRevision || minCreateRevision || maxCreateRevision) === 0) {
    return undefined;
  }
  return ({ createRevision, modRevision }) =>
    (maxModRevision === 0 || modRevision <= maxModRevision) &&
    (minModRevision === 0 || modRevision >= minModRevision) &&
    (maxCreateRevision === 0 || createRevision <= maxCreateRevision) &&
    (minCreateRevision === 0 || createRevision >= minCreateRevision);
}

/** Keys with equal values stay in key order, which etcd leaves open. */
function sortBy(kvs: KeyValue[], { sortTarget, sortOrder }: RangeRequest): void {
  const sign = sortOrder === Order.DESCEND ? -1 : 1;
  const compare = comparison(sortTarget);
  if (compare !== undefined) kvs.sort((a, b) => sign * compare(a, b));
}

function comparison(target: number): ((a: KeyValue, b: KeyValue) => number) | undefined {
  switch (target) {
    case Target.VERSION:
      return (a, b) => a.version - b.version;
    case Target.CREATE:
      return (a, b) => a.createRevision - b.createRevision;
    case Target.MOD:
      return (a, b) => a.modRevision - b.modRevision;
    case Target.VALUE:
      return (a, b) => compareBytes(a.value, b.value);
    default:
      return undefined;
  }
}

function scan(kv: KvState, revision: number, wanted: Scan): Scanned {
  if (isEmptyRange(wanted.range)) return { kvs: [], count: 0 };
  if (isSingleKey(wanted.range)) return scanOne(kv, revision, wanted);
  return revision === kv.head ? scanHead(kv, wanted) : scanHistory(kv, revision, wanted);
}

function scanOne(kv: KvState, revision: number, { range, keysOnly, accepts }: Scan): Scanned {
  const found = getAt(kv, Buffer.from(range.key), revision, keysOnly);
  if (found === undefined) return { kvs: [], count: 0 };
  return { kvs: accepts === undefined || accepts(found) ? [found] : [], count: 1 };
}

/** One key as it was at a revision that is neither compacted nor in the future. */
export function getAt(
  kv: KvState,
  key: Buffer,
  revision: number,
  keysOnly = false,
): KeyValue | undefined {
  if (revision === kv.head) {
    const row = kv.currentRow(key);
    return row === undefined ? undefined : keyValueOf(key, row, keysOnly);
  }
  const version = versionAt(kv.store, key, revision);
  return version === undefined ? undefined : loadVersion(kv.store, version, keysOnly);
}

function scanHead(kv: KvState, { range, limit, reverse, keysOnly, accepts }: Scan): Scanned {
  const kvs: KeyValue[] = [];
  let seen = 0;
  let complete = true;
  for (const { key, value } of kv.store.range('current', { ...userKeyBounds(range), reverse })) {
    if (kvs.length >= limit) {
      complete = false;
      break;
    }
    seen++;
    if (accepts !== undefined) {
      const numbers = { createRevision: currentCreate(value), modRevision: currentMod(value) };
      if (!accepts(numbers)) continue;
    }
    kvs.push(keyValueOf(key, value, keysOnly));
  }
  return { kvs, count: complete ? seen : countAt(kv, range, kv.head) };
}

function scanHistory(kv: KvState, revision: number, wanted: Scan): Scanned {
  const { range, limit, keysOnly, accepts } = wanted;
  let count =
    wanted.reverse || limit === Number.POSITIVE_INFINITY
      ? undefined
      : derivedCount(kv, range, revision);
  const stopEarly = count !== undefined;
  const versions = versionsAt(kv.store, range, revision);
  // A generator holds the store's cursor, and values are read meanwhile, which is allowed; writes
  // are not.
  const kvs: KeyValue[] = [];
  let seen = 0;
  const ordered = wanted.reverse ? [...versions].reverse() : versions;
  for (const version of ordered) {
    if (stopEarly && kvs.length >= limit) break;
    seen++;
    if (kvs.length >= limit) continue;
    const found = loadVersion(kv.store, version, keysOnly);
    assert(found !== undefined, 'a version that is not compacted is missing');
    if (accepts === undefined || accepts(found)) kvs.push(found);
  }
  count ??= seen;
  return { kvs, count };
}

/** Keys of the range that exist at a revision that is neither compacted nor in the future. */
export function countAt(kv: KvState, range: KeyRange, revision: number): number {
  if (isEmptyRange(range)) return 0;
  if (isSingleKey(range)) {
    return getAt(kv, Buffer.from(range.key), revision, true) === undefined ? 0 : 1;
  }
  if (revision === kv.head) return kv.counts.count(range);
  const derived = derivedCount(kv, range, revision);
  if (derived !== undefined) return derived;
  let count = 0;
  for (const _ of versionsAt(kv.store, range, revision)) count++;
  return count;
}

/**
 * The count at head without what changed since, if reading the changes costs less than reading the
 * keys; undefined if not.
 */
function derivedCount(kv: KvState, range: KeyRange, revision: number): number | undefined {
  const atHead = kv.counts.count(range);
  const limit = Math.max(CHEAP_CHANGES, atHead);
  // Each revision is one change at least.
  if (kv.head - revision > limit) return undefined;
  const change = countChange(kv.store, range, revision, limit);
  return change === undefined ? undefined : atHead - change;
}
