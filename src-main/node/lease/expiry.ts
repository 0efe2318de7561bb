import type { Clock } from '../../base/clock.ts';
import type { LeaseCheckpoint } from '../../proto/etcd/rpc.ts';
import type { LeaseEvents, LeaseView } from '../apply/types.ts';
import { DueHeap, type HeapItem } from './heap.ts';

/**
 * How often the remaining time of a long lease is written down, so that a new leader does not start
 * it anew (etcd).
 */
const CHECKPOINT_INTERVAL_MS = 5 * 60_000;
/**
 * After this long a lease that was named as expired and still exists is named again (etcd: 3 s).
 */
const EXPIRED_RETRY_MS = 3_000;

/**
 * A checkpoint is rounded up and applied late, so it can be short by more than this only if the
 * lease was renewed since.
 */
const STALE_CHECKPOINT_MS = 1_000;

/**
 * The smallest TTL in seconds that may be granted: it must outlive one and a half elections (etcd's
 * rule).
 */
export function minimumTtlSeconds(electionTimeoutMs: number): number {
  return Math.max(1, Math.ceil((1.5 * electionTimeoutMs) / 1_000));
}

class Lease {
  readonly id: bigint;
  /** Seconds. */
  readonly ttl: number;
  /** Seconds at the last checkpoint that is in the replicated state; 0 if there is none. */
  remainingTtl: number;
  expiresMs = 0;
  /** It was named as expired: its revocation may be in the log, and nothing can prolong it any more. */
  isEnding = false;
  readonly expiry: Due;
  readonly checkpoint: Due;

  constructor(view: LeaseView, minimumTtl: number) {
    this.id = view.id;
    this.ttl = Math.max(view.ttl, minimumTtl);
    this.remainingTtl = view.remainingTtl;
    this.expiry = { lease: this, dueMs: 0, heapIndex: -1 };
    this.checkpoint = { lease: this, dueMs: 0, heapIndex: -1 };
  }
}

interface Due extends HeapItem {
  lease: Lease;
}

/**
 * The deadlines of leases. Only the leader has them: it proposes the revocation of what expires,
 * and no other member acts on time. Not replicated; a new leader starts from the granted or last
 * checkpointed TTLs.
 */
export class LeaseClock implements LeaseEvents {
  readonly #clock: Clock;
  readonly #minimumTtl: number;
  readonly #leases = new Map<bigint, Lease>();
  #expiries = new DueHeap<Due>();
  #checkpoints = new DueHeap<Due>();
  #leading = false;
  /** Those who wait for what becomes of an expired lease. */
  readonly #waiting = new Map<bigint, (() => void)[]>();

  /** `minimumTtl` in seconds: a shorter lease is treated as if it had that TTL. */
  constructor(clock: Clock, minimumTtl: number) {
    this.#clock = clock;
    this.#minimumTtl = minimumTtl;
  }

  /**
   * This member leads: every lease gets what is left of it, and `extendMs` for the time without a
   * leader.
   */
  promote(leases: readonly LeaseView[], extendMs: number): void {
    this.demote();
    this.#leading = true;
    for (const view of leases) this.#add(view, extendMs);
  }

