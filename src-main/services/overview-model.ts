/** What follows from what the members said: pure, so that every case can be tested. */
import { idToHex } from '../base/bytes.ts';
import type {
  ClusterHealth,
  ClusterKind,
  NodeProcessState,
  NodeRole,
  NodeView,
} from '../contract/views.ts';
import type { StatusResponse } from '../proto/etcd/rpc.ts';
import { describeExit, type NodeSnapshot } from '../supervisor/node-state.ts';

/** All that is known of one member at one moment. */
export interface MemberFacts {
  name: string;
  /** Hex; null until it was seen. */
  memberId: string | null;
  clientUrl: string;
  peerUrl: string | null;
  isLearner: boolean;
  /** Its last answer, if the last question was answered. */
  status: StatusResponse | null;
  latencyMs: number | null;
  error: string | null;
  /** The last question timed out: it may merely be slow. */
  isSlow: boolean;
  /** Local clusters only. */
  process: NodeSnapshot | null;
}

export interface Leadership {
  name: string;
  term: number;
}

/** Quorum of the voters. */
export function quorumOf(members: readonly MemberFacts[]): number {
  const voters = members.filter((member) => !member.isLearner).length;
  return Math.floor(voters / 2) + 1;
}

/** Whether its process, as far as we know, can answer at all. */
export function isAlive(member: MemberFacts): boolean {
  const { process } = member;
  if (process === null) return member.status !== null || member.isSlow;
  return process.pid !== null && !process.paused && process.state !== 'stopping';
}

/**
 * The member that says of itself that it leads, in the highest term. One that did not answer just
 * now still counts while a quorum follows it and it is not known to be gone: a busy leader must not
 * look like a lost one.
 */
export function findLeader(members: readonly MemberFacts[]): Leadership | null {
  let found: Leadership | null = null;
  const followers = new Map<string, { count: number; term: number }>();
  for (const { name, status, memberId } of members) {
    if (status === null || status.leader === 0n) continue;
    const leader = idToHex(status.leader);
    const term = status.raftTerm;
    if (leader === memberId && term > (found?.term ?? -1)) found = { name, term };
    const known = followers.get(leader) ?? { count: 0, term: 0 };
    followers.set(leader, { count: known.count + 1, term: Math.max(known.term, term) });
  }
  for (const [leader, { count, term }] of followers) {
    if (found !== null && term <= found.term) continue;
    const member = members.find((m) => m.memberId === leader);
    if (member === undefined || !member.isSlow || !isAlive(member)) continue;
    // Its own vote counts towards the quorum.
    if (count + 1 >= quorumOf(members)) found = { name: member.name, term };
  }
  return found;
}

export function roleOf(member: MemberFacts, leader: Leadership | null): NodeRole {
  if (member.name === leader?.name && isAlive(member)) return 'leader';
  if (member.status === null) return isAlive(member) ? 'unknown' : 'down';
  if (member.status.isLearner || member.isLearner) return 'learner';
  // A member that knows of no leader stands for election, or is about to.
  return member.status.leader === 0n ? 'candidate' : 'follower';
}

/** etcd reports alarms and the like in free text, e.g. "memberID:123 alarm:NOSPACE ". */
export function warningsOf(status: StatusResponse | null): string[] {
  const warnings = new Set<string>();
  for (const error of status?.errors ?? []) {
    const alarm = /alarm:\s*(\w+)/i.exec(error)?.[1];
    // That there is no leader shows in the role.
    if (/no leader/i.test(error)) continue;
    warnings.add(alarm ?? error.trim());
  }
  return [...warnings];
}

export function healthOf(
  kind: ClusterKind,
  members: readonly MemberFacts[],
  leader: Leadership | null,
  noLeaderForMs: number,
): ClusterHealth {
  const up = members.filter((member) => member.status !== null);
  if (kind === 'remote' && up.length === 0) return 'unreachable';
  if (kind === 'local') {
    const alive = members.filter((m) => m.process?.pid != null);
    if (alive.length === 0) {
      // Nodes that fell are not a cluster that somebody stopped.
      return members.every((m) => m.process?.state === 'stopped') ? 'stopped' : 'noQuorum';
    }
    const starting = members.some((m) => m.process?.state === 'starting');
    if (leader === null && (starting || up.length === 0)) {
      return noLeaderForMs < ELECTION_PATIENCE_MS ? 'starting' : 'noQuorum';
    }
  }
  if (leader === null) {
    const canElect = members.filter(isAlive).length >= quorumOf(members);
    return canElect && noLeaderForMs < ELECTION_PATIENCE_MS ? 'degraded' : 'noQuorum';
  }
  const hasAlarm = up.some((member) => warningsOf(member.status).length > 0);
  return up.length === members.length && !hasAlarm ? 'healthy' : 'degraded';
}

/** An election that takes longer than this is none: members cannot reach each other. */
const ELECTION_PATIENCE_MS = 5_000;

export function toNodeView(member: MemberFacts, leader: Leadership | null): NodeView {
  const { status, process } = member;
  return {
    name: member.name,
    memberId: member.memberId,
    role: roleOf(member, leader),
    clientUrl: member.clientUrl,
    peerUrl: member.peerUrl,
    term: status?.raftTerm ?? null,
    commitIndex: status?.raftIndex ?? null,
    appliedIndex: status?.raftAppliedIndex ?? null,
    dbSizeBytes: status?.dbSize ?? null,
    dbSizeInUseBytes: status?.dbSizeInUse ?? null,
    version: status?.version ?? null,
    latencyMs: member.latencyMs,
    error: member.error,
    warnings: warningsOf(status),
    process:
      process === null
        ? null
        : {
            state: processState(process),
            pid: process.pid,
            startedAtMs: process.startedAtMs,
            restarts: process.restarts,
            nextRestartAtMs: process.nextRestartAtMs,
            lastExit: process.lastExit === null ? null : describeExit(process.lastExit),
          },
  };
}

function processState(process: NodeSnapshot): NodeProcessState {
  if (process.paused && process.state === 'running') return 'paused';
  return process.state === 'orphaned' ? 'running' : process.state;
}
