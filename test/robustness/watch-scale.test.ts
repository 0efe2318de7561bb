import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GrpcClients, WatchCall } from '../compat/support/grpc.ts';
import { bytes, prefix } from '../compat/support/ops.ts';
import { startTarget, type Target } from '../compat/support/targets.ts';
import { until } from '../support/cluster.ts';

const MB = 1024 * 1024;
const CATCH_UP_TIMEOUT_MS = 90_000;

let target: Target;
let clients: GrpcClients;
beforeAll(async () => {
  target = await startTarget('raftdeck');
  clients = new GrpcClients(target);
});
afterAll(async () => {
  clients.close();
  await target.stop();
});

/** Bytes that the node holds itself; pages of its files, which the system may drop, left out. */
function ownMemory(): number {
  const text = readFileSync(`/proc/${target.pid}/status`, 'utf8');
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(text)?.[1];
  return Number(kib) * 1024;
}

/** Counts events by watcher, and notes whether each came in order. */
class Counter {
  readonly call: WatchCall;
  events = 0;
  created = 0;
  inOrder = true;
  readonly lastRevision = new Map<number, number>();
  readonly perWatcher = new Map<number, number>();

  constructor(from: GrpcClients) {
    this.call = new WatchCall(from, {}, ({ watchId, created, events }) => {
      if (created) this.created++;
      for (const { kv } of events) {
        const revision = kv?.modRevision ?? 0;
        this.inOrder &&= revision > (this.lastRevision.get(watchId) ?? 0);
        this.lastRevision.set(watchId, revision);
        this.perWatcher.set(watchId, (this.perWatcher.get(watchId) ?? 0) + 1);
        this.events++;
      }
    });
  }
}

async function timed(what: string, run: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  await run();
  const seconds = ((performance.now() - started) / 1_000).toFixed(2);
  console.info(`${what}: ${seconds} s, node at ${(ownMemory() / MB).toFixed(0)} MB`);
}

test('10,000 watchers in one stream all see a put once, and many puts in order', async () => {
  const WATCHERS = 10_000;
  const before = ownMemory();
  const counter = new Counter(clients);
  await timed('10,000 watchers created', async () => {
    for (let i = 0; i < WATCHERS; i++) {
      // Half of them want one key, half a range.
      const range = i % 2 === 0 ? { key: bytes('one/key') } : prefix('one/');
      counter.call.create({ ...range, watchId: i + 1 });
    }
    await until('all are created', () => counter.created === WATCHERS, CATCH_UP_TIMEOUT_MS);
  });
  await timed('one put seen by 10,000', async () => {
    await clients.set('one/key', '1');
    await until('all have it', () => counter.events >= WATCHERS, CATCH_UP_TIMEOUT_MS);
  });
  const ROUNDS = 20;
  await timed(`${ROUNDS} puts seen by 10,000`, async () => {
    for (let i = 0; i < ROUNDS; i++) await clients.set('one/key', `${i}`);
    const all = WATCHERS * (ROUNDS + 1);
    await until('all have all', () => counter.events >= all, CATCH_UP_TIMEOUT_MS);
  });
  await clients.set('elsewhere', '');
  counter.call.requestProgress();
  await until('progress', () => counter.call.received.at(-1)?.watchId === -1);
  expect(counter.inOrder).toBe(true);
  expect(counter.perWatcher.size).toBe(WATCHERS);
  expect(new Set(counter.perWatcher.values())).toEqual(new Set([ROUNDS + 1]));
  expect(ownMemory() - before).toBeLessThan(300 * MB);
  counter.call.close();
});

test('2,000 streams of five watchers each over one connection', async () => {
  const STREAMS = 2_000;
  const counters = Array.from({ length: STREAMS }, () => new Counter(clients));
  const sum = (count: (one: Counter) => number) =>
    counters.reduce((total, one) => total + count(one), 0);
  await timed('2,000 streams of five watchers created', async () => {
    for (const { call } of counters) {
      for (let i = 0; i < 5; i++) call.create({ key: bytes('many/key') });
    }
    await until(
      'all are created',
      () => sum((c) => c.created) === 5 * STREAMS,
      CATCH_UP_TIMEOUT_MS,
    );
  });
  await timed('one put seen in 2,000 streams', async () => {
    await clients.set('many/key', '1');
    await until('all have it', () => sum((c) => c.events) === 5 * STREAMS, CATCH_UP_TIMEOUT_MS);
  });
  for (const { call } of counters) call.close();
});

