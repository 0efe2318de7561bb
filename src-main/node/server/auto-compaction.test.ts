import { expect, test } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import type { AutoCompaction } from '../config.ts';
import { AutoCompactor } from './auto-compaction.ts';

/** Time that passes only when told to. */
class ManualClock implements Clock {
  #now = 0;
  #timers: { atMs: number; callback: () => void }[] = [];

  nowMs(): number {
    return this.#now;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#now + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  get pending(): number {
    return this.#timers.length;
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      this.#timers.sort((a, b) => a.atMs - b.atMs);
      const next = this.#timers[0];
      if (next === undefined || next.atMs > end) break;
      this.#timers.shift();
      this.#now = next.atMs;
      next.callback();
    }
    this.#now = end;
  }
}

const MINUTE = 60_000;

function setup(settings: AutoCompaction) {
  const clock = new ManualClock();
  const state = { revision: 1 };
  const compacted: number[] = [];
  const compactor = new AutoCompactor(
    settings,
    clock,
    () => state.revision,
    (revision) => compacted.push(revision),
  );
  return { clock, state, compacted, compactor };
}

test('without a retention nothing is ever compacted', () => {
  for (const mode of ['periodic', 'revision'] as const) {
    const { clock, state, compacted, compactor } = setup({ mode, retention: 0 });
    compactor.start();
    state.revision = 1_000_000;
    expect(clock.pending).toBe(0);
    clock.advance(100 * 60 * MINUTE);
    expect(compacted).toEqual([]);
  }
});

test('revision: every five minutes, all but the last so many', () => {
  const { clock, state, compacted, compactor } = setup({ mode: 'revision', retention: 1_000 });
  compactor.start();
  state.revision = 900;
  clock.advance(5 * MINUTE);
  state.revision = 5_000;
  clock.advance(4 * MINUTE);
  expect(compacted).toEqual([]);
  clock.advance(MINUTE);
  expect(compacted).toEqual([4_000]);
  // Nothing new: nothing to do.
  clock.advance(20 * MINUTE);
  expect(compacted).toEqual([4_000]);
  state.revision = 5_100;
  clock.advance(5 * MINUTE);
  expect(compacted).toEqual([4_000, 4_100]);
});

test('periodic: what is older than the retention, never younger', () => {
  const { clock, state, compacted, compactor } = setup({
    mode: 'periodic',
    retention: 60 * MINUTE,
  });
  compactor.start();
  // One revision a minute: the revision is the minute.
  for (let minute = 1; minute <= 180; minute++) {
    state.revision = minute;
    clock.advance(MINUTE);
    const last = compacted.at(-1);
    if (last !== undefined) expect(minute - last).toBeGreaterThanOrEqual(59);
  }
  expect(compacted.length).toBeGreaterThanOrEqual(15);
  expect(180 - (compacted.at(-1) ?? 0)).toBeLessThanOrEqual(60 + 7);
});

test('a member that leads no more stops, and starts anew with nothing noted', () => {
  const { clock, state, compacted, compactor } = setup({
    mode: 'periodic',
    retention: 10 * MINUTE,
  });
  compactor.start();
  state.revision = 50;
  clock.advance(9 * MINUTE);
  compactor.stop();
  expect(clock.pending).toBe(0);
  clock.advance(60 * MINUTE);
  compactor.start();
  compactor.start();
  expect(clock.pending).toBe(1);
  clock.advance(9 * MINUTE);
  expect(compacted).toEqual([]);
  clock.advance(3 * MINUTE);
  expect(compacted).toEqual([50]);
});