  demote(): void {
    this.#leading = false;
    this.#leases.clear();
    this.#expiries = new DueHeap();
    this.#checkpoints = new DueHeap();
    for (const id of [...this.#waiting.keys()]) this.#settle(id);
  }

  granted(view: LeaseView): void {
    if (this.#leading) this.#add(view, 0);
  }

  revoked(id: bigint): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    this.#leases.delete(id);
    this.#expiries.remove(lease.expiry);
    this.#checkpoints.remove(lease.checkpoint);
    this.#settle(id);
  }

  /**
   * One that gives time back comes from a renewal, perhaps at the leader before, which this one has
   * taken over before it was applied: then the time counts from now.
   */
  checkpointed(view: LeaseView): void {
    const lease = this.#leases.get(view.id);
    if (lease === undefined) return;
    const before = leftAtCheckpoint(lease);
    lease.remainingTtl = view.remainingTtl;
    const left = leftAtCheckpoint(lease);
    const now = this.#clock.nowMs();
    const expiresMs = now + left * 1_000;
    // Renewed while the checkpoint was on its way: that is taken back.
    if (lease.expiresMs - expiresMs > STALE_CHECKPOINT_MS) {
      this.#checkpoints.schedule(lease.checkpoint, now);
    }
    if (left <= before || expiresMs <= lease.expiresMs || lease.isEnding) return;
    lease.expiresMs = expiresMs;
    this.#expiries.schedule(lease.expiry, expiresMs);
    this.#settle(view.id);
  }

  /** Its time is up, but its revocation is not applied yet. */
  isExpired(id: bigint): boolean {
    const lease = this.#leases.get(id);
    return lease !== undefined && this.#isOver(lease);
  }

  /** The replicated state says that some of its time is used up. */
  isCheckpointed(id: bigint): boolean {
    return (this.#leases.get(id)?.remainingTtl ?? 0) > 0;
  }

  /** Resolves once the lease is revoked or got its time back after all, or this member leads no more. */
  whenSettled(id: bigint): Promise<void> {
    if (!this.#leases.has(id)) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id);
      if (waiting === undefined) this.#waiting.set(id, [resolve]);
      else waiting.push(resolve);
    });
  }

  /**
   * Starts the lease's time anew. Answers the granted TTL in seconds; undefined if it is unknown or
   * has expired.
   */
  renew(id: bigint): number | undefined {
    const lease = this.#leases.get(id);
    const now = this.#clock.nowMs();
    if (lease === undefined || this.#isOver(lease)) return undefined;
    lease.expiresMs = now + lease.ttl * 1_000;
    this.#expiries.schedule(lease.expiry, lease.expiresMs);
    // A checkpoint of before the renewal would end it early under the next leader: it is taken back
    // at once.
    if (lease.remainingTtl > 0) this.#checkpoints.schedule(lease.checkpoint, now);
    return lease.ttl;
  }

  /** Whole seconds left, 0 if it is about to be revoked; undefined if it is unknown. */
  timeToLive(id: bigint): { ttl: number; grantedTtl: number } | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined) return undefined;
    const leftMs = this.#isOver(lease) ? 0 : lease.expiresMs - this.#clock.nowMs();
    return { ttl: Math.floor(leftMs / 1_000), grantedTtl: lease.ttl };
  }

  /**
   * Up to `limit` expired leases, the longest expired first. One that is not revoked soon is named
   * again.
   */
  expired(limit: number): bigint[] {
    const now = this.#clock.nowMs();
    const ids: bigint[] = [];
    for (let due = this.#expiries.peek(); ids.length < limit; due = this.#expiries.peek()) {
      if (due === undefined || due.dueMs > now) break;
      ids.push(due.lease.id);
      due.lease.isEnding = true;
      this.#expiries.schedule(due, now + EXPIRED_RETRY_MS);
    }
    return ids;
  }

  /** Up to `limit` remaining times to be written into the replicated state. */
  checkpointsDue(limit: number): LeaseCheckpoint[] {
    const now = this.#clock.nowMs();
    const due: LeaseCheckpoint[] = [];
    for (let next = this.#checkpoints.peek(); due.length < limit; next = this.#checkpoints.peek()) {
      if (next === undefined || next.dueMs > now) break;
      const checkpoint = checkpointOf(next.lease, now);
      if (checkpoint !== undefined) due.push(checkpoint);
      if (isLong(next.lease)) this.#checkpoints.schedule(next, now + CHECKPOINT_INTERVAL_MS);
      else this.#checkpoints.remove(next);
    }
    return due;
  }

  /**
   * When `expired` or `checkpointsDue` will have something next, by the clock; undefined for never.
   */
  nextDueMs(): number | undefined {
    const expiry = this.#expiries.peek()?.dueMs;
    const checkpoint = this.#checkpoints.peek()?.dueMs;
    if (expiry === undefined || checkpoint === undefined) return expiry ?? checkpoint;
    return Math.min(expiry, checkpoint);
  }

  #isOver(lease: Lease): boolean {
    return lease.isEnding || lease.expiresMs <= this.#clock.nowMs();
  }

  #settle(id: bigint): void {
    const waiting = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    for (const resolve of waiting) resolve();
  }

  #add(view: LeaseView, extendMs: number): void {
    this.revoked(view.id);
    const lease = new Lease(view, this.#minimumTtl);
    const now = this.#clock.nowMs();
    lease.expiresMs = now + leftAtCheckpoint(lease) * 1_000 + extendMs;
    this.#leases.set(lease.id, lease);
    this.#expiries.schedule(lease.expiry, lease.expiresMs);
    if (isLong(lease)) this.#checkpoints.schedule(lease.checkpoint, now + CHECKPOINT_INTERVAL_MS);
  }
}

/** Seconds that the replicated state leaves it. */
function leftAtCheckpoint({ remainingTtl, ttl }: Lease): number {
  return remainingTtl > 0 ? remainingTtl : ttl;
}

/** Only leases that outlive the interval are worth a checkpoint. */
function isLong(lease: Lease): boolean {
  return lease.ttl * 1_000 > CHECKPOINT_INTERVAL_MS;
}

/**
 * What the replicated state should say, or undefined if it says so already or the lease is at its
 * end.
 */
function checkpointOf(lease: Lease, now: number): LeaseCheckpoint | undefined {
  if (lease.expiresMs <= now) return undefined;
  const left = Math.ceil((lease.expiresMs - now) / 1_000);
  // As good as new: no checkpoint is the same as a full TTL.
  const remainingTTL = left >= lease.ttl ? 0 : left;
  return remainingTTL === lease.remainingTtl ? undefined : { ID: lease.id, remainingTTL };
}
