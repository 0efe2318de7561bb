import { expect, test } from 'vitest';
import {
  type Notice,
  type NoticeRule,
  NoticeRules,
  type Permission,
  SILENCE_MS,
} from './notice-rules.svelte.ts';
import { Bench, batch, event, opened, target, utf8 } from './testing/bench.ts';
import { WatchBoard } from './watch-board.svelte.ts';

class Desktop {
  leave: Permission = 'granted';
  shown: Notice[] = [];
  permission = () => this.leave;
  request = async () => this.leave;
  show = (notice: Notice) => void this.shown.push(notice);
}

function rule(prefix: string, change: Partial<NoticeRule> = {}): NoticeRule {
  return { prefix: utf8(prefix), type: 'any', threshold: 1, seconds: 1, ...change };
}

test('a rule notifies at once, then keeps silent and counts', () => {
  const desktop = new Desktop();
  let nowMs = 100_000;
  const rules = new NoticeRules(() => nowMs, desktop);
  rules.add(rule('/a', { type: 'delete' }));
  rules.see(utf8('/a/1'), false, 1);
  rules.see(utf8('/b'), true, 1);
  expect(desktop.shown).toEqual([]);
  rules.see(utf8('/a/1'), true, 7);
  expect(desktop.shown).toMatchObject([{ count: 1, key: '/a/1', isDelete: true, sessionId: 7 }]);
  rules.see(utf8('/a/2'), true, 7);
  nowMs += SILENCE_MS;
  rules.see(utf8('/a/3'), true, 7);
  expect(desktop.shown.map(({ count }) => count)).toEqual([1, 2]);
  rules.tick();
  expect(rules.list[0]?.met).toBe(3);
});

test('a threshold is met by so many events within the span, not by as many in a longer time', () => {
  const desktop = new Desktop();
  let nowMs = 100_000;
  const rules = new NoticeRules(() => nowMs, desktop);
  rules.add(rule('', { threshold: 3, seconds: 10 }));
  for (let i = 0; i < 6; i++) {
    rules.see(utf8('k'), false, 1);
    nowMs += 6_000;
  }
  expect(desktop.shown).toEqual([]);
  rules.see(utf8('k'), false, 1);
  rules.see(utf8('k'), false, 1);
  expect(desktop.shown).toHaveLength(1);
});

test('without leave nothing is shown, but counted; a rule that is off does neither', () => {
  const desktop = new Desktop();
  desktop.leave = 'denied';
  const rules = new NoticeRules(() => 100_000, desktop);
  rules.add(rule(''));
  rules.add(rule(''));
  const [first, second] = rules.list;
  if (second !== undefined) second.isOn = false;
  rules.see(utf8('k'), false, 1);
  rules.tick();
  expect([first?.met, second?.met, desktop.shown.length]).toEqual([1, 0, 0]);
  rules.remove(first?.id ?? 0);
  expect(rules.isAnyOn).toBe(false);
});

test('watches that overlap count an event once, and what was there before them not at all', () => {
  const bench = new Bench();
  const desktop = new Desktop();
  const { open, schedule } = bench;
  const board = new WatchBoard({ open, schedule, nowMs: () => 100_000, notifier: desktop });
  board.rules.add(rule('', { threshold: 3, seconds: 10 }));
  board.start(target('/a', { startRevision: 5 }));
  board.start(target(''));
  const [narrow, wide] = bench.opened;
  for (const stream of [narrow, wide]) stream?.handlers.onItems([opened]);
  const old = batch(...[5, 6, 7].map((revision) => event(revision, { name: '/a' })));
  narrow?.handlers.onItems([old]);
  const fresh = batch(event(11, { name: '/a' }), event(12, { name: '/a' }));
  narrow?.handlers.onItems([fresh]);
  wide?.handlers.onItems([fresh]);
  expect(desktop.shown).toEqual([]);
  wide?.handlers.onItems([batch(event(13, { name: '/b' }))]);
  expect(desktop.shown).toMatchObject([{ count: 3, key: '/b', sessionId: 2 }]);
});
