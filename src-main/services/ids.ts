import { idToHex } from '../base/bytes.ts';

/** A lease or member id as it is typed: hex without 0x. The contract has checked its form. */
export function hexToId(hex: string): bigint {
  return BigInt(`0x${hex}`);
}

/** Leases are int64 on the wire. */
export function hexToLease(hex: string): bigint {
  return BigInt.asIntN(64, hexToId(hex));
}

/** null for 0, which is no lease. */
export function leaseToHex(lease: bigint): string | null {
  return lease === 0n ? null : idToHex(lease);
}
