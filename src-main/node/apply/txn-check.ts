import type { RequestOp, TxnRequest } from '../../proto/etcd/rpc.ts';
import { keyRangeOf, rangeContains } from '../mvcc/key-range.ts';
import type { KeyRange } from '../mvcc/types.ts';
import { nodeError } from './errors.ts';

/**
 * Transactions within transactions. The codec of entries gives up on messages a hundred levels
 * deep, and a level here is two of those.
 */
export const MAX_TXN_DEPTH = 32;

export interface TxnLimits {
  /** Compares and operations on any path through the transaction (etcd's --max-txn-ops). */
  maxTxnOps: number;
}

/**
 * What may not be proposed: too many operations, an empty key, an operation of no kind, a put that
 * contradicts itself, a key that is written twice. Throws NodeError, in etcd's order.
 */
export function checkTxn(request: TxnRequest, limits: TxnLimits): void {
  checkForm(request, limits.maxTxnOps, 1);
  checkWrites(request);
}

/**
 * The part that apply repeats: the same on every member, whatever flags it was started with. So it
 * knows no limit on operations.
 */
export function checkWrites(request: TxnRequest): void {
  collectWrites(request.success);
  collectWrites(request.failure);
}

function checkForm(request: TxnRequest, maxOps: number, depth: number): void {
  const { compare, success, failure } = request;
  const ops = Math.max(compare.length, success.length, failure.length);
  if (ops > maxOps || depth > MAX_TXN_DEPTH) throw nodeError('TooManyOps');
  for (const { key } of compare) if (key.length === 0) throw nodeError('EmptyKey');
  for (const op of success) checkOp(op, maxOps - ops, depth);
  for (const op of failure) checkOp(op, maxOps - ops, depth);
}

function checkOp({ request }: RequestOp, maxNestedOps: number, depth: number): void {
  if (request === undefined) throw nodeError('KeyNotFound');
  if (request.$case === 'requestTxn') {
    checkForm(request.value, maxNestedOps, depth + 1);
    return;
  }
  if (request.value.key.length === 0) throw nodeError('EmptyKey');
  if (request.$case !== 'requestPut') return;
  const { ignoreValue, ignoreLease, value, lease } = request.value;
  if (ignoreValue && value.length > 0) throw nodeError('ValueProvided');
  if (ignoreLease && lease !== 0n) throw nodeError('LeaseProvided');
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
 * and the state keeps both changes in order. Unlike etcd, which overlooks them, a delete "to the
 * end" counts: a put that keeps the old value could find it gone half-way through the transaction.
 */
function collectWrites(ops: readonly RequestOp[]): Writes {
  const deletes: KeyRange[] = [];
  const puts = new Set<string>();
  for (const { request } of ops) {
    if (request?.$case !== 'requestDeleteRange') continue;
    deletes.push(keyRangeOf(request.value.key, request.value.rangeEnd));
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
