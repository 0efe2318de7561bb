import { LeaseGrantRequest } from '../../src-main/proto/etcd/rpc.ts';
import { type Address, callOnce } from './client/call.ts';
import { framed, Path } from './client/messages.ts';

/** Longer than etcd waits before it commits what it has put into its backend. */
const COMMIT_MS = 250;
const LEASE_SECONDS = 60;

/**
 * Lets a server come to rest after a burst of puts. etcd 3.4 copies its read buffer for each range, and that keeps the
 * size of the last burst until a batch is committed that puts no key: what a range costs meanwhile (five times as much
 * CPU) is not what it costs. Every server is treated alike.
 */
export async function settle(address: Address): Promise<void> {
  const request = framed(
    LeaseGrantRequest.encode(LeaseGrantRequest.fromPartial({ TTL: LEASE_SECONDS })).finish(),
  );
  for (let i = 0; i < 3; i++) {
    await callOnce(address, Path.leaseGrant, request);
    await new Promise((resolve) => setTimeout(resolve, COMMIT_MS));
  }
}