const VALUE_BYTES = 1_000_000;
const EVENTS = 50;

async function putLarge(at: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await clients.put({ key: bytes(`${at}${i}`), value: Buffer.alloc(VALUE_BYTES, i) });
  }
}

test('readers that stop reading hold up nobody, cost little, and miss nothing', async () => {
  // What 50 MB of puts cost by themselves.
  await putLarge('warm/', EVENTS);
  const slow = Array.from({ length: 10 }, () => new GrpcClients(target, true));
  const fast = new GrpcClients(target, true);
  try {
    const stopped = slow.map((one) => new WatchCall(one));
    for (const call of stopped) call.create(prefix('slow/'));
    await Promise.all(stopped.map((call) => call.responses(1)));
    for (const call of stopped) call.pause();
    const watcher = new WatchCall(fast);
    watcher.create({ ...prefix('slow/'), watchId: 1 });
    watcher.create({ ...prefix('tick/'), watchId: 2 });
    await watcher.responses(2);

    const before = ownMemory();
    let peak = before;
    let worstMs = 0;
    await timed('50 MB with ten stopped readers', async () => {
      for (let i = 0; i < EVENTS; i++) {
        await clients.put({ key: bytes(`slow/${i}`), value: Buffer.alloc(VALUE_BYTES, i) });
        const sent = performance.now();
        await clients.set('tick/a', `${i}`);
        await until('the tick', () => watcher.eventsOf(2).length === i + 1);
        worstMs = Math.max(worstMs, performance.now() - sent);
        peak = Math.max(peak, ownMemory());
      }
    });
    console.info(
      `slowest tick ${worstMs.toFixed(0)} ms, peak +${((peak - before) / MB).toFixed(0)} MB`,
    );
    // Ten queues of 50 MB would be 500 MB.
    expect(peak - before).toBeLessThan(200 * MB);
    expect(worstMs).toBeLessThan(5_000);
    expect(watcher.eventsOf(1)).toHaveLength(EVENTS);
    watcher.close();

    const idle = ownMemory();
    await timed('ten readers catch up', async () => {
      for (const call of stopped) call.resume();
      for (const call of stopped) {
        const all = () => {
          peak = Math.max(peak, ownMemory());
          return call.received.flatMap(({ events }) => events).length >= EVENTS;
        };
        await until('all 50 MB', all, CATCH_UP_TIMEOUT_MS);
      }
    });
    // What was sent is not kept.
    expect(peak - idle).toBeLessThan(200 * MB);
    // Live again, without what came before coming again.
    await clients.set('slow/last', '');
    for (const call of stopped) {
      const events = await call.events(EVENTS + 1);
      const keys = Array.from({ length: EVENTS }, (_, i) => `slow/${i}`);
      expect(events.map(({ kv }) => `${kv?.key}`)).toEqual([...keys, 'slow/last']);
      expect(events.every(({ kv }, i) => i === EVENTS || kv?.value[0] === i)).toBe(true);
      expect(call.received.flatMap((response) => response.events)).toHaveLength(EVENTS + 1);
      call.close();
    }
  } finally {
    for (const one of [...slow, fast]) one.close();
  }
});

test('a stopped reader whose next revision is compacted is told so, after what it had', async () => {
  const own = new GrpcClients(target, true);
  try {
    const call = new WatchCall(own);
    call.create(prefix('gone/'));
    await call.responses(1);
    call.pause();
    await putLarge('gone/', 20);
    const compacted = await clients.revision();
    await clients.compact(compacted, true);
    call.resume();
    await until('the end', () => call.received.at(-1)?.canceled);
    expect(call.received.at(-1)).toMatchObject({ canceled: true, compactRevision: compacted });
    const events = call.received.flatMap((response) => response.events);
    expect(events.length).toBeLessThan(20);
    expect(events.map(({ kv }) => `${kv?.key}`)).toEqual(events.map((_, i) => `gone/${i}`));
    // The client goes on from there, as etcd's do.
    call.create({ ...prefix('gone/'), startRevision: compacted });
    await until('the newest', () => call.received.at(-1)?.events.length === 1);
    call.close();
  } finally {
    own.close();
  }
});
