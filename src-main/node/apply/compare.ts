import { compareBytes } from '../../base/bytes.ts';
import {
  type Compare,
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
} from '../../proto/etcd/rpc.ts';
import { isEmptyRange, keyRangeOf, userKeyBounds } from '../mvcc/key-range.ts';
import type { KvState } from '../mvcc/kv-state.ts';
import {
  currentCreate,
  currentLease,
  currentMod,
  currentValue,
  currentVersion,
} from '../storage/schema/current.ts';

/**
 * etcd's compare (server/etcdserver/apply.go): a range holds if every key in it does. Where there
 * is no key, numbers compare as zero, and a comparison of values fails, since an empty value is not
 * a missing one.
 */
export function compareHolds(kv: KvState, compare: Compare): boolean {
  const range = keyRangeOf(compare.key, compare.rangeEnd);
  let found = false;
  if (!isEmptyRange(range)) {
    for (const { value } of kv.store.range('current', userKeyBounds(range))) {
      found = true;
      if (!holds(compare, orderOf(compare, value))) return false;
    }
  }
  if (found) return true;
  return compare.target !== Target.VALUE && holds(compare, orderOf(compare, undefined));
}

function holds({ result }: Compare, order: number): boolean {
  switch (result) {
    case Result.EQUAL:
      return order === 0;
    case Result.NOT_EQUAL:
      return order !== 0;
    case Result.GREATER:
      return order > 0;
    case Result.LESS:
      return order < 0;
    default:
      return true;
  }
}

/**
 * The key's row against what the compare names, as a sign. A target union of another kind counts as
 * zero.
 */
function orderOf({ target, targetUnion: union }: Compare, row: Buffer | undefined): number {
  switch (target) {
    case Target.VERSION:
      return sign(row && currentVersion(row), union?.$case === 'version' ? union.value : 0n);
    case Target.CREATE:
      return sign(row && currentCreate(row), union?.$case === 'createRevision' ? union.value : 0n);
    case Target.MOD:
      return sign(row && currentMod(row), union?.$case === 'modRevision' ? union.value : 0n);
    case Target.LEASE:
      return sign(row && currentLease(row), union?.$case === 'lease' ? union.value : 0n);
    case Target.VALUE: {
      const wanted = union?.$case === 'value' ? union.value : EMPTY;
      return compareBytes(row === undefined ? EMPTY : currentValue(row), wanted);
    }
    default:
      return 0;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);

/** JavaScript compares a number and a bigint by their mathematical values. */
function sign(actual: number | bigint | undefined, wanted: bigint): number {
  const value = actual ?? 0;
  if (value < wanted) return -1;
  return value > wanted ? 1 : 0;
}
