import { idToHex } from '../../base/bytes.ts';
import type { Member } from '../../proto/etcd/rpc.ts';
import type { NodeConfig } from '../config.ts';
import { memberId } from '../membership/identity.ts';
import type { NodeMarker } from './data-dir.ts';

/** The id of the member that these flags describe, if it is one of the cluster's first. */
export function selfId(config: NodeConfig): bigint {
  return memberId(config.initialAdvertisePeerUrls, config.initialClusterToken);
}

/**
 * What speaks against running member `id`, whose folder this is, with these flags; undefined if nothing does. A member
 * is known by the peer URLs it began with, or by those it has now: one that joined later has an id that no flag tells.
 * URLs may have been changed while it was down; then its name and the other members must be the same.
 */
export function whyForeign(
  config: NodeConfig,
  marker: NodeMarker | undefined,
  id: bigint,
  members: readonly Member[],
): string | undefined {
  const token = config.initialClusterToken;
  if (marker?.token !== undefined && marker.token !== token) {
    return ` of the cluster with the token "${marker.token}", these flags say "${token}"`;
  }
  const wanted = selfId(config);
  if (wanted === id) return undefined;
  const own = members.find(({ ID }) => ID === id)?.peerURLs ?? [];
  if (sorted(own) === sorted(config.initialAdvertisePeerUrls)) return undefined;
  if (marker?.name === config.name && hasSharedPeer(config, id, members)) return undefined;
  return `, these flags name ${idToHex(wanted)}`;
}

function hasSharedPeer(config: NodeConfig, id: bigint, members: readonly Member[]): boolean {
  const known = new Set(members.filter(({ ID }) => ID !== id).flatMap(({ peerURLs }) => peerURLs));
  const others = config.initialCluster.filter(({ name }) => name !== config.name);
  return others.some(({ peerUrls }) => peerUrls.some((url) => known.has(url)));
}

function sorted(urls: readonly string[]): string {
  return [...urls].sort().join();
}
