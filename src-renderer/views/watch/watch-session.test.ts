import { describe, expect, test } from 'vitest';
import type { WatchEventView, WatchItem } from '../../../src-main/contract/views.ts';
import { ContractCallError } from '../../api/client.ts';
import { EventRing } from './event-ring.ts';
import { MAX_SESSIONS, WatchBoard } from './watch-board.svelte.ts';
import {
  MAX_HELD_EVENTS,
  MAX_WAITING_EVENTS,
  type WatchHandlers,
  WatchSession,
  type WatchTarget,
} from './watch-session.svelte.ts';

function event(revision: number, key = `k${revision}`): WatchEventView {
  return {
    type: 'put',
    key: new TextEncoder().encode(key),
    value: new Uint8Array([1]),
    prevValue: null,
    modRevision: revision,
    createRevision: revision,
    version: 1,
    lease: null,
    receivedAtMs: 0,
  };
}

function events(from: number, to: number): WatchItem {
  const list: WatchEventView[] = [];
  for (let revision = from; revision <= to; revision++) list.push(event(revision));
  return { kind: 'events', events: list };
}

/** A server whose streams the test feeds by hand, and frames that the test draws. */
class Bench {
  opened: { target: WatchTarget; handlers: WatchHandlers; closed: boolean }[] = [];
  frames: (() => void)[] = [];
  nowMs = 1_000;

  readonly open = (target: WatchTarget, handlers: WatchHandlers) => {
    const stream = { target, handlers, closed: false };
    this.opened.push(stream);
    return () => {
      stream.closed = true;
    };
  };
  readonly schedule = (run: () => void) => {
    this.frames.push(run);
    return () => {
      this.frames = this.frames.filter((frame) => frame !== run);
    };
  };

  session(startRevision = 0, ring?: EventRing): WatchSession {
    return new WatchSession({
      id: 1,
      target: { key: new Uint8Array([47]), prefix: true, startRevision },
      open: this.open,
      schedule: this.schedule,
      nowMs: () => this.nowMs,
      ...(ring === undefined ? {} : { ring }),
    });
  }

  send(...items: WatchItem[]): void {
    this.opened.at(-1)?.handlers.onItems(items);
  }

  draw(): void {
    const frames = this.frames;
    this.frames = [];
    for (const frame of frames) frame();
  }
}

const opened: WatchItem = { kind: 'opened', revision: 10, node: 'n1' };

