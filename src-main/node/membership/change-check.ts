import type { Member } from '../../proto/etcd/rpc.ts';
import type { MembershipChange, MemberUpdate } from '../../proto/raftdeck/internal.ts';
import { ConfChangeSingle_Type } from '../../proto/raftdeck/raft.ts';
import type { NodeErrorCode } from '../apply/types.ts';

/** What the checks look at. */
export interface Membership {
  list(): Member[];
  isRemoved(id: bigint): boolean;
}

/**
 * Why a committed change of the membership is not made; undefined if it is. As in etcd
 * (ValidateConfigurationChange), in its order: the proposer has checked already, but another change
 * may have come before.
 */
export function changeRefusal(
  membership: Membership,
  { member, promote, maxLearners }: MembershipChange,
  kind: ConfChangeSingle_Type,
): NodeErrorCode | undefined {
  if (member === undefined || membership.isRemoved(member.ID)) return 'MemberNotFound';
  const members = membership.list();
  const known = members.find(({ ID }) => ID === member.ID);
  if (kind === ConfChangeSingle_Type.REMOVE)
    return known === undefined ? 'MemberNotFound' : undefined;
  if (promote) {
    if (known === undefined) return 'MemberNotFound';
    return known.isLearner ? undefined : 'MemberNotLearner';
  }
  if (known !== undefined) return 'MemberExist';
  if (urlsTaken(members, member.peerURLs)) return 'PeerUrlExist';
  const learners = members.filter(({ isLearner }) => isLearner).length;
  if (kind === ConfChangeSingle_Type.ADD_LEARNER && learners >= maxLearners) {
    return 'TooManyLearners';
  }
  return undefined;
}

export function updateRefusal(
  membership: Membership,
  { memberId, peerUrls }: MemberUpdate,
): NodeErrorCode | undefined {
  const members = membership.list();
  if (!members.some(({ ID }) => ID === memberId)) return 'MemberNotFound';
  const others = members.filter(({ ID }) => ID !== memberId);
  return urlsTaken(others, peerUrls) ? 'PeerUrlExist' : undefined;
}

function urlsTaken(members: readonly Member[], urls: readonly string[]): boolean {
  const taken = new Set(members.flatMap(({ peerURLs }) => peerURLs));
  return urls.some((url) => taken.has(url));
}
