import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deleteOp, Machine, putOp } from '../apply/testing/machine.ts';
import { MemoryStore } from '../apply/testing/memory-store.ts';
import { STORE_KINDS, type StoreHome } from '../apply/testing/stores.ts';
import { RecordingSink, watch, watchSpec } from '../apply/testing/watchers.ts';
import type { Watcher } from './types.ts';

let machine: Machine;
beforeEach(() => {
  machine = new Machine(new MemoryStore());
});

const ALL = { key: '\0', end: '\0' };

describe('a synced watcher', () => {
  it('gets what is applied at once, a revision together', () => {
    const { sink, watcher } = watch(machine.state, ALL);
    machine.put('a', '1');
    machine.txn({ success: [putOp({ key: 'b', value: '2' }), deleteOp({ key: 'a' })] });
    machine.delete('nothing');
    expect(sink.shown).toEqual(['2 put a=1', '3 put b=2', '3 del a']);
    expect(sink.batches.map(({ revision, events }) => [revision, events.length])).toEqual([
      [2, 1],
      [3, 2],
    ]);
    expect(watcher.progressRevision).toBe(3);
    expect(machine.tasks.idle).toBe(true);
  });

  it('of one key, a range, a prefix; with filters', () => {
    const one = watch(machine.state, { key: 'b' });
    const range = watch(machine.state, { key: 'a', end: 'b' });
    const noPut = watch(machine.state, { ...ALL, noPut: true });
    const noDelete = watch(machine.state, { ...ALL, noDelete: true });
    const neither = watch(machine.state, { ...ALL, noPut: true, noDelete: true });
    machine.put('a');
    machine.put('b');
    machine.delete('a', 'c');
    expect(one.sink.shown).toEqual(['3 put b=', '4 del b']);
    expect(range.sink.shown).toEqual(['2 put a=', '4 del a']);
    expect(noPut.sink.shown).toEqual(['4 del a', '4 del b']);
    expect(noDelete.sink.shown).toEqual(['2 put a=', '3 put b=']);
    expect(neither.sink.batches).toEqual([]);
    expect(neither.watcher.progressRevision).toBe(4);
  });

  it('knows the previous value', () => {
    const { sink } = watch(machine.state, { ...ALL, prevKv: true });
    machine.put('a', '1');
    machine.put('a', '2');
    machine.delete('a');
    machine.put('a', '3');
    expect(sink.shown).toEqual(['2 put a=1', '3 put a=2 <- 1', '4 del a <- 2', '5 put a=3']);
  });

  it('in the future filters what comes before', () => {
    const { sink } = watch(machine.state, { ...ALL, startRevision: 4 });
    for (const key of 'abcd') machine.put(key);
    expect(sink.shown).toEqual(['4 put c=', '5 put d=']);
  });

  it('gets nothing after it was cancelled, not even by another sink of the same revision', () => {
    const first = watch(machine.state, ALL);
    const second = watch(machine.state, { key: 'a' });
    expect(machine.state.hub.watcherCount).toBe(2);
    // Whoever comes first cancels the other.
    first.sink.onDeliver = () => second.watcher.cancel();
    second.sink.onDeliver = () => first.watcher.cancel();
    machine.put('a');
    machine.put('a');
    expect(machine.state.hub.watcherCount).toBe(1);
    expect([first.sink.events.length, second.sink.events.length].sort()).toEqual([0, 2]);
  });

  it('made by a sink starts with the next revision', () => {
    const { sink } = watch(machine.state, ALL);
    let inner: RecordingSink | undefined;
    sink.onDeliver = () => {
      inner ??= watch(machine.state, ALL).sink;
    };
    machine.put('a');
    machine.put('b');
    expect(inner?.shown).toEqual(['3 put b=']);
  });

  it('has not made progress to a revision whose events are still going out', () => {
    const watchers: Watcher[] = [];
    const seen: number[] = [];
    for (let i = 0; i < 2; i++) {
      const { sink, watcher } = watch(machine.state, ALL);
      watchers.push(watcher);
      sink.onDeliver = () => seen.push(...watchers.map((one) => one.progressRevision));
    }
    machine.put('a');
    expect(seen).toEqual([1, 1, 1, 1]);
    expect(watchers.map((one) => one.progressRevision)).toEqual([2, 2]);
  });
});

