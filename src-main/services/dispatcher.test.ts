import { describe, expect, it } from 'vitest';
import { silentLogger } from '../base/logger.ts';
import type { ServerFrame } from '../contract/wire.ts';
import { STREAM_QUEUE_ITEMS } from '../contract/wire.ts';
import {
  type CallHandlers,
  type Handlers,
  MAX_CALLS,
  MAX_STREAMS,
  Session,
  type StreamHandlers,
} from './dispatcher.ts';
import { failure } from './errors.ts';
import type { StreamSink } from './stream.ts';

interface Source {
  sink: StreamSink<never>;
  input: unknown;
  disposed: boolean;
  paused: boolean;
}

/** A session over handlers that the test plays itself. */
function setUp() {
  const frames: ServerFrame[] = [];
  const sources: Source[] = [];
  const waiting: { resolve(value: unknown): void; signal: AbortSignal }[] = [];
  const open = (input: unknown, sink: StreamSink<never>) => {
    const source: Source = { sink, input, disposed: false, paused: false };
    sources.push(source);
    return {
      pause: () => {
        source.paused = true;
      },
      resume: () => {
        source.paused = false;
      },
      dispose: () => {
        source.disposed = true;
      },
    };
  };
  const calls: Partial<CallHandlers> = {
    'settings.get': () => ({ theme: 'dark', language: 'en', density: 'compact' }),
    'notes.list': () => {
      throw failure('NotFound', 'no notes', 'write some');
    },
    'clusters.list': () => {
      throw new TypeError('a defect');
    },
    'keys.count': (input) => ({ count: input.key.length, revision: 1 }),
    'app.info': (_, { signal }) =>
      new Promise((resolve) => waiting.push({ resolve: resolve as (v: unknown) => void, signal })),
  };
  const streams = {
    'clusters.follow': { mode: 'latest', open },
    'logs.follow': { mode: 'queue', open, weigh: () => ({ count: 1, bytes: 10 }) },
    'watch.open': {
      mode: 'queue',
      open: () => {
        throw failure('NotFound', 'there is no cluster x');
      },
    },
  } as unknown as StreamHandlers;
  const handlers = { calls, streams } as Handlers;
  const session = new Session(handlers, (frame) => frames.push(frame), silentLogger);
  return { session, frames, sources, waiting };
}

