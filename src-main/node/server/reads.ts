import type { CodedError } from '../../base/errors.ts';
import type { NodeErrorCode } from '../apply/types.ts';
import { nodeError } from './proposals.ts';

/** Linearizable reads that may wait at once; more are refused with TooManyRequests. */
export const MAX_PENDING_READS = 50_000;

interface Waiter {
  deadlineMs: number;
  resolve(): void;
  reject(error: CodedError<NodeErrorCode>): void;
}

interface Round {
  context: number;
  startedMs: number;
  waiters: Waiter[];
}

/**
 * Batches linearizable reads: one ReadIndex round (thesis 6.4) serves everyone who asked before it began, the next
 * one starts when it is back. A round that gets no answer is repeated under a new context.
 */
export class ReadBatcher {
  /** Asks Raft; false if it cannot now (no leader). */
  readonly #ask: (context: number) => boolean;
  readonly #retryMs: number;
  #next: Waiter[] = [];
  #round: Round | undefined;
  /** Confirmed, waiting until that index is applied. */
  #confirmed: { index: number; waiters: Waiter[] }[] = [];
  #context = 0;
  /** Waiters in #next, #round and #confirmed. */
  #pending = 0;
  readonly #leaderlessLimitMs: number;
  /** Since when no leader has been known; undefined while one is. */
  #leaderlessSinceMs: number | undefined;

  /** After `leaderlessLimitMs` without a leader reads are refused with NoLeader instead of waiting for one. */
  constructor(
    ask: (context: number) => boolean,
    retryMs: number,
    leaderlessLimitMs = Number.POSITIVE_INFINITY,
  ) {
    this.#ask = ask;
    this.#retryMs = retryMs;
    this.#leaderlessLimitMs = leaderlessLimitMs;
  }

  request(deadlineMs: number): Promise<void> {
    if (this.#pending >= MAX_PENDING_READS) return Promise.reject(nodeError('TooManyRequests'));
    this.#pending++;
    return new Promise((resolve, reject) => this.#next.push({ deadlineMs, resolve, reject }));
  }

  get wantsRound(): boolean {
    return this.#round === undefined && this.#next.length > 0;
  }

  startRound(nowMs: number): void {
    if (!this.wantsRound) return;
    const context = ++this.#context;
    if (!this.#ask(context)) return;
    this.#round = { context, startedMs: nowMs, waiters: this.#next };
    this.#next = [];
  }

  /** Raft's answer. Index -1: refused, asked again on the next tick. */
  confirmed(context: number, index: number, applied: number): void {
    const round = this.#round;
    if (round === undefined || round.context !== context) return;
    this.#round = undefined;
    if (index < 0) {
      this.#next = round.waiters.concat(this.#next);
    } else if (index <= applied) {
      this.#resolve(round.waiters);
    } else {
      this.#confirmed.push({ index, waiters: round.waiters });
    }
  }

  applied(index: number): void {
    while (this.#confirmed.length > 0 && (this.#confirmed[0]?.index ?? 0) <= index) {
      this.#resolve(this.#confirmed.shift()?.waiters ?? []);
    }
  }

  tick(nowMs: number, hasLeader = true): void {
    const round = this.#round;
    if (round !== undefined && nowMs - round.startedMs >= this.#retryMs) {
      this.#round = undefined;
      this.#next = round.waiters.concat(this.#next);
    }
    this.#next = this.#expire(this.#next, nowMs);
    for (const entry of this.#confirmed) entry.waiters = this.#expire(entry.waiters, nowMs);
    this.#leaderlessSinceMs = hasLeader ? undefined : (this.#leaderlessSinceMs ?? nowMs);
    if (nowMs - (this.#leaderlessSinceMs ?? nowMs) >= this.#leaderlessLimitMs) this.#refuse();
    this.startRound(nowMs);
  }

  /** In a minority there is no leader to wait for. What is confirmed needs none any more. */
  #refuse(): void {
    const waiters = this.#next;
    this.#next = [];
    this.#pending -= waiters.length;
    for (const waiter of waiters) waiter.reject(nodeError('NoLeader'));
  }

  failAll(code: NodeErrorCode): void {
    const all = [this.#next, this.#round?.waiters ?? [], ...this.#confirmed.map((c) => c.waiters)];
    for (const waiter of all.flat()) waiter.reject(nodeError(code));
    this.#next = [];
    this.#round = undefined;
    this.#confirmed = [];
    this.#pending = 0;
  }

  #resolve(waiters: Waiter[]): void {
    this.#pending -= waiters.length;
    for (const waiter of waiters) waiter.resolve();
  }

  #expire(waiters: Waiter[], nowMs: number): Waiter[] {
    if (!waiters.some((waiter) => waiter.deadlineMs <= nowMs)) return waiters;
    const kept: Waiter[] = [];
    for (const waiter of waiters) {
      if (waiter.deadlineMs > nowMs) {
        kept.push(waiter);
        continue;
      }
      this.#pending--;
      waiter.reject(nodeError('Timeout'));
    }
    return kept;
  }
}
