import { expect } from 'vitest';
import type { WatchResponse } from '../../src-main/proto/etcd/rpc.ts';
import { type CompatCase, compatSuite } from './support/compat.ts';
import { type GrpcClients, WatchCall, withClients } from './support/grpc.ts';
import { mask } from './support/mask.ts';

compatSuite('Watch over gRPC', [], (compat) => {
  defineEvents(watchCases(compat));
  defineControl(watchCases(compat));
});

type WatchCase = (clients: GrpcClients, watch: WatchCall, base: number) => Promise<unknown>;
type Define = (name: string, run: WatchCase) => void;

function watchCases(compat: (name: string, run: CompatCase) => void): Define {
  return (name, run) =>
    compat(name, (target) =>
      withClients(target, async (clients) => {
        const base = await clients.revision();
        const watch = new WatchCall(clients);
        try {
          return mask(await run(clients, watch, base), base);
        } finally {
          watch.close();
        }
      }),
    );
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function create(value: object) {
  return { requestUnion: { $case: 'createRequest' as const, value } };
}

function cancel(watchId: number) {
  return { requestUnion: { $case: 'cancelRequest' as const, value: { watchId } } };
}

const progress = { requestUnion: { $case: 'progressRequest' as const, value: {} } };

/** What a control response says, without the revision: etcd sets it to 0 where it cancels. */
function control({ watchId, created, canceled, cancelReason, compactRevision }: WatchResponse) {
  return { watchId, created, canceled, cancelReason, compactRevision };
}

/** A live watcher of the prefix: created, and registered for sure. */
async function live(watch: WatchCall, prefix: string, extra: object = {}): Promise<void> {
  const rangeEnd = bytes(`${prefix.slice(0, -1)}0`);
  watch.send(create({ key: bytes(prefix), rangeEnd, ...extra }));
  await watch.responses(1);
}

function defineEvents(compat: Define): void {
  compat('live events, one response per revision', async (clients, watch, base) => {
    await live(watch, 'li/');
    await clients.set('li/a', '1');
    await clients.set('other', '-');
    await clients.txn({
      success: [
        { request: { $case: 'requestPut', value: { key: bytes('li/b'), value: bytes('2') } } },
        { request: { $case: 'requestPut', value: { key: bytes('li/c'), value: bytes('3') } } },
        { request: { $case: 'requestDeleteRange', value: { key: bytes('li/a') } } },
      ],
    });
    const events = await watch.events(4);
    const revisions = watch.received.slice(1).flatMap((response) => {
      const seen = new Set(response.events.map(({ kv }) => kv?.modRevision));
      return [...seen];
    });
    // No revision is split over two responses.
    expect(revisions).toEqual([base + 1, base + 3]);
    return [watch.received[0], events];
  });

  compat('events from the past, then live ones', async (clients, watch, base) => {
    for (const value of ['1', '2', '3']) await clients.set('pa/a', value);
    await clients.deleteRange({ key: bytes('pa/a') });
    await live(watch, 'pa/', { startRevision: base + 2 });
    await watch.events(3);
    await clients.set('pa/b', 'new');
    const events = await watch.events(4);
    expect(events.map(({ kv }) => kv?.modRevision)).toEqual([2, 3, 4, 5].map((n) => base + n));
    return [events, watch.received.at(-1)?.header];
  });

  compat('a future start waits', async (clients, watch, base) => {
    await live(watch, 'fu/', { startRevision: base + 3 });
    for (const value of ['1', '2', '3', '4']) await clients.set('fu/a', value);
    const events = await watch.events(2);
    expect(events[0]?.kv?.value.toString()).toBe('3');
    return events;
  });

  compat('filters and previous values', async (clients, watch, base) => {
    await clients.set('fi/a', 'before');
    const all = { key: bytes('fi/'), rangeEnd: bytes('fi0'), prevKv: true };
    watch.send(create({ ...all, startRevision: base + 1, filters: [0] }));
    watch.send(create({ ...all, startRevision: base + 1, filters: [1] }));
    watch.send(create({ ...all, startRevision: base + 1 }));
    await clients.set('fi/a', 'after');
    await clients.deleteRange({ key: bytes('fi/a') });
    await clients.set('fi/a', 'again');
    await watch.events(1 + 3 + 4);
    const byWatcher = [0, 1, 2].map((id) =>
      watch.received.filter(({ watchId }) => watchId === id).flatMap(({ events }) => events),
    );
    expect(byWatcher.map((events) => events.length)).toEqual([1, 3, 4]);
    return byWatcher;
  });

  compat('one key, an open range and all keys', async (clients, watch) => {
    watch.send(create({ key: bytes('on/b'), watchId: 1 }));
    watch.send(create({ key: bytes('on/b'), rangeEnd: bytes('\0'), watchId: 2 }));
    watch.send(create({ rangeEnd: bytes('\0'), watchId: 3 }));
    watch.send(create({ watchId: 4 }));
    await watch.responses(4);
    for (const key of ['on/a', 'on/b', 'on/c']) await clients.set(key, '');
    await watch.events(1 + 2 + 3);
    const seen = [1, 2, 3, 4].map((id) =>
      watch.received
        .filter(({ watchId }) => watchId === id)
        .flatMap(({ events }) => events.map(({ kv }) => kv?.key)),
    );
    expect(seen.map((keys) => keys.length)).toEqual([1, 2, 3, 0]);
    return seen;
  });

  compat('more history than one response holds comes in order', async (clients, watch, base) => {
    const count = 1500;
    for (let i = 0; i < count; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, j) => clients.set('mo/a', `${i + j}`)));
    }
    await live(watch, 'mo/', { startRevision: base + 1 });
    const events = await watch.events(count);
    const expected = Array.from({ length: count }, (_, i) => base + 1 + i);
    expect(events.map(({ kv }) => kv?.modRevision)).toEqual(expected);
    return events.length;
  });

  compat('a large revision comes in fragments if asked for', async (clients, watch, base) => {
    // Each write is below the request limit of 1.5 MiB; together the events of one response are far
    // beyond it.
    const value = bytes('x'.repeat(700_000));
    for (let i = 0; i < 8; i++) await clients.put({ key: bytes(`fr/${i}`), value });
    await live(watch, 'fr/', { startRevision: base + 1, fragment: true });
    const events = await watch.events(8);
    expect(events.map(({ kv }) => kv?.key.toString())).toEqual(
      Array.from({ length: 8 }, (_, i) => `fr/${i}`),
    );
    const sizes = watch.received.map((response) =>
      response.events.reduce((sum, { kv }) => sum + (kv?.value.length ?? 0), 0),
    );
    expect(Math.max(...sizes)).toBeLessThan(1.5 * 1024 * 1024 + 512 * 1024);
    expect(watch.received.at(-1)?.fragment).toBe(false);
    return events.length;
  });
}

