import { afterEach, describe, expect, it } from 'vitest';
import {
  WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
  WatchService,
} from '../../proto/etcd/rpc.ts';
import { GRPC_OVERHEAD_BYTES } from '../rpc/server.ts';
import { batchOf, TestBackend, type TestWatcher } from './testing/backend.ts';
import { TestCaller, type TestStream } from './testing/call.ts';

const key = Buffer.from('a');
const INTERVAL_MS = 1_000;
const streams: TestStream<WatchRequest, WatchResponse>[] = [];

afterEach(async () => {
  for (const stream of streams.splice(0)) {
    stream.cancel();
    await stream.ended;
  }
});

function create(partial: object = {}): WatchRequest {
  const value = WatchCreateRequest.fromPartial({ key, ...partial });
  return { requestUnion: { $case: 'createRequest', value } };
}
function cancel(watchId: number): WatchRequest {
  return { requestUnion: { $case: 'cancelRequest', value: { watchId } } };
}
const progress: WatchRequest = { requestUnion: { $case: 'progressRequest', value: {} } };

function setUp(backend = new TestBackend()) {
  const caller = new TestCaller(backend, { watchProgressIntervalMs: INTERVAL_MS });
  const stream = caller.bidi(WatchService.watch);
  streams.push(stream);
  const watcher = (index: number): TestWatcher => backend.hub.watchers[index] as TestWatcher;
  return { backend, caller, stream, watcher, received: stream.received };
}

describe('creating', () => {
  it('hands the hub what the client wants', () => {
    const { stream, watcher } = setUp();
    stream.send(create({ rangeEnd: Buffer.from('b'), startRevision: 7, prevKv: true }));
    stream.send(create({ filters: [0] }));
    stream.send(create({ key: Buffer.alloc(0), rangeEnd: Buffer.of(0), filters: [1] }));
    expect([0, 1, 2].map((index) => watcher(index).spec)).toEqual([
      { key, end: Buffer.from('b'), startRevision: 7, noPut: false, noDelete: false, prevKv: true },
      { key, end: undefined, startRevision: 0, noPut: true, noDelete: false, prevKv: false },
      {
        key: Buffer.of(0),
        end: Buffer.of(0),
        startRevision: 0,
        noPut: false,
        noDelete: true,
        prevKv: false,
      },
    ]);
  });

  it('answers before any event, with the revision of the moment', () => {
    const { backend, stream, received } = setUp();
    backend.hub.onWatch = (watcher) => watcher.deliver(4, 'a');
    stream.send(create({ startRevision: 4 }));
    expect(received.map(({ created, events }) => [created, events.length])).toEqual([
      [true, 0],
      [false, 1],
    ]);
    expect(received[0]?.header).toMatchObject({ memberId: 22n, revision: 10 });
  });

  it('gives ids that are free', () => {
    const { stream, received } = setUp();
    for (const watchId of [0, 1, 0, 5, 1]) stream.send(create({ watchId }));
    expect(received.map(({ watchId }) => watchId)).toEqual([0, 1, 2, 5, -1]);
    expect(received[4]).toMatchObject({
      created: true,
      canceled: true,
      cancelReason: 'mvcc: duplicate watch ID provided on the WatchStream',
    });
  });

  it.each([
    [{ startRevision: -1 }, 'etcdserver: mvcc: required revision has been compacted'],
    [{ rangeEnd: Buffer.from('a') }, 'mvcc: watcher range is empty'],
    [{ rangeEnd: Buffer.from('A') }, 'mvcc: watcher range is empty'],
  ])('refuses %o', (partial, cancelReason) => {
    const { backend, stream, received } = setUp();
    stream.send(create(partial));
    expect(received).toMatchObject([{ watchId: -1, created: true, canceled: true, cancelReason }]);
    expect(backend.hub.watchers).toHaveLength(0);
  });

  it('ignores what it does not know', () => {
    const { stream, received } = setUp();
    stream.send({ requestUnion: undefined });
    stream.send(cancel(3));
    expect(received).toEqual([]);
  });
});

describe('ending', () => {
  it('cancels one watcher: nothing of it follows, and its id is free', () => {
    const { stream, watcher, received } = setUp();
    stream.send(create({ watchId: 3 }));
    stream.send(cancel(3));
    expect(watcher(0).cancelled).toBe(true);
    expect(watcher(0).deliver(11, 'a')).toBe(true);
    stream.send(create({ watchId: 3 }));
    expect(received.map(({ created, canceled }) => [created, canceled])).toEqual([
      [true, false],
      [false, true],
      [true, false],
    ]);
  });

  it('tells the compacted revision, also if the hub finds it at once', () => {
    const { backend, stream, received } = setUp();
    backend.hub.onWatch = (watcher) => watcher.sink.compacted(8);
    stream.send(create({ startRevision: 2 }));
    expect(received).toMatchObject([
      { watchId: 0, created: true, canceled: false },
      { watchId: 0, created: false, canceled: true, compactRevision: 8 },
    ]);
    stream.send(cancel(0));
    expect(received).toHaveLength(2);
  });

  it('cancels all when the call ends, not when the client half-closes', async () => {
    const { caller, stream, watcher } = setUp();
    stream.send(create({ progressNotify: true }));
    watcher(0).progressRevision = 0;
    stream.send(progress);
    stream.halfClose();
    await new Promise(setImmediate);
    expect(watcher(0).cancelled).toBe(false);
    stream.cancel();
    await stream.ended;
    expect(watcher(0).cancelled).toBe(true);
    expect(caller.clock.pendingTimers).toBe(0);
  });
});

