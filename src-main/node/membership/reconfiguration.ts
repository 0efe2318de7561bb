import type { Member } from '../../proto/etcd/rpc.ts';
import type { NodeErrorCode } from '../apply/types.ts';

/** So long must a connection have stood to count as healthy (etcd's HealthInterval). */
export const HEALTH_INTERVAL_MS = 5_000;
/** A learner may vote once it has this part of the leader's log (etcd's readyPercent). */
const READY_SHARE = 0.9;

/** What a member sees of the cluster before it proposes a change. */
export interface ReconfigurationView {
  self: bigint;
  members: Member[];
  /** How long the connection to that member has stood, in milliseconds; undefined without one. */
  connectedForMs(id: bigint): number | undefined;
  /** On the leader: last index of its log, and how far each member's log is known to match it. */
  progress: { lastIndex: number; match: ReadonlyMap<bigint, number> } | undefined;
}

type Refusal = NodeErrorCode | undefined;

/** A member that never told its name has never run. */
function isStarted({ name }: Member): boolean {
  return name !== '';
}

function votersOf(view: ReconfigurationView): Member[] {
  return view.members.filter(({ isLearner }) => !isLearner);
}

function isHealthy(view: ReconfigurationView, id: bigint): boolean {
  return id === view.self || (view.connectedForMs(id) ?? 0) >= HEALTH_INTERVAL_MS;
}

/**
 * Whether adding a member leaves the quorum to those that run (etcd's mayAddMember): a voter that never started counts
 * against the quorum, so a second one is not added before the first has come up.
 */
export function mayAddVoter(view: ReconfigurationView, isLearner: boolean): Refusal {
  const voters = votersOf(view);
  if (!isLearner && !readyFor(voters.length + 1, voters)) return 'MemberNotEnoughStarted';
  return voters.every(({ ID }) => isHealthy(view, ID)) ? undefined : 'Unhealthy';
}

/** One started member of two is the way from one to three: it must be able to go on. */
function readyFor(size: number, voters: readonly Member[]): boolean {
  const started = voters.filter(isStarted).length;
  if (started === 1 && size === 2) return true;
  return started >= quorumOf(size);
}

function quorumOf(size: number): number {
  return Math.floor(size / 2) + 1;
}

/** Whether a quorum of those that run is left (etcd's mayRemoveMember). A member that is down anyway may go. */
export function mayRemove(view: ReconfigurationView, id: bigint): Refusal {
  if (view.members.some(({ ID, isLearner }) => ID === id && isLearner)) return undefined;
  const voters = votersOf(view);
  const left = voters.filter(({ ID }) => ID !== id);
  if (left.filter(isStarted).length < quorumOf(left.length)) return 'MemberNotEnoughStarted';
  if (id !== view.self && view.connectedForMs(id) === undefined) return undefined;
  const active = voters.filter(({ ID }) => isHealthy(view, ID)).length;
  return active - 1 < 1 + Math.floor((voters.length - 1) / 2) ? 'Unhealthy' : undefined;
}

/** Whether a learner can vote without holding commits up. To ask on the leader alone. */
export function mayPromote(view: ReconfigurationView, id: bigint, strict: boolean): Refusal {
  const { progress, members } = view;
  if (progress === undefined) return 'NotLeader';
  const member = members.find(({ ID }) => ID === id);
  if (member === undefined) return 'MemberNotFound';
  if (!member.isLearner) return 'MemberNotLearner';
  if ((progress.match.get(id) ?? 0) < READY_SHARE * progress.lastIndex) return 'LearnerNotReady';
  const voters = votersOf(view);
  const started = voters.filter(isStarted).length + 1;
  if (strict && started < quorumOf(voters.length + 1)) return 'MemberNotEnoughStarted';
  return undefined;
}
