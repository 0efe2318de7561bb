/** Raft of one member as our nodes tell it, and of any etcd as its Status does, in the words of the views. */
import { idToHex } from '../base/bytes.ts';
import type {
  FaultsView,
  FollowerView,
  NodeRole,
  NodeView,
  RaftEventView,
  RaftMemberView,
} from '../contract/views.ts';
import {
  DiskError,
  type Event,
  EventKind,
  FaultSet,
  ProgressState,
  type RaftResponse,
  Role,
} from '../proto/raftdeck/inspect.ts';
import { hexToId } from './ids.ts';

/** Member ids in hex to names. */
export type Names = ReadonlyMap<string, string>;

const MICROSECONDS = 1_000;

const ROLES: Readonly<Record<Role, RaftEventView['role']>> = {
  [Role.FOLLOWER]: 'follower',
  [Role.PRE_CANDIDATE]: 'preCandidate',
  [Role.CANDIDATE]: 'candidate',
  [Role.LEADER]: 'leader',
};
const STATES: Readonly<Record<ProgressState, FollowerView['state']>> = {
  [ProgressState.PROBE]: 'probe',
  [ProgressState.REPLICATE]: 'replicate',
  [ProgressState.SNAPSHOT]: 'snapshot',
};
const KINDS: Readonly<Record<EventKind, RaftEventView['kind']>> = {
  [EventKind.STARTED]: 'started',
  [EventKind.ROLE]: 'role',
  [EventKind.LEADER_KNOWN]: 'leaderKnown',
  [EventKind.LEADER_LOST]: 'leaderLost',
  [EventKind.CONF_CHANGE]: 'confChange',
  [EventKind.SNAPSHOT_SENT]: 'snapshotSent',
  [EventKind.SNAPSHOT_FAILED]: 'snapshotFailed',
  [EventKind.SNAPSHOT_INSTALLED]: 'snapshotInstalled',
  [EventKind.FAULTS]: 'faults',
};
const DISK_ERRORS: Readonly<Record<DiskError, FaultsView['disk']['error']>> = {
  [DiskError.NONE]: 'none',
  [DiskError.FULL]: 'full',
  [DiskError.BROKEN]: 'broken',
};

/** null for 0, which is nobody. */
function nameOf(id: bigint, names: Names): string | null {
  if (id === 0n) return null;
  const hex = idToHex(id);
  return names.get(hex) ?? hex;
}

/** What is known of any member without asking it about Raft. */
export function memberOf(node: NodeView, leader: string | null): RaftMemberView {
  const answers = node.term !== null;
  return {
    ...{ name: node.name, memberId: node.memberId, source: answers ? 'status' : null },
    ...{ error: node.error, process: node.process?.state ?? null, role: node.role },
    ...{ term: node.term, vote: null, leader: answers ? leader : null },
    ...{ commit: node.commitIndex, applied: node.appliedIndex },
    ...{ firstIndex: null, lastIndex: null, lastTerm: null, election: null, log: null },
    ...{ installing: false, followers: [], faults: null },
  };
}

export function inspectedMember(
  node: NodeView,
  raft: RaftResponse,
  faults: FaultsView | null,
  names: Names,
): RaftMemberView {
  const { timing, log } = raft;
  const isLeader = raft.role === Role.LEADER;
  return {
    ...memberOf(node, null),
    source: 'inspect',
    error: null,
    role: roleOf(raft),
    memberId: idToHex(raft.memberId),
    term: raft.term,
    vote: nameOf(raft.vote, names),
    leader: nameOf(raft.leader, names),
    commit: raft.commit,
    applied: raft.applied,
    firstIndex: raft.firstIndex,
    lastIndex: raft.lastIndex,
    lastTerm: raft.lastTerm,
    election:
      isLeader || timing === undefined
        ? null
        : { elapsedMs: timing.electionElapsedMs, deadlineMs: timing.electionDeadlineMs },
    log:
      log === undefined
        ? null
        : {
            walBytes: log.walBytes,
            walSegments: log.walSegments,
            compactedIndex: log.compactedIndex,
          },
    installing: raft.installing,
    followers: followersOf(raft, names),
    faults,
  };
}

function roleOf({ role, isLearner }: RaftResponse): NodeRole {
  if (isLearner) return 'learner';
  const known = ROLES[role];
  return known === 'preCandidate' ? 'candidate' : known;
}

function followersOf({ progress, peers }: RaftResponse, names: Names): FollowerView[] {
  return progress.map(({ id, match, next, state, inflight, recentActive, learner }) => {
    const roundTripUs = peers.find((peer) => peer.id === id)?.roundTripUs ?? 0;
    return {
      ...{ name: nameOf(id, names) ?? '', memberId: idToHex(id), match, next },
      ...{ state: STATES[state], inflight, recentActive, learner },
      roundTripMs: roundTripUs === 0 ? null : roundTripUs / MICROSECONDS,
    };
  });
}

export function eventOf(event: Event, startMs: number, node: string, names: Names): RaftEventView {
  const { number, atMs, kind, term, role, member, index } = event;
  return {
    ...{ id: `${node}-${startMs}-${number}`, atMs, node, kind: KINDS[kind], term },
    ...{ role: ROLES[role], member: nameOf(member, names), index },
  };
}

export function faultsOf({ links, disk, durationMs }: FaultSet, names: Names, nowMs: number) {
  const view: FaultsView = {
    links: links.map((link) => ({ ...link, peer: nameOf(link.peer, names) ?? '' })),
    disk: {
      syncDelayMs: disk?.syncDelayMs ?? 0,
      error: DISK_ERRORS[disk?.error ?? DiskError.NONE],
    },
    endsAtMs: durationMs === 0 ? null : nowMs + durationMs,
  };
  return view;
}

/** `idOf` throws for a name that nobody has. */
export function faultSetOf(
  wanted: Pick<FaultsView, 'links' | 'disk'>,
  durationMs: number,
  idOf: (name: string) => string,
): FaultSet {
  const errors = { none: DiskError.NONE, full: DiskError.FULL, broken: DiskError.BROKEN } as const;
  return FaultSet.fromPartial({
    links: wanted.links.map((link) => ({ ...link, peer: hexToId(idOf(link.peer)) })),
    disk: { syncDelayMs: wanted.disk.syncDelayMs, error: errors[wanted.disk.error] },
    durationMs,
  });
}