describe('a slow client', () => {
  it('holds back watchers and requests until it has read', () => {
    const { stream, watcher, received } = setUp();
    stream.send(create());
    stream.send(create());
    stream.full = true;
    expect(watcher(0).deliver(11, 'a')).toBe(false);
    expect(watcher(1).deliver(11, 'a')).toBe(false);
    stream.send(create());
    expect(received).toHaveLength(4);
    expect(stream.paused).toBe(true);
    stream.drain();
    expect([watcher(0).resumed, watcher(1).resumed]).toEqual([1, 1]);
    expect(received).toHaveLength(5);
    expect(watcher(0).deliver(12, 'a')).toBe(true);
  });

  it('serves the held watchers in turn, as far as there is room', () => {
    const { stream, watcher } = setUp();
    const order: number[] = [];
    for (let index = 0; index < 3; index++) {
      stream.send(create());
      watcher(index).onResume = () => {
        order.push(index);
        // There is room for one batch after each drain.
        stream.full = true;
        watcher(index).deliver(20 + order.length, 'a');
      };
    }
    stream.full = true;
    for (let index = 0; index < 3; index++) watcher(index).deliver(11, 'a');
    for (let drains = 0; drains < 6; drains++) stream.drain();
    expect(order).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('does not wake a watcher that was cancelled meanwhile', async () => {
    const { stream, watcher } = setUp();
    stream.send(create());
    stream.full = true;
    watcher(0).deliver(11, 'a');
    watcher(0).sink.compacted(20);
    stream.drain();
    expect(watcher(0).resumed).toBe(0);
  });
});

describe('fragments', () => {
  const limit = new TestBackend().limits.maxRequestBytes + GRPC_OVERHEAD_BYTES;
  const large = (count: number) => {
    const batch = batchOf(11, ...Array.from({ length: count }, (_, i) => `key ${i}`));
    for (const { kv } of batch.events) if (kv) kv.value = Buffer.alloc(limit / 4);
    return batch;
  };

  it('split one revision, in order, if the client asked for it', () => {
    const { stream, watcher, received } = setUp();
    stream.send(create({ fragment: true }));
    watcher(0).sink.deliver(large(8));
    const parts = received.slice(1);
    expect(parts.map(({ fragment }) => fragment)).toEqual([true, true, false]);
    expect(parts.flatMap(({ events }) => events.map(({ kv }) => String(kv?.key)))).toEqual(
      Array.from({ length: 8 }, (_, i) => `key ${i}`),
    );
    for (const { events } of parts) {
      const bytes = events.reduce((sum, { kv }) => sum + (kv?.value.length ?? 0), 0);
      expect(bytes).toBeLessThan(limit);
    }
  });

  it('are not made for a client that did not ask, nor of what fits', () => {
    const { stream, watcher, received } = setUp();
    stream.send(create());
    stream.send(create({ fragment: true }));
    watcher(0).sink.deliver(large(8));
    watcher(1).sink.deliver(large(3));
    expect(received.slice(2).map(({ fragment, events }) => [fragment, events.length])).toEqual([
      [false, 8],
      [false, 3],
    ]);
  });
});

describe('progress', () => {
  it('is announced for all when asked and all have caught up', () => {
    const { stream, received } = setUp();
    stream.send(create());
    stream.send(progress);
    expect(received[1]).toMatchObject({ watchId: -1, events: [], header: { revision: 10 } });
  });

  it('waits for the watcher that is behind', () => {
    const { backend, caller, stream, watcher, received } = setUp();
    stream.send(create());
    stream.send(create());
    watcher(1).progressRevision = 9;
    stream.send(progress);
    stream.send(progress);
    caller.clock.advance(1_000);
    expect(received).toHaveLength(2);
    backend.revision = 12;
    watcher(1).progressRevision = 12;
    caller.clock.advance(100);
    expect(received).toHaveLength(3);
    expect(received[2]).toMatchObject({ watchId: -1, header: { revision: 12 } });
    caller.clock.advance(10_000);
    expect(received).toHaveLength(3);
  });

  it('is not promised on behalf of a watcher of the future', () => {
    const { backend, caller, stream, received } = setUp();
    stream.send(create({ startRevision: 15 }));
    stream.send(progress);
    expect(received).toHaveLength(1);
    backend.revision = 14;
    caller.clock.advance(100);
    expect(received[1]).toMatchObject({ watchId: -1, header: { revision: 14 } });
  });

  it('is notified each interval to idle watchers that want it', () => {
    const { caller, stream, watcher, received } = setUp();
    stream.send(create({ progressNotify: true }));
    stream.send(create());
    caller.clock.advance(INTERVAL_MS);
    expect(received.slice(2)).toMatchObject([{ watchId: 0, events: [], created: false }]);
    watcher(0).deliver(11, 'a');
    caller.clock.advance(INTERVAL_MS);
    // It had an event in this interval, so nothing new is to be said.
    expect(received).toHaveLength(4);
    caller.clock.advance(INTERVAL_MS);
    expect(received).toHaveLength(5);
    watcher(0).progressRevision = 3;
    caller.clock.advance(INTERVAL_MS);
    expect(received).toHaveLength(5);
  });

  it('costs no timer once the last watcher that wants it is gone', () => {
    const { caller, stream } = setUp();
    stream.send(create({ progressNotify: true }));
    stream.send(cancel(0));
    caller.clock.advance(INTERVAL_MS);
    expect(caller.clock.pendingTimers).toBe(0);
  });
});