/** Lets everything that is due run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

const LOGS = { clusterId: 'dev', tail: 0 };

describe('Session: calls', () => {
  it('answers', async () => {
    const { session, frames } = setUp();
    session.receive({ t: 'call', id: 7, name: 'settings.get', input: {} });
    await settle();
    expect(frames).toEqual([
      { t: 'result', id: 7, output: { theme: 'dark', language: 'en', density: 'compact' } },
    ]);
  });

  it('takes a call whose input was left out by the encoder', async () => {
    const { session, frames } = setUp();
    session.receive({ t: 'call', id: 1, name: 'settings.get' });
    await settle();
    expect(frames[0]?.t).toBe('result');
  });

  it.each([
    ['nope', {}, 'Unsupported', /there is no call "nope"/],
    ['__proto__', {}, 'Unsupported', /there is no call/],
    ['toString', {}, 'Unsupported', /there is no call/],
    ['settings.get', { extra: 1 }, 'InvalidArgument', /extra/],
    ['keys.count', { clusterId: 'a b', key: new Uint8Array(1) }, 'InvalidArgument', /clusterId/],
    ['keys.count', { clusterId: 'a', key: 'text' }, 'InvalidArgument', /key/],
    ['keys.count', { clusterId: 'a', key: new Uint8Array(65_537) }, 'InvalidArgument', /65536/],
    ['keys.count', null, 'InvalidArgument', /clusterId/],
    ['keys.count', [1, 2], 'InvalidArgument', /object/],
    ['notes.list', {}, 'NotFound', /no notes/],
    ['clusters.list', {}, 'Internal', /a defect/],
  ])('refuses %s(%j) with %s', async (name, input, code, message) => {
    const { session, frames } = setUp();
    session.receive({ t: 'call', id: 1, name, input });
    await settle();
    expect(frames).toHaveLength(1);
    const [frame] = frames;
    expect(frame).toMatchObject({ t: 'error', id: 1, error: { code } });
    expect(frame?.t === 'error' && frame.error.message).toMatch(message);
  });

  it('passes the hint on', async () => {
    const { session, frames } = setUp();
    session.receive({ t: 'call', id: 1, name: 'notes.list', input: {} });
    await settle();
    expect(frames[0]).toMatchObject({ error: { hint: 'write some' } });
  });

  it('cancels, and sends no late result', async () => {
    const { session, frames, waiting } = setUp();
    session.receive({ t: 'call', id: 3, name: 'app.info', input: {} });
    session.receive({ t: 'cancel', id: 3 });
    await settle();
    expect(waiting[0]?.signal.aborted).toBe(true);
    waiting[0]?.resolve({});
    await settle();
    expect(frames).toMatchObject([{ t: 'error', id: 3, error: { code: 'Cancelled' } }]);
    session.receive({ t: 'cancel', id: 99 });
  });

  it('refuses an id that is in use, and more calls than its limit', async () => {
    const { session, frames, waiting } = setUp();
    for (let id = 0; id < MAX_CALLS; id++) {
      session.receive({ t: 'call', id, name: 'app.info', input: {} });
    }
    session.receive({ t: 'call', id: 0, name: 'app.info', input: {} });
    session.receive({ t: 'call', id: MAX_CALLS, name: 'app.info', input: {} });
    await settle();
    expect(frames).toMatchObject([
      { t: 'error', id: 0, error: { code: 'InvalidArgument' } },
      { t: 'error', id: MAX_CALLS, error: { code: 'Unavailable' } },
    ]);
    waiting[0]?.resolve({ done: true });
    await settle();
    expect(frames[2]).toEqual({ t: 'result', id: 0, output: { done: true } });
  });

  it('aborts its calls and is silent once disposed', async () => {
    const { session, frames, waiting, sources } = setUp();
    session.receive({ t: 'call', id: 1, name: 'app.info', input: {} });
    session.receive({ t: 'open', id: 2, name: 'clusters.follow', input: {}, credits: 1 });
    await settle();
    session.dispose();
    expect(waiting[0]?.signal.aborted).toBe(true);
    expect(sources[0]?.disposed).toBe(true);
    waiting[0]?.resolve({});
    sources[0]?.sink.push({} as never);
    session.receive({ t: 'call', id: 5, name: 'settings.get', input: {} });
    await settle();
    expect(frames).toEqual([]);
  });

  it('survives a transport that throws', async () => {
    const broken = () => {
      throw new Error('cannot encode');
    };
    const handlers = { calls: { 'settings.get': () => ({}) }, streams: {} } as unknown as Handlers;
    const session = new Session(handlers, broken, silentLogger);
    session.receive({ t: 'call', id: 1, name: 'settings.get', input: {} });
    await settle();
    expect(session.receive({ t: 'cancel', id: 1 })).toBe(true);
  });
});

describe('Session: malformed frames', () => {
  it.each([
    null,
    undefined,
    42,
    'call',
    [],
    {},
    { t: 'call' },
    { t: 'call', id: -1, name: 'settings.get', input: {} },
    { t: 'call', id: 1.5, name: 'settings.get' },
    { t: 'call', id: '1', name: 'settings.get' },
    new Uint8Array(8),
  ])('cannot even answer %j', async (frame) => {
    const { session, frames } = setUp();
    expect(session.receive(frame)).toBe(false);
    await settle();
    expect(frames).toEqual([]);
  });

  it.each([
    { t: 'nope', id: 1 },
    { t: 'call', id: 1 },
    { t: 'call', id: 1, name: 'x'.repeat(65), input: {} },
    { t: 'call', id: 1, name: 'settings.get', input: {}, extra: true },
    { t: 'open', id: 1, name: 'logs.follow', input: LOGS },
    { t: 'open', id: 1, name: 'logs.follow', input: LOGS, credits: 0 },
    { t: 'open', id: 1, name: 'logs.follow', input: LOGS, credits: Number.NaN },
    { t: 'credit', id: 1, credits: -5 },
  ])('answers %j with an error', async (frame) => {
    const { session, frames } = setUp();
    expect(session.receive(frame)).toBe(true);
    await settle();
    expect(frames).toMatchObject([{ t: 'error', id: 1, error: { code: 'InvalidArgument' } }]);
  });
});

describe('Session: streams', () => {
  async function openLogs(credits: number) {
    const all = setUp();
    all.session.receive({ t: 'open', id: 1, name: 'logs.follow', input: LOGS, credits });
    await settle();
    const source = all.sources[0] as Source;
    return { ...all, source, push: (item: unknown) => source.sink.push(item as never) };
  }

  it('sends what arrives together as one batch, for one credit', async () => {
    const { frames, push } = await openLogs(2);
    push('a');
    push('b');
    await settle();
    push('c');
    await settle();
    push('d');
    await settle();
    expect(frames).toEqual([
      { t: 'items', id: 1, items: ['a', 'b'] },
      { t: 'items', id: 1, items: ['c'] },
    ]);
  });

  it('goes on when credits come', async () => {
    const { session, frames, push } = await openLogs(1);
    for (const item of ['a', 'b', 'c']) {
      push(item);
      await settle();
    }
    expect(frames).toHaveLength(1);
    session.receive({ t: 'credit', id: 1, credits: 1 });
    await settle();
    expect(frames[1]).toEqual({ t: 'items', id: 1, items: ['b', 'c'] });
  });

  it('keeps only the newest whole state for a slow client', async () => {
    const { session, frames, sources } = setUp();
    session.receive({ t: 'open', id: 1, name: 'clusters.follow', input: {}, credits: 1 });
    await settle();
    for (const item of [1, 2, 3, 4]) {
      sources[0]?.sink.push(item as never);
      await settle();
    }
    session.receive({ t: 'credit', id: 1, credits: 5 });
    await settle();
    expect(frames).toEqual([
      { t: 'items', id: 1, items: [1] },
      { t: 'items', id: 1, items: [4] },
    ]);
  });

  it('pauses the source of a slow client at the limit and loses nothing', async () => {
    const { session, frames, source, push } = await openLogs(1);
    for (let i = 0; i < STREAM_QUEUE_ITEMS; i++) push(i);
    expect(source.paused).toBe(true);
    push('in its hands');
    await settle();
    expect(source.paused).toBe(true);
    while (source.paused) {
      session.receive({ t: 'credit', id: 1, credits: 1 });
      await settle();
    }
    session.receive({ t: 'credit', id: 1, credits: 100 });
    await settle();
    const items = frames.flatMap((frame) => (frame.t === 'items' ? frame.items : []));
    expect(items).toHaveLength(STREAM_QUEUE_ITEMS + 1);
    expect(items.at(-1)).toBe('in its hands');
  });

  it('ends a stream whose source does not stop', async () => {
    const { session, frames, source, push } = await openLogs(1);
    for (let i = 0; i <= STREAM_QUEUE_ITEMS * 4; i++) push(i);
    expect(source.disposed).toBe(true);
    session.receive({ t: 'credit', id: 1, credits: 1_000 });
    await settle();
    expect(frames.at(-1)).toMatchObject({ t: 'end', id: 1, error: { code: 'Internal' } });
  });

  it('sends what is queued before the end', async () => {
    const { session, frames, source, push } = await openLogs(1);
    push('a');
    await settle();
    push('b');
    source.sink.end(failure('Unavailable', 'gone'));
    push('too late');
    await settle();
    expect(frames).toHaveLength(1);
    session.receive({ t: 'credit', id: 1, credits: 1 });
    await settle();
    expect(frames.slice(1)).toEqual([
      { t: 'items', id: 1, items: ['b'] },
      { t: 'end', id: 1, error: { code: 'Unavailable', message: 'gone' } },
    ]);
    expect(source.disposed).toBe(true);
    // The id is free again.
    session.receive({ t: 'open', id: 1, name: 'logs.follow', input: LOGS, credits: 1 });
    await settle();
    expect(frames).toHaveLength(3);
  });

  it('is closed by the client', async () => {
    const { session, frames, source, push } = await openLogs(8);
    push('a');
    session.receive({ t: 'close', id: 1 });
    await settle();
    push('b');
    session.receive({ t: 'credit', id: 1, credits: 1 });
    await settle();
    expect(frames).toEqual([]);
    expect(source.disposed).toBe(true);
  });

  it('ends at once with what the handler threw', async () => {
    const { session, frames } = setUp();
    const input = { clusterId: 'x', key: new Uint8Array(1) };
    session.receive({ t: 'open', id: 1, name: 'watch.open', input, credits: 1 });
    session.receive({ t: 'open', id: 2, name: 'nope', input: {}, credits: 1 });
    session.receive({ t: 'open', id: 3, name: 'watch.open', input: {}, credits: 1 });
    await settle();
    const codes = frames.map((f) => (f.t === 'end' ? [f.id, f.error?.code] : null));
    expect(codes.sort()).toEqual([
      [1, 'NotFound'],
      [2, 'Unsupported'],
      [3, 'InvalidArgument'],
    ]);
  });

  it('fills in defaults before the handler sees the input', async () => {
    const { session, sources } = setUp();
    const input = { clusterId: 'dev' };
    session.receive({ t: 'open', id: 1, name: 'logs.follow', input, credits: 1 });
    await settle();
    expect(sources[0]?.input).toEqual({ clusterId: 'dev', tail: 500 });
  });

  it('opens no more streams than its limit', async () => {
    const { session, frames } = setUp();
    for (let id = 0; id <= MAX_STREAMS; id++) {
      session.receive({ t: 'open', id, name: 'logs.follow', input: LOGS, credits: 1 });
    }
    await settle();
    expect(frames).toMatchObject([{ t: 'end', id: MAX_STREAMS, error: { code: 'Unavailable' } }]);
  });
});
