/**
 * What etcd checks of a request before it proposes it (server/etcdserver/api/v3rpc/key.go).
 * Every function throws CodedError<NodeErrorCode>.
 */
import {
  DeleteRangeRequest,
  PutRequest,
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RequestOp,
  TxnRequest,
} from '../../proto/etcd/rpc.ts';
import { checkWrites, MAX_TXN_DEPTH } from '../apply/txn-check.ts';
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
  checkWrites(request);
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

/**
 * Bytes that etcd's entry has beyond its request: a header with an id of nine or ten bytes, a tag
 * and a length. Ours needs fewer, but what a client may send should be the same to the byte.
 */
const ENTRY_OVERHEAD_BYTES = 18;

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
