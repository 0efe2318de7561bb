import type { Clock } from '../../base/clock.ts';
import type { RaftId, RaftStatus } from '../raft/types.ts';

/** How often the connections are looked at. */
const POLL_MS = 10;

export interface FirstElectionDeps {
  clock: Clock;
  heartbeatIntervalMs: number;
  electionTimeoutMs: number;
  raft(): Pick<RaftStatus, 'id' | 'term' | 'leader' | 'lastIndex' | 'confState'>;
  /** Connected both ways: a vote that is asked for there comes back. */
  canAsk(id: RaftId): boolean;
  campaign(): void;
}

/**
 * A new cluster has no leader that could be disturbed, and nobody who lags: there is nothing to wait an election timeout
 * for. The voter with the lowest id campaigns as soon as it can ask a majority; each of the others gives those before it
 * two heartbeats more, so that votes are not split. Raft's own time-out stays behind it all. (etcd has the same in mind
 * with --initial-election-tick-advance.)
 */
export class FirstElection {
  readonly #deps: FirstElectionDeps;
  #cancel: () => void = () => {};
  /** Polls since a majority could be asked. */
  #polls = 0;
  #pollsLeft: number;

  constructor(deps: FirstElectionDeps) {
    this.#deps = deps;
    this.#pollsLeft = Math.ceil(deps.electionTimeoutMs / POLL_MS);
  }

  start(): void {
    if (this.#isNew) this.#poll();
  }

  stop(): void {
    this.#cancel();
  }

  /** Nobody has been elected yet as far as is known here: the first configuration is entry 1 of term 1. */
  get #isNew(): boolean {
    const { term, leader, lastIndex } = this.#deps.raft();
    return term <= 1 && lastIndex <= 1 && leader === 0n;
  }

  #poll(): void {
    this.#cancel = this.#deps.clock.setTimer(POLL_MS, () => {
      if (!this.#isNew || this.#pollsLeft-- <= 0) return;
      const rank = this.#rank();
      if (rank === undefined) return;
      if (!this.#canAskMajority()) this.#polls = 0;
      else if (this.#polls++ * POLL_MS >= rank * 2 * this.#deps.heartbeatIntervalMs) {
        this.#deps.campaign();
        return;
      }
      this.#poll();
    });
  }

  /** Voters with a lower id; undefined if this member does not vote. */
  #rank(): number | undefined {
    const { id, confState } = this.#deps.raft();
    if (!confState.voters.includes(id)) return undefined;
    return confState.voters.filter((voter) => voter < id).length;
  }

  #canAskMajority(): boolean {
    const { id, confState } = this.#deps.raft();
    const reached = confState.voters.filter((voter) => voter === id || this.#deps.canAsk(voter));
    return reached.length > confState.voters.length / 2;
  }
}
