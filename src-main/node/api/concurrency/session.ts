import type { Backend } from '../backend.ts';

/** Seconds; what etcd's sessions live for. */
const SESSION_TTL = 60;

/**
 * The lease that a call's key hangs on: the caller's own, or for 0 a new one. As in etcd nobody
 * keeps that alive, not even while the call waits: who wants to hold on for longer than a minute
 * brings a lease, or prolongs this one by the id that its key ends with.
 */
export async function sessionLease(backend: Backend, lease: bigint): Promise<bigint> {
  if (lease !== 0n) return lease;
  const value = { ID: backend.nextLeaseId(), TTL: SESSION_TTL };
  await backend.propose<'leaseGrant'>({ $case: 'leaseGrant', value });
  return value.ID;
}
