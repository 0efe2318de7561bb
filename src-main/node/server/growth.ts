import type { PutRequest, TxnRequest } from '../../proto/etcd/rpc.ts';
import type { InternalRequestBody } from '../apply/types.ts';

/** What a lease is reckoned at (etcd's quota.go). */
const LEASE_OVERHEAD_BYTES = 64;
const KEY_OVERHEAD_BYTES = 256;

/** Bytes that a request may add to the state; 0 for what always passes: deletes, compactions, alarms. */
export function growthBytes(body: InternalRequestBody): number {
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