describe('a watcher of the past', () => {
  it('is replayed in slices and then follows, without a gap or a duplicate', () => {
    for (let i = 0; i < 3_500; i++) machine.put('a', `${i}`);
    const { sink, watcher } = watch(machine.state, { key: 'a', startRevision: 2 });
    expect(sink.events).toEqual([]);
    machine.tasks.turn();
    expect(sink.events.length).toBe(1_000);
    expect(watcher.progressRevision).toBe(1_001);
    machine.put('a', 'while replaying');
    machine.tasks.drain();
    machine.put('a', 'after');
    expect(sink.events.map(({ revision }) => revision)).toEqual(
      Array.from({ length: 3_502 }, (_, i) => i + 2),
    );
    expect(machine.tasks.idle).toBe(true);
  });

  it('gets a revision of many events in one batch, even if it is more than a slice', () => {
    for (let i = 0; i < 1_500; i++) machine.put(`k${i}`);
    machine.delete('k', 'l');
    const { sink } = watch(machine.state, { key: 'k', end: 'l', startRevision: 1_500 });
    machine.tasks.drain();
    expect(sink.batches.map(({ events }) => events.length)).toEqual([1_502]);
  });

  it('bytes bound a slice, too', () => {
    const big = 'x'.repeat(600_000);
    for (let i = 0; i < 6; i++) machine.put('a', big);
    const { sink } = watch(machine.state, { key: 'a', startRevision: 2 });
    machine.tasks.turn();
    expect(sink.events.length).toBe(2);
    machine.tasks.drain();
    expect(sink.events.length).toBe(6);
  });

  it('shares slices, and waits for its turn behind one that is far behind', () => {
    for (let i = 0; i < 5_000; i++) machine.put('a', `${i}`);
    const far = watch(machine.state, { key: 'a', startRevision: 2 });
    const twin = watch(machine.state, { ...ALL, startRevision: 2 });
    const near = watch(machine.state, { key: 'a', startRevision: 4_995 });
    machine.tasks.turn();
    machine.tasks.turn();
    expect(near.sink.events.length).toBe(7);
    expect(far.sink.events.length).toBe(twin.sink.events.length);
    expect(far.sink.events.length).toBeLessThan(5_000);
    machine.tasks.drain();
    for (const { sink } of [far, twin]) expect(sink.events.length).toBe(5_000);
  });

  it('has previous values unless the revision before is compacted', () => {
    for (let i = 0; i < 5; i++) machine.put('a', `${i}`);
    machine.delete('a');
    machine.compact(4);
    const { sink } = watch(machine.state, { key: 'a', startRevision: 4, prevKv: true });
    machine.tasks.drain();
    expect(sink.shown).toEqual(['4 put a=2', '5 put a=3 <- 2', '6 put a=4 <- 3', '7 del a <- 4']);
  });

  it('is told when its start is compacted; at the very revision it is not', () => {
    for (let i = 0; i < 5; i++) machine.put('a', `${i}`);
    machine.compact(4);
    const gone = watch(machine.state, { key: 'a', startRevision: 3 });
    const kept = watch(machine.state, { key: 'a', startRevision: 4 });
    machine.tasks.drain();
    expect(gone.sink).toMatchObject({ compactedAt: 4, events: [] });
    expect(kept.sink.shown).toEqual(['4 put a=2', '5 put a=3', '6 put a=4']);
    expect(machine.state.hub.watcherCount).toBe(1);
  });

  it('can be cancelled before its turn, and while others get theirs', () => {
    machine.put('a');
    const first = watch(machine.state, { key: 'a', startRevision: 2 });
    const second = watch(machine.state, { key: 'a', startRevision: 2 });
    const third = watch(machine.state, { key: 'a', startRevision: 2 });
    first.sink.onDeliver = () => second.watcher.cancel();
    third.watcher.cancel();
    machine.tasks.drain();
    expect([first, second, third].map(({ sink }) => sink.events.length)).toEqual([1, 0, 0]);
  });
});

describe('a slow sink', () => {
  it('is held back, slows nobody, and gets the rest in order once it has room', () => {
    const slow = watch(machine.state, ALL);
    const quick = watch(machine.state, ALL);
    slow.sink.room = 2;
    for (let i = 0; i < 10; i++) machine.put('a', `${i}`);
    expect(slow.sink.events.length).toBe(2);
    expect(slow.watcher.progressRevision).toBe(3);
    expect(quick.sink.events.length).toBe(10);
    expect(machine.tasks.idle).toBe(true);
    slow.sink.makeRoom(1);
    slow.watcher.resume();
    machine.tasks.drain();
    // One batch: what was missed comes together.
    expect(slow.sink.batches.map(({ events }) => events.length)).toEqual([1, 1, 8]);
    expect(slow.sink.shown).toEqual(quick.sink.shown);
    machine.put('a', 'held again');
    expect(slow.sink.events.length).toBe(10);
    slow.sink.makeRoom();
    slow.watcher.resume();
    machine.tasks.drain();
    machine.put('a', 'synced again');
    expect(slow.sink.shown).toEqual(quick.sink.shown);
  });

  it('may make room while it still takes the batch', () => {
    const { sink, watcher } = watch(machine.state, ALL);
    sink.room = 1;
    sink.onDeliver = () => watcher.resume();
    machine.put('a');
    sink.makeRoom();
    machine.put('b');
    machine.tasks.drain();
    expect(sink.shown).toEqual(['2 put a=', '3 put b=']);
  });

  it('is told when a compaction has overtaken it', () => {
    const { sink, watcher } = watch(machine.state, ALL);
    sink.room = 1;
    for (let i = 0; i < 5; i++) machine.put('a', `${i}`);
    machine.compact(5);
    machine.compactAll();
    sink.makeRoom();
    watcher.resume();
    machine.tasks.drain();
    expect(sink).toMatchObject({ compactedAt: 5 });
    expect(sink.shown).toEqual(['2 put a=0']);
    watcher.resume();
    watcher.cancel();
    machine.put('a');
    expect(sink.events.length).toBe(1);
    expect(machine.state.hub.watcherCount).toBe(0);
  });

  it('is not compacted if only what it has had is compacted', () => {
    const { sink, watcher } = watch(machine.state, ALL);
    sink.room = 1;
    for (let i = 0; i < 5; i++) machine.put('a', `${i}`);
    machine.compact(3);
    machine.compactAll();
    sink.makeRoom();
    watcher.resume();
    machine.tasks.drain();
    expect(sink.events.map(({ revision }) => revision)).toEqual([2, 3, 4, 5, 6]);
  });
});

