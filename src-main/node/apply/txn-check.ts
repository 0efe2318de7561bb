import type { RequestOp, TxnRequest } from '../../proto/etcd/rpc.ts';
import { isOpenEnd, keyRangeOf, rangeContains } from '../mvcc/key-range.ts';
import type { KeyRange } from '../mvcc/types.ts';
import { nodeError } from './errors.ts';

/**
 * Transactions within transactions. The codec of entries gives up on messages a hundred levels
 * deep, and a level here is two of those.
 */
export const MAX_TXN_DEPTH = 32;

/**
 * No key may be written twice: what the API checks before it proposes, and apply again. The answer
 * is the same on every member, whatever flags it was started with, so it knows no limit on
 * operations. Throws NodeError.
 */
export function checkWrites(request: TxnRequest): void {
  collectWrites(request.success);
  collectWrites(request.failure);
}

interface Writes {
  /** Keys as latin1. */
  puts: Set<string>;
  deletes: KeyRange[];
}

/**
 * A key may be put once on any path, and not be deleted beside it: which came last within one
 * revision would be open. Deletes may overlap. The branches of a nested transaction exclude each
 * other. As in etcd (v3rpc/key.go), a nested put is compared with the deletes of its own level and
 * of transactions before it, not of those behind it: then a key does change twice in one revision,
 * and the state keeps both changes in order. A delete "to the end" is overlooked, as it is there.
 */
function collectWrites(ops: readonly RequestOp[]): Writes {
  const deletes: KeyRange[] = [];
  const puts = new Set<string>();
  for (const { request } of ops) {
    if (request?.$case !== 'requestDeleteRange') continue;
    const range = keyRangeOf(request.value.key, request.value.rangeEnd);
    if (!isOpenEnd(range.end)) deletes.push(range);
  }
  for (const { request } of ops) {
    if (request?.$case !== 'requestTxn') continue;
    const success = collectWrites(request.value.success);
    const failure = collectWrites(request.value.failure);
    for (const key of new Set([...success.puts, ...failure.puts])) addPut(puts, key, deletes);
    deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const { request } of ops) {
    if (request?.$case !== 'requestPut') continue;
    addPut(puts, request.value.key.toString('latin1'), deletes);
  }
  return { puts, deletes };
}

function addPut(puts: Set<string>, key: string, deletes: readonly KeyRange[]): void {
  if (puts.has(key)) throw nodeError('DuplicateKey');
  refuseDeleted(key, deletes);
  puts.add(key);
}

/** The number of deletes is bounded by the number of operations. */
function refuseDeleted(key: string, deletes: readonly KeyRange[]): void {
  if (deletes.length === 0) return;
  const bytes = Buffer.from(key, 'latin1');
  for (const range of deletes) if (rangeContains(range, bytes)) throw nodeError('DuplicateKey');
}
