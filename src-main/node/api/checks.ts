/**
 * What etcd checks of a request before it proposes it (server/etcdserver/api/v3rpc/key.go).
 * Every function throws CodedError<NodeErrorCode>.
 */
import { compareBytes } from '../../base/bytes.ts';
import {
  DeleteRangeRequest,
  PutRequest,
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RequestOp,
  TxnRequest,
} from '../../proto/etcd/rpc.ts';
import { MAX_TXN_DEPTH } from '../apply/txn-check.ts';
import { apiError } from './errors.ts';

const SORT_ORDERS: ReadonlySet<number> = new Set(Object.values(RangeRequest_SortOrder));
const SORT_TARGETS: ReadonlySet<number> = new Set(Object.values(RangeRequest_SortTarget));

export function checkRange(request: RangeRequest): void {
  if (request.key.length === 0) throw apiError('EmptyKey');
  if (!SORT_ORDERS.has(request.sortOrder) || !SORT_TARGETS.has(request.sortTarget)) {
    throw apiError('InvalidSortOption');
  }
}

export function checkPut(request: PutRequest): void {
  if (request.key.length === 0) throw apiError('EmptyKey');
  if (request.ignoreValue && request.value.length > 0) throw apiError('ValueProvided');
  if (request.ignoreLease && request.lease !== 0n) throw apiError('LeaseProvided');
}

export function checkDeleteRange(request: DeleteRangeRequest): void {
  if (request.key.length === 0) throw apiError('EmptyKey');
}

/**
 * The form of a transaction, at most `maxOps` compares and operations on any path, and that no key
 * is written twice.
 */
export function checkTxn(request: TxnRequest, maxOps: number): void {
  checkTxnForm(request, maxOps, 1);
  collectWrites(request.success);
  collectWrites(request.failure);
}

function checkTxnForm(request: TxnRequest, maxOps: number, depth: number): void {
  // The codec refuses what is nested deeper, and an entry that cannot be decoded would stop every member.
  if (depth > MAX_TXN_DEPTH) throw apiError('TooManyOps');
  const { compare, success, failure } = request;
  const ops = Math.max(compare.length, success.length, failure.length);
  if (ops > maxOps) throw apiError('TooManyOps');
  for (const { key } of compare) if (key.length === 0) throw apiError('EmptyKey');
  for (const op of success) checkOp(op, maxOps - ops, depth);
  for (const op of failure) checkOp(op, maxOps - ops, depth);
}

function checkOp(op: RequestOp, maxNestedOps: number, depth: number): void {
  const { request } = op;
  switch (request?.$case) {
    case 'requestRange':
      checkRange(request.value);
      break;
    case 'requestPut':
      checkPut(request.value);
      break;
    case 'requestDeleteRange':
      checkDeleteRange(request.value);
      break;
    case 'requestTxn':
      checkTxnForm(request.value, maxNestedOps, depth + 1);
      break;
    case undefined:
      throw apiError('KeyNotFound');
  }
}

/** [key, end): end undefined is the one key, an empty end is "to the end of the key space". */
interface DeletedRange {
  key: Buffer;
  end: Buffer | undefined;
}

interface Writes {
  /** Keys as latin1 strings: one character per byte. */
  puts: Set<string>;
  deletes: DeletedRange[];
}

/**
 * A key may be put once, and not be deleted by the same path through the transaction: the order of
 * effects within one revision would be undefined. Deletes may overlap each other. The branches of a
 * nested transaction exclude each other, so both may put the same key. (etcd overlooks a delete
 * whose range_end is "\0", "to the end".)
 */
function collectWrites(ops: readonly RequestOp[]): Writes {
  const deletes: DeletedRange[] = [];
  for (const { request } of ops) {
    if (request?.$case === 'requestDeleteRange') deletes.push(deletedRange(request.value));
  }
  const puts = new Set<string>();
  for (const { request } of ops) {
    if (request?.$case !== 'requestTxn') continue;
    const success = collectWrites(request.value.success);
    const failure = collectWrites(request.value.failure);
    for (const key of success.puts) addPut(puts, key, deletes);
    for (const key of failure.puts) {
      if (success.puts.has(key)) assertNotDeleted(key, deletes);
      else addPut(puts, key, deletes);
    }
    deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const { request } of ops) {
    if (request?.$case !== 'requestPut') continue;
    addPut(puts, request.value.key.toString('latin1'), deletes);
  }
  return { puts, deletes };
}

