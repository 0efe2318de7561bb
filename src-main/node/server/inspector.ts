import {
  EventKind,
  type Progress,
  ProgressState,
  type RaftResponse,
  type Role as RoleName,
} from '../../proto/raftdeck/inspect.ts';
import type { Message } from '../../proto/raftdeck/raft.ts';
import type { Faults } from '../faults/faults.ts';
import type { PeerNetwork } from '../peer/types.ts';
import type { ProgressView, RaftStatus, Role } from '../raft/types.ts';
import type { WriteAheadLog } from '../wal/types.ts';
import type { NodeIo } from './io.ts';
import { RaftEvents, roleName } from './raft-events.ts';
import { RoundTrips } from './round-trips.ts';
import { raftTiming } from './timing.ts';

export interface InspectorDeps extends Pick<NodeIo, 'clock' | 'startMs'> {
  clusterId: bigint;
  memberId: bigint;
  config: { heartbeatIntervalMs: number; electionTimeoutMs: number };
  wal: Pick<WriteAheadLog, 'size'>;
  /** Undefined: this member has no fault lab. */
  faults: Faults | undefined;
}

/** What is asked of the running member. */
export interface Inspected {
  raft: { status(): RaftStatus; readonly logBytes: number };
  peers: Pick<PeerNetwork, 'isConnected' | 'connectedForMs'>;
  isLearner: boolean;
  isInstalling: boolean;
  appliedIndex: number;
}

const STATES: Readonly<Record<ProgressView['state'], ProgressState>> = {
  probe: ProgressState.PROBE,
  replicate: ProgressState.REPLICATE,
  snapshot: ProgressState.SNAPSHOT,
};

/** Keeps what a window onto this member's Raft wants to see and Raft itself does not remember. */
export class Inspector {
  readonly events: RaftEvents;
  readonly roundTrips: RoundTrips;
  readonly #deps: InspectorDeps;
  readonly #unixMs: () => number;
  readonly #tickMs: number;
  #before: { leader: bigint; role: Role } = { leader: 0n, role: 'follower' };
  #installedIndex = 0;

  constructor(deps: InspectorDeps) {
    const { clock, startMs, config, faults } = deps;
    this.#deps = deps;
    const sinceMs = clock.nowMs();
    this.#unixMs = () => Math.round(startMs + clock.nowMs() - sinceMs);
    this.events = new RaftEvents(this.#unixMs);
    this.roundTrips = new RoundTrips(() => clock.nowMs(), config.electionTimeoutMs);
    this.#tickMs = raftTiming(config.heartbeatIntervalMs, config.electionTimeoutMs).tickMs;
    this.events.add(EventKind.STARTED);
    faults?.onChange(() => this.events.add(EventKind.FAULTS));
  }

  sent(messages: readonly Message[]): void {
    this.roundTrips.sent(messages);
  }

  received(from: bigint, messages: readonly Message[]): void {
    this.roundTrips.received(from, messages);
  }

  leadership(leader: bigint, role: Role, term: number): void {
    this.events.leadership(this.#before, { leader, role, term });
    if (role !== 'leader') this.roundTrips.forget();
    this.#before = { leader, role };
  }

  snapshotInstalled(index: number, term: number): void {
    this.#installedIndex = index;
    this.events.add(EventKind.SNAPSHOT_INSTALLED, { index, term });
  }

  view(inspected: Inspected, afterEvent: number): RaftResponse {
    const { clusterId, memberId, startMs, wal, faults } = this.#deps;
    const status = inspected.raft.status();
    const { events, lost } = this.events.after(afterEvent);
    const { bytes, segments } = wal.size();
    return {
      clusterId,
      memberId,
      role: roleName(status.role) as RoleName,
      isLearner: inspected.isLearner,
      term: status.term,
      vote: status.vote,
      leader: status.leader,
      commit: Math.max(status.commit, inspected.appliedIndex),
      applied: inspected.appliedIndex,
      firstIndex: status.firstIndex,
      lastIndex: status.lastIndex,
      lastTerm: status.lastTerm,
      confState: status.confState,
      progress: status.progress.filter(({ id }) => id !== memberId).map(progressOf),
      peers: this.#peers(status, inspected.peers),
      timing: this.#timing(status),
      log: {
        walBytes: bytes,
        walSegments: segments,
        entryBytes: inspected.raft.logBytes,
        compactedIndex: status.firstIndex - 1,
      },
      snapshotInstalled: this.#installedIndex,
      installing: inspected.isInstalling,
      events,
      eventsLost: lost,
      startMs,
      nowMs: this.#unixMs(),
      faultLab: faults !== undefined,
    };
  }

  #peers({ confState }: RaftStatus, peers: Inspected['peers']) {
    const { voters, learners, votersOutgoing, learnersNext } = confState;
    const ids = new Set([...voters, ...votersOutgoing, ...learners, ...learnersNext]);
    ids.delete(this.#deps.memberId);
    return [...ids].map((id) => ({
      id,
      connected: peers.isConnected(id),
      connectedForMs: Math.round(peers.connectedForMs(id) ?? 0),
      roundTripUs: this.roundTrips.roundTripUs(id),
    }));
  }

  #timing({ electionElapsed, electionTimeout }: RaftStatus) {
    const { heartbeatIntervalMs, electionTimeoutMs } = this.#deps.config;
    return {
      heartbeatIntervalMs,
      electionTimeoutMs,
      electionDeadlineMs: Math.round(electionTimeout * this.#tickMs),
      electionElapsedMs: Math.round(electionElapsed * this.#tickMs),
    };
  }
}

function progressOf(view: ProgressView): Progress {
  const { id, match, next, state, inflight, recentActive, learner } = view;
  return { id, match, next, state: STATES[state], inflight, recentActive, learner };
}