describe('a watch', () => {
  test('takes over what arrived once per frame, oldest first', () => {
    const bench = new Bench();
    const session = bench.session();
    bench.send(opened, events(11, 2_000), events(2_001, 5_000));
    expect(session.length).toBe(0);
    expect(bench.frames).toHaveLength(1);
    bench.draw();
    expect(session.length).toBe(4_990);
    expect(session.event(0)?.modRevision).toBe(11);
    expect(session.event(4_989)?.modRevision).toBe(5_000);
    expect(session.status).toBe('live');
    expect(session.node).toBe('n1');
  });

  test('holds events while paused and shows them in order on resume', () => {
    const bench = new Bench();
    const session = bench.session();
    bench.send(opened, events(11, 12));
    session.pause();
    expect(session.length).toBe(2);
    bench.send(events(13, 15));
    bench.draw();
    expect(session.length).toBe(2);
    expect(session.held).toBe(3);
    session.resume();
    expect(session.held).toBe(0);
    expect(session.length).toBe(5);
    expect(session.event(4)?.modRevision).toBe(15);
  });

  test('closes the stream when the hold is full and continues without loss or repetition', () => {
    const bench = new Bench();
    const session = bench.session();
    bench.send(opened);
    session.pause();
    const last = 10 + MAX_HELD_EVENTS;
    bench.send(events(11, last));
    expect(session.holdIsFull).toBe(true);
    expect(bench.opened[0]?.closed).toBe(true);
    // What a closed stream still delivers is not taken twice.
    bench.opened[0]?.handlers.onItems([events(last + 1, last + 1)]);
    session.resume();
    expect(bench.opened[1]?.target.startRevision).toBe(last);
    bench.send({ kind: 'events', events: [event(last), event(last, 'other'), event(last + 1)] });
    bench.draw();
    expect(session.event(session.length - 1)?.modRevision).toBe(last + 1);
    expect(session.length).toBe(MAX_HELD_EVENTS + 2);
  });

  test('stands still while an event is read, and remembers a pause over it', () => {
    const bench = new Bench();
    const session = bench.session();
    bench.send(opened, events(11, 12));
    bench.draw();
    session.select(1);
    bench.send(events(13, 14));
    bench.draw();
    expect(session.length).toBe(2);
    expect(session.selected?.modRevision).toBe(11);
    session.closeDetail();
    expect(session.length).toBe(4);
    session.pause();
    session.select(2);
    session.closeDetail();
    expect(session.hold).toBe('paused');
  });

  test('stands still while someone reads older events', () => {
    const bench = new Bench();
    const session = bench.session();
    bench.send(opened, events(11, 30));
    bench.draw();
    session.scrolled(false);
    bench.send(events(31, 40));
    bench.draw();
    expect([session.length, session.held]).toEqual([20, 10]);
    session.select(5);
    session.closeDetail();
    // Still away from the end.
    expect(session.hold).toBe('reading');
    session.scrolled(true);
    expect([session.hold, session.length]).toEqual([null, 30]);
  });

  test('reports a break, and offers the earliest revision after a compaction', () => {
    const bench = new Bench();
    const session = bench.session(5);
    bench.send({ kind: 'reconnecting', nextRevision: 7, error: 'connection refused' });
    expect(session.status).toBe('reconnecting');
    expect(session.error).toBe('connection refused');
    bench.send({ kind: 'compacted', compactRevision: 90 });
    expect(session.status).toBe('compacted');
    session.continueFromEarliest();
    expect(bench.opened.at(-1)?.target.startRevision).toBe(90);
    bench.send({ kind: 'opened', revision: 100, node: 'n2' }, events(90, 91));
    bench.draw();
    expect(session.length).toBe(2);
  });

  test('stops, keeps the events, and starts again where it ended', () => {
    const bench = new Bench();
    const session = bench.session();
    bench.send(opened);
    session.stop();
    expect(session.status).toBe('stopped');
    session.restart();
    // Nothing had come since it was opened at 10, so the history from 11 is what was missed.
    expect(bench.opened.at(-1)?.target.startRevision).toBe(11);
    bench.opened.at(-1)?.handlers.onEnd(new Error('main is gone'));
    expect(session.status).toBe('failed');
    expect(session.error).toBe('main is gone');
  });

  test('goes on without a gap when the connection to main comes back', () => {
    const bench = new Bench();
    const board = new WatchBoard(bench.open, bench.schedule, () => 0);
    const session = board.start({ key: new Uint8Array(), prefix: true, startRevision: 0 });
    bench.send(opened, events(11, 20));
    bench.opened[0]?.handlers.onEnd(new ContractCallError('Unavailable', 'lost'));
    expect(session?.status).toBe('lost');
    board.resumeLost();
    expect(bench.opened.at(-1)?.target.startRevision).toBe(20);
    bench.send(events(20, 21));
    bench.draw();
    expect(session?.length).toBe(11);
  });

  test('does not wait for a frame without bound', () => {
    const bench = new Bench();
    const session = bench.session();
    bench.send(opened, events(11, 10 + MAX_WAITING_EVENTS));
    expect(session.length).toBe(MAX_WAITING_EVENTS);
  });

  test('starts again from the asked revision if nothing came', () => {
    const bench = new Bench();
    const session = bench.session(1);
    session.stop();
    session.restart();
    expect(bench.opened.at(-1)?.target.startRevision).toBe(1);
  });

  test('counts what it lets go, and forgets that when cleared', () => {
    const bench = new Bench();
    const session = bench.session(0, new EventRing(3));
    bench.send(opened, events(11, 15));
    bench.draw();
    expect([session.length, session.dropped]).toEqual([3, 2]);
    expect(session.event(0)?.modRevision).toBe(13);
    expect([session.indexOfSeq(3), session.indexOfSeq(5), session.indexOfSeq(1)]).toEqual([
      0, 2, -1,
    ]);
    session.clear();
    expect([session.length, session.dropped]).toEqual([0, 0]);
    bench.send(events(16, 16));
    bench.draw();
    expect([session.length, session.dropped]).toEqual([1, 0]);
    expect(session.event(0)?.modRevision).toBe(16);
  });

  test('tells the rate, which falls when nothing comes', () => {
    const bench = new Bench();
    const session = bench.session();
    bench.send(opened, events(11, 110));
    session.tick();
    expect(session.eventsPerSecond).toBe(50);
    bench.nowMs += 5_000;
    session.tick();
    expect(session.eventsPerSecond).toBe(0);
  });
});

describe('the ring', () => {
  test('is bounded by bytes, but keeps the newest event whatever its size', () => {
    const ring = new EventRing(100, 10);
    const large = { ...event(1), value: new Uint8Array(50) };
    ring.push(event(0));
    ring.push(large);
    expect(ring.length).toBe(1);
    expect(ring.at(0)?.modRevision).toBe(1);
    ring.push(event(2));
    expect(ring.length).toBe(1);
    expect(ring.bytes).toBe(3);
    expect(ring.bySeq(2)).toBeUndefined();
    expect(ring.bySeq(3)?.modRevision).toBe(2);
  });
});

describe('the board', () => {
  test('refuses more watches than it may hold, and shows the neighbour of one that is closed', () => {
    const bench = new Bench();
    const board = new WatchBoard(bench.open, bench.schedule, () => 0);
    const target = { key: new Uint8Array(), prefix: true, startRevision: 0 };
    for (let i = 0; i < MAX_SESSIONS; i++) board.start(target);
    expect(board.start(target)).toBeNull();
    board.activeId = 3;
    board.close(3);
    expect(board.activeId).toBe(4);
    expect(bench.opened[2]?.closed).toBe(true);
    expect(board.start(target)).not.toBeNull();
  });
});