function addPut(puts: Set<string>, key: string, deletes: readonly DeletedRange[]): void {
  if (puts.has(key)) throw apiError('DuplicateKey');
  assertNotDeleted(key, deletes);
  puts.add(key);
}

/** A linear search: --max-txn-ops bounds the number of deletes. */
function assertNotDeleted(key: string, deletes: readonly DeletedRange[]): void {
  if (deletes.length === 0) return;
  const bytes = Buffer.from(key, 'latin1');
  for (const { key: start, end } of deletes) {
    const inside =
      end === undefined
        ? bytes.equals(start)
        : compareBytes(bytes, start) >= 0 && (end.length === 0 || compareBytes(bytes, end) < 0);
    if (inside) throw apiError('DuplicateKey');
  }
}

function deletedRange({ key, rangeEnd }: DeleteRangeRequest): DeletedRange {
  if (rangeEnd.length === 0) return { key, end: undefined };
  const toTheEnd = rangeEnd.length === 1 && rangeEnd[0] === 0;
  return { key, end: toTheEnd ? Buffer.alloc(0) : rangeEnd };
}

/** Bytes of an entry beyond its request: id, oneof tag and lengths, at most. */
const ENTRY_OVERHEAD_BYTES = 24;

/**
 * Bytes of one operation or compare beyond its keys and values, at most: tags, lengths and numbers.
 */
const OP_OVERHEAD_BYTES = 96;

/**
 * etcd's limit on what goes into an entry, --max-request-bytes. The exact size is computed only
 * near the limit.
 */
export function checkPutSize(request: PutRequest, maxBytes: number): void {
  if (putBytes(request) + ENTRY_OVERHEAD_BYTES <= maxBytes) return;
  checkEncodedSize(PutRequest.encode(request).finish().length, maxBytes);
}

export function checkDeleteRangeSize(request: DeleteRangeRequest, maxBytes: number): void {
  if (deleteRangeBytes(request) + ENTRY_OVERHEAD_BYTES <= maxBytes) return;
  checkEncodedSize(DeleteRangeRequest.encode(request).finish().length, maxBytes);
}

export function checkTxnSize(request: TxnRequest, maxBytes: number): void {
  if (txnBytes(request) + ENTRY_OVERHEAD_BYTES <= maxBytes) return;
  checkEncodedSize(TxnRequest.encode(request).finish().length, maxBytes);
}

function checkEncodedSize(bytes: number, maxBytes: number): void {
  if (bytes + ENTRY_OVERHEAD_BYTES > maxBytes) throw apiError('RequestTooLarge');
}

function putBytes({ key, value }: PutRequest): number {
  return key.length + value.length + OP_OVERHEAD_BYTES;
}

function deleteRangeBytes({ key, rangeEnd }: DeleteRangeRequest): number {
  return key.length + rangeEnd.length + OP_OVERHEAD_BYTES;
}

function txnBytes({ compare, success, failure }: TxnRequest): number {
  let bytes = OP_OVERHEAD_BYTES;
  for (const { key, rangeEnd, targetUnion } of compare) {
    const valueBytes = targetUnion?.$case === 'value' ? targetUnion.value.length : 0;
    bytes += key.length + rangeEnd.length + valueBytes + OP_OVERHEAD_BYTES;
  }
  for (const op of success) bytes += opBytes(op);
  for (const op of failure) bytes += opBytes(op);
  return bytes;
}

function opBytes({ request }: RequestOp): number {
  switch (request?.$case) {
    case 'requestRange':
      return request.value.key.length + request.value.rangeEnd.length + OP_OVERHEAD_BYTES;
    case 'requestPut':
      return putBytes(request.value);
    case 'requestDeleteRange':
      return deleteRangeBytes(request.value);
    case 'requestTxn':
      return txnBytes(request.value);
    case undefined:
      return OP_OVERHEAD_BYTES;
  }
}
