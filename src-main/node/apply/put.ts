import type { PutRequest, PutResponse } from '../../proto/etcd/rpc.ts';
import { currentLease, currentValue, keyValueOf } from '../storage/schema/current.ts';
import type { ApplyContext } from './context.ts';
import { nodeError } from './errors.ts';

/** etcd's order of errors for a put on its own: the lease first. */
export function applyPut(context: ApplyContext, request: PutRequest): PutResponse {
  requireLease(context, request);
  requirePrevious(context, request);
  return put(context, request);
}

/** The same for a put inside a transaction, where etcd looks at the key first. */
export function checkTxnPut(context: ApplyContext, request: PutRequest): void {
  requirePrevious(context, request);
  requireLease(context, request);
}

/** A put whose checks have passed. */
export function put({ kv }: ApplyContext, request: PutRequest): PutResponse {
  const { key, ignoreValue, ignoreLease } = request;
  let { value, lease } = request;
  if (ignoreValue || ignoreLease) {
    const row = kv.currentRow(key);
    if (row === undefined) throw nodeError('KeyNotFound');
    if (ignoreValue) value = currentValue(row);
    if (ignoreLease) lease = currentLease(row);
  }
  const previous = kv.put(key, value, lease);
  const wanted = request.prevKv && previous !== undefined;
  return { header: undefined, prevKv: wanted ? keyValueOf(key, previous) : undefined };
}

function requireLease({ leases }: ApplyContext, { lease }: PutRequest): void {
  if (lease !== 0n && !leases.has(lease)) throw nodeError('LeaseNotFound');
}

function requirePrevious({ kv }: ApplyContext, request: PutRequest): void {
  if (!request.ignoreValue && !request.ignoreLease) return;
  if (kv.currentRow(request.key) === undefined) throw nodeError('KeyNotFound');
}
