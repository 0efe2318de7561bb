import { assert } from '../../base/assert.ts';
import type { Random } from '../../base/prng.ts';
import { NONE, type RaftId } from './types.ts';

/** Reads that a leader holds at a time, its own and forwarded ones; further ones are refused. */
export const MAX_PENDING_READS = 8192;
/** Rounds of heartbeats under way for reads; further reads wait for a place. */
export const MAX_READ_ROUNDS = 64;
/** Reads that a follower has asked its leader for. */
export const MAX_FORWARDED_READS = 4096;

export interface PendingRead {
  context: number;
  /** Who asked; NONE for this node. */
  from: RaftId;
}

export interface ReadRound {
  /** Number of the round, travels as read_context. Ascending from 1 in each term. */
  readonly round: number;
  /** Commit index when the round began: what its reads must see. */
  readonly index: number;
  readonly reads: PendingRead[];
}

/**
 * The leader's side of ReadIndex (thesis 6.4): reads wait until the next Ready starts one round of
 * heartbeats for all of them; once a quorum has answered that round or a later one, this node was
 * leader when it began.
 */
export class ReadRounds {
  /** Not in a round yet. */
  #waiting: PendingRead[] = [];
  /** Under way, ascending. */
  #rounds: ReadRound[] = [];
  /** Number of the newest round of this term; 0 before the first. */
  #newest = 0;
  /** Reads in #waiting and #rounds; <= MAX_PENDING_READS. */
  #count = 0;

  get newest(): number {
    return this.#newest;
  }
  /** The context for heartbeats: of the newest round under way, 0 if there is none. */
  get context(): number {
    return this.#rounds.length > 0 ? this.#newest : 0;
  }
  get canStart(): boolean {
    return this.#waiting.length > 0 && this.#rounds.length < MAX_READ_ROUNDS;
  }

  add(read: PendingRead): boolean {
    if (this.#count >= MAX_PENDING_READS) return false;
    this.#waiting.push(read);
    this.#count++;
    return true;
  }

  start(commit: number): void {
    assert(this.canStart, 'no reads to start a round for');
    this.#newest++;
    this.#rounds.push({ round: this.#newest, index: commit, reads: this.#waiting });
    this.#waiting = [];
  }

  /** Takes out the rounds up to the given one. */
  confirm(round: number): ReadRound[] {
    let end = 0;
    while (end < this.#rounds.length && (this.#rounds[end]?.round ?? 0) <= round) end++;
    const confirmed = this.#rounds.splice(0, end);
    for (const { reads } of confirmed) this.#count -= reads.length;
    return confirmed;
  }

  /** Takes everything out: this node leads no more, and rounds count from 1 again. */
  reset(): PendingRead[] {
    const reads = this.#rounds.flatMap((round) => round.reads).concat(this.#waiting);
    this.#rounds = [];
    this.#waiting = [];
    this.#newest = 0;
    this.#count = 0;
    return reads;
  }
}

/**
 * The follower's side: reads it has asked its leader for. On the wire each has a number that no
 * earlier life of this node has used, so that an answer from before a restart cannot pass for an
 * answer to a newer question.
 */
export class ForwardedReads {
  /** By number on the wire, oldest first; at most MAX_FORWARDED_READS. */
  readonly #reads = new Map<number, { context: number; expires: number }>();
  /** Last number used: a random start and a count. */
  #last: number;
  /** Ticks so far. */
  #now = 0;

  constructor(random: Random) {
    // 31 random bits above 21 bits of count stay a safe integer.
    this.#last = random.below(2 ** 31) * 2 ** 21;
  }

  /** The number to send, or undefined if too many are under way. */
  add(context: number, ttlTicks: number): number | undefined {
    if (this.#reads.size >= MAX_FORWARDED_READS) return undefined;
    this.#last++;
    this.#reads.set(this.#last, { context, expires: this.#now + ttlTicks });
    return this.#last;
  }

  /** The context it was asked with; undefined if nobody waits for it (any more). */
  take(wire: number): number | undefined {
    const read = this.#reads.get(wire);
    this.#reads.delete(wire);
    return read?.context;
  }

  /** Takes out what has waited too long: the question or the answer got lost. */
  tick(): number[] {
    this.#now++;
    const expired: number[] = [];
    for (const [wire, read] of this.#reads) {
      if (read.expires > this.#now) break;
      this.#reads.delete(wire);
      expired.push(read.context);
    }
    return expired;
  }

  reset(): number[] {
    const contexts = [...this.#reads.values()].map((read) => read.context);
    this.#reads.clear();
    return contexts;
  }
}

export function localRead(context: number): PendingRead {
  return { context, from: NONE };
}
