import { describe, expect, test } from 'vitest';
import { ContractCallError } from '../../api/client.ts';
import { EventLog } from './event-log.ts';
import { Bench, batch, event, events, opened, target } from './testing/bench.ts';
import { MAX_SESSIONS, MAX_SHOWN } from './watch-board.svelte.ts';
import { MAX_HELD_EVENTS, MAX_WAITING_EVENTS } from './watch-session.svelte.ts';

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
    bench.send(batch(event(last), event(last, { name: 'other' }), event(last + 1)));
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

  test('never shows what it showed before, nor anything out of order', () => {
    const bench = new Bench();
    const session = bench.session();
    // A revision of three events arrives in part before the stream is cut.
    bench.send(opened, events(11, 12), batch(event(13, { name: 'a' }), event(13, { name: 'b' })));
    bench.opened[0]?.handlers.onEnd(new ContractCallError('Unavailable', 'lost'));
    session.restart();
    expect(bench.opened.at(-1)?.target.startRevision).toBe(13);
    bench.send(batch(event(13, { name: 'a' })));
    bench.send(batch(event(13, { name: 'b' }), event(13, { name: 'c' }), event(14)));
    bench.send(batch(event(9), event(15)));
    bench.draw();
    const shown = Array.from({ length: session.length }, (_, i) => session.event(i));
    expect(shown.map((e) => e?.modRevision)).toEqual([11, 12, 13, 13, 13, 14, 15]);
    expect(shown.map((e) => new TextDecoder().decode(e?.key))).toEqual([
      'k11',
      'k12',
      'a',
      'b',
      'c',
      'k14',
      'k15',
    ]);
  });

  test('narrows the list to a type and a text, and shows what comes if it matches', () => {
    const bench = new Bench();
    const session = bench.session();
    bench.send(opened, batch(event(11, { name: 'a' }), event(12, { name: 'b', type: 'delete' })));
    bench.draw();
    session.narrow('delete', '');
    expect([session.length, session.kept]).toEqual([1, 2]);
    expect(session.event(0)?.modRevision).toBe(12);
    session.narrow('all', 'A');
    expect(session.event(0)?.modRevision).toBe(11);
    expect(session.isFiltered).toBe(true);
    bench.send(batch(event(13, { name: 'later/a' }), event(14, { name: 'x' })));
    bench.draw();
    expect([session.length, session.kept]).toEqual([2, 4]);
    expect([session.indexOfSeq(3), session.indexOfSeq(2)]).toEqual([1, -1]);
    expect([...session.rows()].map((row) => row.modRevision)).toEqual([11, 13]);
    session.narrow('all', '');
    expect(session.length).toBe(4);
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
    const board = bench.board();
    const session = board.start(target(''));
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
    const session = bench.session(0, new EventLog(3));
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

describe('the board', () => {
  test('shows two side by side, more when asked, and no more than there is room for', () => {
    const bench = new Bench();
    const board = bench.board();
    for (const name of ['a', 'b', 'c', 'd', 'e']) board.start(target(name));
    // The third and later ones took the place of the active one.
    expect([board.shownIds, board.activeId]).toEqual([[1, 5], 5]);
    expect([board.showBeside(2), board.showBeside(3), board.showBeside(4)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(board.shownIds).toHaveLength(MAX_SHOWN);
    board.hide(3);
    expect([board.shownIds, board.activeId]).toEqual([[1, 5, 2], 2]);
    board.showAlone(4);
    expect([board.shownIds, board.activeId]).toEqual([[1, 5, 4], 4]);
    board.step(1);
    expect([board.shownIds, board.activeId]).toEqual([[1, 5, 4], 5]);
    board.step(1);
    expect(board.activeId).toBe(1);
    // What is out of view runs on.
    expect(bench.opened.every((stream) => !stream.closed)).toBe(true);
    board.hide(1);
    board.hide(4);
    board.hide(5);
    expect(board.shownIds).toEqual([5]);
  });

  test('pauses and resumes all at once', () => {
    const bench = new Bench();
    const board = bench.board();
    board.start(target('a'));
    board.start(target('b'));
    expect(board.isAnyRunning).toBe(true);
    board.pauseAll();
    expect(board.sessions.map((session) => session.hold)).toEqual(['paused', 'paused']);
    expect(board.isAnyRunning).toBe(false);
    board.resumeAll();
    expect(board.isAnyRunning).toBe(true);
  });

  test('refuses more watches than it may hold, and shows the neighbour of one that is closed', () => {
    const bench = new Bench();
    const board = bench.board();
    const every = target('');
    for (let i = 0; i < MAX_SESSIONS; i++) board.start(every);
    expect(board.start(every)).toBeNull();
    board.showAlone(3);
    board.close(3);
    expect(board.activeId).toBe(1);
    board.close(1);
    expect([board.shownIds, board.activeId]).toEqual([[2], 2]);
    expect(bench.opened[2]?.closed).toBe(true);
    expect(board.start(every)).not.toBeNull();
  });
});
