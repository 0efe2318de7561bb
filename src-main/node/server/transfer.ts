import type { Clock } from '../../base/clock.ts';
import { CodedError } from '../../base/errors.ts';
import type { RaftNode } from '../raft/index.ts';
import { nodeError } from './proposals.ts';

/** How long a member that stops waits for its successor. */
const HAND_OVER_TIMEOUT_MS = 1_000;
const POLL_MS = 5;

export interface TransferDeps {
  memberId: bigint;
  raft: RaftNode;
  clock: Clock;
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

  /** To the voter that has most of the log, if there is one; a member that stops does not insist. */
  async giveUp(): Promise<void> {
    const { raft, memberId, isConnected, wake } = this.#deps;
    if (!raft.isLeader) return;
    const best = raft
      .status()
      .progress.filter((p) => p.id !== memberId && !p.learner && p.recentActive)
      .sort((a, b) => b.match - a.match)[0];
    if (best === undefined || !isConnected(best.id)) return;
    raft.transferLeader(best.id);
    wake();
    await this.#until(() => !raft.isLeader, HAND_OVER_TIMEOUT_MS).catch(() => {});
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
