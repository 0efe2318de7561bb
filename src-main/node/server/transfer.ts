import type { Clock } from '../../base/clock.ts';
import { CodedError } from '../../base/errors.ts';
import type { RaftNode } from '../raft/index.ts';
import { nodeError } from './proposals.ts';

/** A stop has two seconds: this for a successor to take over, the rest for calls that are under way. */
const HAND_OVER_MS = 600;
/** Other members may still send proposals here until they have heard of the successor. */
const MAX_LINGER_MS = 100;
const POLL_MS = 5;

export interface TransferDeps {
  memberId: bigint;
  raft: RaftNode;
  clock: Clock;
  heartbeatIntervalMs: number;
  isConnected(id: bigint): boolean;
  wake(): void;
}

/** Hands leadership over (thesis 3.10). */
export class LeadershipTransfer {
  readonly #deps: TransferDeps;

  constructor(deps: TransferDeps) {
    this.#deps = deps;
  }

  /** To that voter. Throws NotLeader or MemberNotFound; rejects with Timeout. */
  async to(target: bigint, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const { raft, wake } = this.#deps;
    if (!raft.isLeader) throw nodeError('NotLeader');
    if (!raft.status().confState.voters.includes(target)) throw nodeError('MemberNotFound');
    raft.transferLeader(target);
    wake();
    await this.#until(() => raft.leader === target, timeoutMs, signal);
  }

  /**
   * To the voter that has most of the log, if there is one, while everything is still served: puts that come meanwhile
   * end up at the successor. Resolves once the others had the time to hear of it; at the latest after HAND_OVER_MS.
   */
  async handOver(): Promise<void> {
    const { raft, clock, heartbeatIntervalMs } = this.#deps;
    if (!raft.isLeader || !(await this.#giveUp())) return;
    await this.#until(() => raft.leader !== 0n, HAND_OVER_MS).catch(() => {});
    const lingerMs = Math.min(heartbeatIntervalMs, MAX_LINGER_MS);
    await new Promise<void>((resolve) => clock.setTimer(lingerMs, resolve));
  }

  /** Whether this member leads no more. */
  async #giveUp(): Promise<boolean> {
    const { raft, memberId, isConnected, wake } = this.#deps;
    const best = raft
      .status()
      .progress.filter((p) => p.id !== memberId && !p.learner && p.recentActive)
      .sort((a, b) => b.match - a.match)[0];
    if (best === undefined || !isConnected(best.id)) return false;
    raft.transferLeader(best.id);
    wake();
    await this.#until(() => !raft.isLeader, HAND_OVER_MS).catch(() => {});
    return !raft.isLeader;
  }

  async #until(done: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const deadline = clock.nowMs() + timeoutMs;
    while (!done()) {
      if (clock.nowMs() >= deadline || signal?.aborted === true) {
        throw new CodedError('Timeout', 'not done in time');
      }
      await new Promise<void>((resolve) => clock.setTimer(POLL_MS, resolve));
    }
  }
}
