import type {
  LeaseCheckpointRequest,
  LeaseCheckpointResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
} from '../../proto/etcd/rpc.ts';
import { MAX_LEASE_TTL_SECONDS } from '../lease/lease-table.ts';
import type { ApplyContext } from './context.ts';
import { nodeError } from './errors.ts';

/** The proposer has picked the id and raised the TTL to the smallest one that may be granted. */
export function applyLeaseGrant(
  { leases, onCommit }: ApplyContext,
  { ID, TTL }: LeaseGrantRequest,
): LeaseGrantResponse {
  if (ID === 0n) throw nodeError('LeaseNotFound');
  if (TTL > MAX_LEASE_TTL_SECONDS) throw nodeError('LeaseTtlTooLarge');
  if (leases.has(ID)) throw nodeError('LeaseExist');
  const lease = { id: ID, ttl: Math.max(1, TTL), remainingTtl: 0 };
  leases.put(lease);
  onCommit((events) => events.granted({ ...lease }));
  return { header: undefined, ID, TTL: lease.ttl, error: '' };
}

/** Deletes the attached keys in key order, all in one revision. */
export function applyLeaseRevoke(
  { kv, leases, onCommit }: ApplyContext,
  { ID }: LeaseRevokeRequest,
): LeaseRevokeResponse {
  if (!leases.has(ID)) throw nodeError('LeaseNotFound');
  for (const key of leases.keys(ID)) {
    const row = kv.currentRow(key);
    if (row !== undefined) kv.delete(key, row);
  }
  leases.delete(ID);
  onCommit((events) => events.revoked(ID));
  return { header: undefined };
}

/** A lease that was revoked meanwhile is passed over. */
export function applyLeaseCheckpoint(
  { leases, onCommit }: ApplyContext,
  { checkpoints }: LeaseCheckpointRequest,
): LeaseCheckpointResponse {
  for (const { ID, remainingTTL } of checkpoints) {
    const known = leases.get(ID);
    if (known === undefined) continue;
    const lease = { ...known, remainingTtl: remainingTTL };
    leases.put(lease);
    onCommit((events) => events.checkpointed({ ...lease }));
  }
  return { header: undefined };
}
