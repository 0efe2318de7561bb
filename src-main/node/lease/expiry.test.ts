import { beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { seededRandom } from '../../base/prng.ts';
import type { LeaseView } from '../apply/types.ts';
import { LeaseClock, minimumTtlSeconds } from './expiry.ts';
import { DueHeap } from './heap.ts';

let now = 0;
const clock: Clock = {
  nowMs: () => now,
  setTimer: () => {
    throw new Error('the lease clock sets no timers');
  },
};
const seconds = (n: number) => {
  now += n * 1_000;
};
const lease = (id: bigint, ttl: number, remainingTtl = 0): LeaseView => ({ id, ttl, remainingTtl });

let leases: LeaseClock;
beforeEach(() => {
  now = 1_000_000;
  leases = new LeaseClock(clock, 2);
});

describe('minimum TTL', () => {
  it.each([
    [1_000, 2],
    [150, 1],
    [2_000, 3],
    [50_000, 75],
  ])('an election timeout of %d ms: %d s', (electionTimeoutMs, ttl) => {
    expect(minimumTtlSeconds(electionTimeoutMs)).toBe(ttl);
  });
});

describe('expiry', () => {
  beforeEach(() => leases.promote([lease(1n, 10), lease(2n, 20)], 0));

  it('names what has expired, the longest expired first, up to the limit', () => {
    leases.granted(lease(3n, 5));
    expect(leases.expired(10)).toEqual([]);
    expect(leases.nextDueMs()).toBe(now + 5_000);
    seconds(9.999);
    expect(leases.expired(10)).toEqual([3n]);
    seconds(10.001);
    expect(leases.expired(2)).toHaveLength(2);
    expect(leases.expired(10)).toHaveLength(1);
  });

  it('names it again if it is not revoked, and not before some time has passed', () => {
    seconds(10);
    expect(leases.expired(10)).toEqual([1n]);
    expect(leases.expired(10)).toEqual([]);
    seconds(3);
    expect(leases.expired(10)).toEqual([1n]);
    leases.revoked(1n);
    seconds(3);
    expect(leases.expired(10)).toEqual([]);
    expect(leases.timeToLive(1n)).toBeUndefined();
  });

  it('a renewal starts the time anew; an expired or unknown lease cannot be renewed', () => {
    seconds(9);
    expect(leases.renew(1n)).toBe(10);
    seconds(9);
    expect(leases.expired(10)).toEqual([]);
    expect(leases.timeToLive(1n)).toEqual({ ttl: 1, grantedTtl: 10 });
    seconds(1);
    expect(leases.renew(1n)).toBeUndefined();
    expect(leases.timeToLive(1n)).toEqual({ ttl: 0, grantedTtl: 10 });
    expect(leases.renew(9n)).toBeUndefined();
  });

  it('a lease below the minimum lives as long as the minimum', () => {
    leases.granted(lease(3n, 1));
    expect(leases.timeToLive(3n)).toEqual({ ttl: 2, grantedTtl: 2 });
  });
});

describe('the end of an expired lease', () => {
  beforeEach(() => leases.promote([lease(1n, 10)], 0));
  const ended = (id: bigint): (() => boolean) => {
    let done = false;
    void leases.whenSettled(id).then(() => {
      done = true;
    });
    return () => done;
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it('comes with its revocation', async () => {
    expect(leases.isExpired(1n)).toBe(false);
    seconds(10);
    expect(leases.isExpired(1n)).toBe(true);
    const [first, second] = [ended(1n), ended(1n)];
    await settle();
    expect(first()).toBe(false);
    leases.revoked(1n);
    await settle();
    expect([first(), second(), leases.isExpired(1n)]).toEqual([true, true, false]);
    await leases.whenSettled(1n);
  });

  it('is not put off once it was named, whatever becomes of a renewal that is under way', () => {
    leases.promote([lease(1n, 10, 4)], 0);
    seconds(4);
    expect(leases.expired(1)).toEqual([1n]);
    leases.checkpointed(lease(1n, 10, 0));
    expect(leases.isExpired(1n)).toBe(true);
    expect(leases.renew(1n)).toBeUndefined();
    expect(leases.timeToLive(1n)).toEqual({ ttl: 0, grantedTtl: 10 });
    leases.granted(lease(1n, 10));
    expect(leases.renew(1n)).toBe(10);
  });

  it('does not come if it got its time back before it was named', async () => {
    leases.promote([lease(1n, 10, 4)], 0);
    seconds(4);
    const done = ended(1n);
    leases.checkpointed(lease(1n, 10, 0));
    await settle();
    expect([done(), leases.isExpired(1n), leases.expired(1)]).toEqual([true, false, []]);
  });

  it('is no longer known to one that leads no more', async () => {
    seconds(10);
    const done = ended(1n);
    leases.demote();
    await settle();
    expect(done()).toBe(true);
  });
});

describe('leadership', () => {
  it('a member that does not lead knows no time', () => {
    leases.granted(lease(1n, 10));
    expect(leases.renew(1n)).toBeUndefined();
    expect(leases.nextDueMs()).toBeUndefined();
    leases.promote([lease(1n, 10)], 0);
    leases.demote();
    seconds(60);
    expect(leases.expired(10)).toEqual([]);
    expect(leases.timeToLive(1n)).toBeUndefined();
  });

  it('a new leader gives what is left, and time for the election on top', () => {
    leases.promote([lease(1n, 100), lease(2n, 100, 30)], 1_500);
    expect(leases.timeToLive(1n)).toEqual({ ttl: 101, grantedTtl: 100 });
    expect(leases.timeToLive(2n)).toEqual({ ttl: 31, grantedTtl: 100 });
    expect(leases.renew(2n)).toBe(100);
  });
});

describe('checkpoints', () => {
  beforeEach(() => leases.promote([lease(1n, 300), lease(2n, 1_000), lease(3n, 2_000)], 0));

  it('every five minutes for leases that outlive them', () => {
    expect(leases.checkpointsDue(10)).toEqual([]);
    seconds(300);
    expect(leases.checkpointsDue(1)).toEqual([{ ID: 2n, remainingTTL: 700 }]);
    expect(leases.checkpointsDue(10)).toEqual([{ ID: 3n, remainingTTL: 1_700 }]);
    expect(leases.checkpointsDue(10)).toEqual([]);
    leases.checkpointed(lease(2n, 1_000, 700));
    seconds(300);
    expect(leases.checkpointsDue(10)).toContainEqual({ ID: 2n, remainingTTL: 400 });
  });

  it('a renewal takes the checkpoint back at once', () => {
    seconds(300);
    leases.checkpointsDue(10);
    leases.checkpointed(lease(2n, 1_000, 700));
    leases.renew(2n);
    expect(leases.nextDueMs()).toBe(now);
    expect(leases.checkpointsDue(10)).toEqual([{ ID: 2n, remainingTTL: 0 }]);
    leases.checkpointed(lease(2n, 1_000, 0));
    leases.renew(2n);
    expect(leases.checkpointsDue(10)).toEqual([]);
  });

  it('one that a renewal has overtaken is taken back', () => {
    seconds(300);
    expect(leases.checkpointsDue(1)).toEqual([{ ID: 2n, remainingTTL: 700 }]);
    leases.renew(2n);
    leases.checkpointed(lease(2n, 1_000, 700));
    expect(leases.isCheckpointed(2n)).toBe(true);
    expect(leases.checkpointsDue(10)).toContainEqual({ ID: 2n, remainingTTL: 0 });
  });

  it('one that gives time back counts for a leader that had taken over before it', () => {
    leases.promote([lease(2n, 1_000, 400)], 0);
    seconds(10);
    leases.checkpointed(lease(2n, 1_000, 0));
    expect(leases.timeToLive(2n)).toEqual({ ttl: 1_000, grantedTtl: 1_000 });
    leases.checkpointed(lease(2n, 1_000, 300));
    expect(leases.timeToLive(2n)).toEqual({ ttl: 1_000, grantedTtl: 1_000 });
    leases.checkpointed(lease(9n, 1_000, 300));
  });

  it('a revoked or expired lease needs none', () => {
    leases.revoked(2n);
    seconds(2_000);
    expect(leases.checkpointsDue(10)).toEqual([]);
  });
});

it('the heap gives what is due first, whatever was moved and removed', () => {
  const random = seededRandom(11);
  const heap = new DueHeap<{ dueMs: number; heapIndex: number }>();
  const items = Array.from({ length: 200 }, () => ({ dueMs: 0, heapIndex: -1 }));
  const inside = new Set<(typeof items)[number]>();
  for (let step = 0; step < 5_000; step++) {
    const item = items[random.below(items.length)] as (typeof items)[number];
    if (random.below(3) > 0) {
      heap.schedule(item, random.below(1_000));
      inside.add(item);
    } else {
      heap.remove(item);
      inside.delete(item);
    }
    expect(heap.size).toBe(inside.size);
    const first = Math.min(...[...inside].map(({ dueMs }) => dueMs));
    expect(heap.peek()?.dueMs ?? Number.POSITIVE_INFINITY).toBe(first);
  }
});
