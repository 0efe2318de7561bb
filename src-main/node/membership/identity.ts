import { createHash } from 'node:crypto';
import type { InitialMember } from '../config.ts';

function id64(parts: string[]): bigint {
  const digest = createHash('sha1').update(parts.join('\0')).digest();
  const id = digest.readBigUInt64BE(0);
  // Zero is "no member" everywhere.
  return id === 0n ? 1n : id;
}

/** A member's id: from its peer URLs and the cluster token, so that every member computes the same ones (etcd does alike). */
export function memberId(peerUrls: string[], token: string): bigint {
  return id64([...peerUrls].sort().concat(token));
}

/** The cluster's id, from the ids of its first members. */
export function clusterId(members: InitialMember[], token: string): bigint {
  const ids = members
    .map((member) => memberId(member.peerUrls, token))
    .sort((a, b) => (a < b ? -1 : 1));
  return id64(ids.map((id) => id.toString(16)).concat(token));
}
