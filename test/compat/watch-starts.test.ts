import { expect } from 'vitest';
import type { WatchResponse } from '../../src-main/proto/etcd/rpc.ts';
import { compatSuite } from './support/compat.ts';
import { type GrpcClients, WatchCall, withClients } from './support/grpc.ts';
import { bytes, type DefineCase, del, grpcCases, prefix, put } from './support/ops.ts';

compatSuite('where a watch starts and what it gets', [], (compat) => {
  defineStarts(grpcCases(compat));
  defineEvents(grpcCases(compat));
  defineFragments(grpcCases(compat));
  compat('a negative start is refused', (target) =>
    withClients(target, async (clients) => {
      const watch = new WatchCall(clients);
      watch.create({ key: bytes('ng/a'), startRevision: -1 });
      const [response] = await watch.responses(1);
      watch.close();
      // etcd 3.4 takes it for the beginning of the history; this is what 3.5 answers.
      if (target.name === 'raftdeck') {
        expect(response).toMatchObject({
          watchId: -1,
          created: true,
          canceled: true,
          cancelReason: 'etcdserver: mvcc: required revision has been compacted',
        });
      }
    }),
  );
});

/** The events of each revision as one list of "PUT key=value" or "DELETE key". */
function told(responses: WatchResponse[]): string[] {
  return responses.flatMap(({ events }) =>
    events.map(({ type, kv, prevKv }) => {
      const before = prevKv === undefined ? '' : ` was ${prevKv.value}`;
      return `${type === 0 ? `PUT ${kv?.key}=${kv?.value}` : `DELETE ${kv?.key}`}${before}`;
    }),
  );
}

/** Waits for the event that puts the key "<prefix>end", which the caller has put or will put. */
async function untilEnd(watch: WatchCall, ids: number[]): Promise<void> {
  const ended = (id: number) =>
    watch.eventsOf(id).some(({ kv }) => kv?.key.toString().endsWith('end'));
  for (let count = 1; !ids.every(ended); count++) await watch.events(count);
}

function defineStarts(compat: DefineCase): void {
  compat('at each revision of the past, now, next and later', async (clients, base) => {
    for (const value of ['1', '2', '3']) await clients.set('st/a', value);
    const now = base + 3;
    const watch = new WatchCall(clients);
    const starts = [0, base + 1, base + 2, now, now + 1, now + 2, now + 4];
    starts.forEach((startRevision, i) => {
      watch.create({ ...prefix('st/'), startRevision, watchId: 10 + i, prevKv: true });
    });
    await watch.responses(starts.length);
    for (const value of ['4', '5', '6', '7']) await clients.set('st/a', value);
    await clients.set('st/end', '');
    const ids = starts.map((_, i) => 10 + i);
    await untilEnd(watch, ids);
    watch.close();
    const counts = ids.map((id) => watch.eventsOf(id).length);
    expect(counts).toEqual([5, 8, 7, 6, 5, 4, 2]);
    return ids.map((id) => watch.eventsOf(id));
  });

  compat('one key, ranges, from a key on, all keys, no key', async (clients) => {
    const watch = new WatchCall(clients);
    const ranges = [
      ['ra/b', ''],
      ['ra/b', 'ra/c'],
      ['ra/b', '\0'],
      ['', ''],
      ['', '\0'],
      ['\0', '\0'],
      ['', 'ra/b'],
      ['ra/none', ''],
    ] as const;
    ranges.forEach(([key, end], i) => {
      watch.create({ key: bytes(key), rangeEnd: bytes(end), watchId: 1 + i });
    });
    await watch.responses(ranges.length);
    for (const key of ['ra/a', 'ra/b', 'ra/bb', 'ra/c', '\0', '\xff']) {
      await clients.put({ key: bytes(key), value: bytes(key) });
    }
    await clients.deleteRange({ key: bytes('ra/b'), rangeEnd: bytes('\0') });
    // Those of watchers 1 to 7 in turn.
    await watch.events(2 + 4 + 8 + 1 + 10 + 10 + 2);
    watch.close();
    return ranges.map((_, i) => watch.eventsOf(1 + i));
  });

  compat('ranges that hold nothing are refused', async (clients) => {
    const watch = new WatchCall(clients);
    for (const [key, end] of [
      ['b', 'a'],
      ['b', 'b'],
      ['b\0', 'b'],
    ] as const) {
      watch.create({ key: bytes(key), rangeEnd: bytes(end) });
    }
    const responses = await watch.responses(3);
    watch.close();
    expect(responses[0]?.cancelReason).toBe('mvcc: watcher range is empty');
    return responses;
  });
}