function defineControl(compat: Define): void {
  compat('ids: automatic, chosen, taken', async (_clients, watch) => {
    const key = bytes('id/a');
    for (const watchId of [0, 7, 0, 7, 2, 0]) watch.send(create({ key, watchId }));
    const responses = await watch.responses(6);
    expect(responses.map(({ watchId }) => watchId)).toEqual([0, 7, 1, -1, 2, 3]);
    expect(responses[3]).toMatchObject({ created: true, canceled: true });
    return responses.map(control);
  });

  compat('cancel: no event after it, an unknown id is ignored', async (clients, watch) => {
    await live(watch, 'ca/');
    watch.send(cancel(99));
    watch.send(cancel(0));
    await watch.responses(2);
    await clients.set('ca/a', '1');
    watch.send(create({ key: bytes('ca/b') }));
    const responses = await watch.responses(3);
    expect(responses[1]).toMatchObject({ watchId: 0, canceled: true, events: [] });
    return responses.map(control);
  });

  compat('an empty range is refused', async (_clients, watch) => {
    watch.send(create({ key: bytes('b'), rangeEnd: bytes('a') }));
    watch.send(create({ key: bytes('b'), rangeEnd: bytes('b') }));
    const responses = await watch.responses(2);
    expect(responses.every(({ created, canceled }) => created && canceled)).toBe(true);
    // What etcd 3.4 and 3.5 give as the reason differs.
    return responses.map(({ watchId }) => watchId);
  });

  compat('a requested progress notification', async (clients, watch) => {
    await live(watch, 'pr/');
    await clients.set('pr/a', '1');
    await watch.events(1);
    await clients.set('elsewhere', '1');
    const revision = await clients.revision();
    watch.send(progress);
    const responses = await watch.responses(3);
    expect(responses[2]).toMatchObject({ watchId: -1, events: [], header: { revision } });
    return responses[2];
  });

  compat('a compacted start is created, then cancelled', async (clients, watch) => {
    for (const value of ['1', '2', '3']) await clients.set('co/a', value);
    const revision = await clients.revision();
    await clients.compact(revision);
    await live(watch, 'co/', { startRevision: revision - 1 });
    const responses = await watch.responses(2);
    expect(responses[1]).toMatchObject({ watchId: 0, canceled: true, compactRevision: revision });
    await clients.set('co/a', '4');
    watch.send(create({ key: bytes('co/a'), startRevision: revision + 1 }));
    const events = await watch.events(1);
    expect(events).toHaveLength(1);
    return [responses.map(control), events];
  });
}
