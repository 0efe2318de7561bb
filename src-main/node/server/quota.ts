import type { PutRequest, TxnRequest } from '../../proto/etcd/rpc.ts';
import type { InternalRequestBody } from '../apply/types.ts';
import type { StateStore } from '../storage/types.ts';

/** etcd's default for --quota-backend-bytes. */
export const DEFAULT_QUOTA_BYTES = 2 * 1024 * 1024 * 1024;
/** What a lease is reckoned at (etcd's quota.go). */
const LEASE_OVERHEAD_BYTES = 64;
const KEY_OVERHEAD_BYTES = 256;

/** The quota in force in bytes; Infinity for none. */
export function quotaBytesOf(flag: number): number {
  if (flag === 0) return DEFAULT_QUOTA_BYTES;
  return flag < 0 ? Number.POSITIVE_INFINITY : flag;
}

/** Whether a request that makes the state grow would take it past the quota. Deletes and compactions always pass. */
export function wouldExceedQuota(
  body: InternalRequestBody,
  store: StateStore,
  quotaBytes: number,
): boolean {
  if (quotaBytes === Number.POSITIVE_INFINITY) return false;
  const bytes = growthBytes(body);
  return bytes > 0 && store.size().fileBytes + bytes >= quotaBytes;
}

function growthBytes(body: InternalRequestBody): number {
  switch (body.$case) {
    case 'put':
      return putBytes(body.value);
    case 'txn':
      return txnBytes(body.value);
    case 'leaseGrant':
      return LEASE_OVERHEAD_BYTES;
    default:
      return 0;
  }
}

function putBytes(put: PutRequest): number {
  return put.key.length + put.value.length + KEY_OVERHEAD_BYTES;
}

/** The larger of the two branches: which one runs is known only when it is applied. */
function txnBytes(txn: TxnRequest): number {
  const branch = (ops: TxnRequest['success']) =>
    ops.reduce((sum, { request }) => {
      if (request?.$case === 'requestPut') return sum + putBytes(request.value);
      if (request?.$case === 'requestTxn') return sum + txnBytes(request.value);
      return sum;
    }, 0);
  return Math.max(branch(txn.success), branch(txn.failure));
}