function defineEvents(compat: DefineCase): void {
  compat('filters alone and together, from the past and live', async (clients, base) => {
    const change = async () => {
      await clients.set('fi/a', '1');
      await clients.txn({ success: [put('fi/b', '2'), del('fi/a', '', true)] });
      await clients.deleteRange(prefix('fi/'));
    };
    await change();
    const watch = new WatchCall(clients);
    const filters = [[], [0], [1], [0, 1], [9 as never]] as const;
    for (const startRevision of [base + 1, 0]) {
      for (const some of filters) {
        watch.create({ ...prefix('fi/'), startRevision, filters: [...some], prevKv: true });
      }
    }
    await watch.responses(10);
    await change();
    await clients.set('fi/end', '');
    await untilEnd(watch, [0, 2, 4, 5, 7, 9]);
    watch.close();
    const ids = Array.from({ length: 10 }, (_, id) => id);
    return ids.map((id) => told(watch.received.filter(({ watchId }) => watchId === id)));
  });

  compat('one response per revision, however many keys it changed', async (clients, base) => {
    const watch = new WatchCall(clients);
    watch.create({ ...prefix('or/'), watchId: 1 });
    watch.create({ key: bytes('or/7'), watchId: 2 });
    await watch.responses(2);
    await clients.txn({ success: Array.from({ length: 100 }, (_, i) => put(`or/${i}`, 'x')) });
    await clients.deleteRange(prefix('or/'));
    await watch.events(202);
    const live = watch.received.slice(2).map(({ watchId, events }) => [watchId, events.length]);
    expect(live).toHaveLength(4);
    watch.create({ ...prefix('or/'), watchId: 3, startRevision: base + 1 });
    await watch.events(402);
    watch.close();
    const past = watch.received.filter(({ watchId, events }) => watchId === 3 && events.length > 0);
    const split = past.flatMap(({ events }) => [
      ...new Set(events.map(({ kv }) => kv?.modRevision)),
    ]);
    // Each revision stands in one response alone, which may hold several.
    expect(split).toEqual([base + 1, base + 2]);
    return live.sort();
  });

  compat('many watchers of one stream each get their own, in order', async (clients) => {
    const watch = new WatchCall(clients);
    const COUNT = 300;
    for (let i = 0; i < COUNT; i++) {
      if (i % 3 === 0) watch.create({ key: bytes(`ma/${i}`), watchId: i + 1 });
      else watch.create({ key: bytes(`ma/${i}`), rangeEnd: bytes('ma0'), watchId: i + 1 });
    }
    await watch.responses(COUNT);
    for (let i = 0; i < COUNT; i += 7) await clients.set(`ma/${i}`, `${i}`);
    await clients.txn({ success: Array.from({ length: 120 }, (_, i) => put(`ma/${i}`, 'all')) });
    await clients.set('ma/zz', 'end');
    const touched = Array.from({ length: COUNT }, (_, i) => i).filter((i) => i % 7 === 0);
    const changes = [...touched, ...Array.from({ length: 120 }, (_, i) => i)].map((i) => `ma/${i}`);
    const expected = (i: number) =>
      i % 3 === 0
        ? changes.filter((key) => key === `ma/${i}`).length
        : changes.filter((key) => key >= `ma/${i}`).length + 1;
    const counts = Array.from({ length: COUNT }, (_, i) => expected(i));
    await watch.events(counts.reduce((sum, count) => sum + count, 0));
    expect(counts.map((_, i) => watch.eventsOf(i + 1).length)).toEqual(counts);
    watch.close();
    return Array.from(
      { length: COUNT },
      (_, i) => watch.eventsOf(i + 1).map(({ kv }) => `${kv?.modRevision}:${kv?.key}`).length,
    );
  });
}

const BIG = 700_000;
const MAX_RESPONSE_BYTES = 1.5 * 1024 * 1024 + 512 * 1024;

/** Eight large keys that go in one revision, seen with what they were: 5.6 MB of events. */
async function largeRevision(clients: GrpcClients, at: string): Promise<number> {
  for (let i = 0; i < 8; i++) {
    await clients.put({ key: bytes(`${at}${i}`), value: Buffer.alloc(BIG, i) });
  }
  const { header } = await clients.deleteRange(prefix(at));
  return header?.revision as number;
}

function parts(responses: WatchResponse[]) {
  return responses
    .filter(({ events }) => events.length > 0)
    .map(({ events, fragment }) => ({ keys: events.map(({ kv }) => `${kv?.key}`), fragment }));
}

function defineFragments(compat: DefineCase): void {
  compat('a revision beyond the limit comes in marked parts if asked for', async (clients) => {
    const watch = new WatchCall(clients);
    watch.create({ ...prefix('fr/'), prevKv: true, fragment: true, filters: [0] });
    await watch.responses(1);
    const revision = await largeRevision(clients, 'fr/');
    await watch.events(8);
    const live = parts(watch.received);
    watch.create({
      ...prefix('fr/'),
      startRevision: revision,
      prevKv: true,
      fragment: true,
      watchId: 9,
    });
    await watch.events(16);
    watch.close();
    const past = parts(watch.received.filter(({ watchId }) => watchId === 9));
    expect(past).toEqual(live);
    expect(live.map(({ fragment }) => fragment)).toEqual([true, true, true, false]);
    for (const { events } of watch.received) {
      const size = events.reduce((sum, { prevKv }) => sum + (prevKv?.value.length ?? 0), 0);
      expect(size).toBeLessThan(MAX_RESPONSE_BYTES);
    }
    return live;
  });

  compat('and in one response if not', async (clients) => {
    const watch = new WatchCall(clients);
    watch.create({ ...prefix('nf/'), prevKv: true, filters: [0] });
    await watch.responses(1);
    const revision = await largeRevision(clients, 'nf/');
    await watch.events(8);
    watch.create({ ...prefix('nf/'), startRevision: revision, prevKv: true, watchId: 9 });
    await watch.events(16);
    watch.close();
    const all = parts(watch.received);
    expect(all).toHaveLength(2);
    return all;
  });

  compat('small revisions are never split', async (clients) => {
    const watch = new WatchCall(clients);
    watch.create({ ...prefix('sm/'), fragment: true });
    await watch.responses(1);
    await clients.txn({ success: Array.from({ length: 128 }, (_, i) => put(`sm/${i}`, 'x')) });
    await watch.events(128);
    watch.close();
    return parts(watch.received);
  });
}