describe('many watchers', () => {
  it('a put among 10,000 concerns only its own', () => {
    const sinks: RecordingSink[] = [];
    for (let i = 0; i < 10_000; i++) {
      const key = `user/${`${i}`.padStart(5, '0')}/`;
      const sink = new RecordingSink(machine.state);
      sinks.push(sink);
      const end = i % 2 === 0 ? { end: `${key.slice(0, -1)}0` } : {};
      machine.state.hub.watch(watchSpec({ key, ...end }), sink);
    }
    machine.put('user/05000/name');
    machine.put('user/05001/');
    machine.put('user/05001/name');
    const got = sinks.flatMap((sink, i) => (sink.events.length > 0 ? [[i, sink.shown]] : []));
    expect(got).toEqual([
      [5_000, ['2 put user/05000/name=']],
      [5_001, ['3 put user/05001/=']],
    ]);
  });

  it('that all start in the past share their slices', () => {
    for (let i = 0; i < 100; i++) machine.put('a', `${i}`);
    const all = Array.from({ length: 2_000 }, () =>
      watch(machine.state, { key: 'a', startRevision: 2 }),
    );
    let turns = 0;
    for (; !machine.tasks.idle; turns++) machine.tasks.turn();
    expect(turns).toBeLessThanOrEqual(5);
    for (const { sink } of all) expect(sink.events.length).toBe(100);
    // The events are the same objects: they cost memory once.
    expect(all[0]?.sink.batches[0]?.events[0]).toBe(all[400]?.sink.batches[0]?.events[0]);
  });
});

describe('an imported snapshot', () => {
  let homes: StoreHome[] = [];
  afterEach(async () => {
    for (const home of homes) await home.dispose();
    homes = [];
  });

  async function lmdbMachine(): Promise<Machine> {
    const home = await (STORE_KINDS[1] as (typeof STORE_KINDS)[number]).home();
    homes.push(home);
    return new Machine(await home.open());
  }

  it('watchers go on: what they missed is replayed, or they are told', async () => {
    const [leader, follower] = [await lmdbMachine(), await lmdbMachine()];
    for (const one of [leader, follower]) for (let i = 0; i < 3; i++) one.put('a', `${i}`);
    const synced = watch(follower.state, { key: 'a' });
    const behind = watch(follower.state, { key: 'a', startRevision: 2 });
    const future = watch(follower.state, { key: 'a', startRevision: 7 });
    for (let i = 3; i < 8; i++) leader.put('a', `${i}`);
    leader.grant(5n);
    leader.compact(4);
    await follower.store.importSnapshot(leader.store.exportSnapshot());
    follower.state.reload();
    expect(follower.state).toMatchObject({ revision: 9, compactRevision: 4, appliedIndex: 10 });
    expect(follower.state.lease(5n)).toMatchObject({ ttl: 60 });
    follower.tasks.drain();
    follower.put('a', 'new');
    expect(synced.sink.events.map(({ revision }) => revision)).toEqual([5, 6, 7, 8, 9, 10]);
    expect(behind.sink).toMatchObject({ compactedAt: 4, events: [] });
    expect(future.sink.events.map(({ revision }) => revision)).toEqual([7, 8, 9, 10]);
    expect(follower.range('\0', '\0', { countOnly: true }).count).toBe(1);
    while (follower.state.compactSlice(2)) {
      // What the leader had not removed yet is removed here.
    }
    expect([...follower.store.keys('revisions', {})].length).toBe(7);
  });
});

it('a turn that comes after the store was closed is harmless', async () => {
  const home = await (STORE_KINDS[1] as (typeof STORE_KINDS)[number]).home();
  const closed = new Machine(await home.open());
  closed.put('a');
  watch(closed.state, { key: 'a', startRevision: 2 });
  await closed.store.close();
  closed.tasks.turn();
  expect(closed.tasks.idle).toBe(true);
  await home.dispose();
});
