import { expect, test } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import type { StateMachine } from '../apply/types.ts';
import { HistoryCompactor } from './history-compactor.ts';

/** A state with so many rows to remove; each row takes a tenth of a millisecond of `clock`. */
function setup(rows: number, pace = { sliceRows: 50, restMs: 0 }) {
  let left = rows;
  let now = 0;
  let fail = false;
  let paused = false;
  const slices: number[] = [];
  const rests: number[] = [];
  let waiting: (() => void) | undefined;
  const clock: Clock = {
    nowMs: () => now,
    setTimer(delayMs, callback) {
      rests.push(delayMs);
      waiting = callback;
      return () => {
        waiting = undefined;
      };
    },
  };
  const state: Pick<StateMachine, 'pendingCompaction' | 'compactSlice'> = {
    get pendingCompaction() {
      return left > 0 ? 9 : undefined;
    },
    compactSlice(max: number) {
      if (fail) throw new Error('disk full');
      const done = Math.min(max, left);
      left -= done;
      now += done / 10;
      slices.push(done);
      return left > 0;
    },
  };
  const failures: unknown[] = [];
  const compactor = new HistoryCompactor(
    state,
    () => paused,
    (error) => failures.push(error),
    pace,
    clock,
    setImmediate,
  );
  const passTurn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    compactor,
    slices,
    rests,
    failures,
    passTurn,
    rest: () => {
      const callback = waiting;
      waiting = undefined;
      callback?.();
    },
    isResting: () => waiting !== undefined,
    failNow: () => {
      fail = true;
    },
    pause: (value: boolean) => {
      paused = value;
    },
  };
}

test('works in slices and rests three times as long after each', async () => {
  const { compactor, slices, rests, rest, passTurn, isResting } = setup(120);
  compactor.kick();
  compactor.kick();
  expect(slices).toEqual([]);
  await passTurn();
  expect(slices).toEqual([50]);
  for (let i = 0; i < 4; i++) rest();
  expect(slices).toEqual([50, 50, 20]);
  expect(rests.map(Math.round)).toEqual([15, 15, 6]);
  expect(isResting()).toBe(false);
});

test('rests at least as long as it is told to', async () => {
  const { compactor, rests, passTurn } = setup(10, { sliceRows: 5, restMs: 40 });
  compactor.kick();
  await passTurn();
  expect(rests).toEqual([40]);
});

test('a snapshot that replaces the state stops it, until it is kicked again', async () => {
  const { compactor, slices, rest, pause, passTurn } = setup(100);
  compactor.kick();
  await passTurn();
  pause(true);
  rest();
  expect(slices).toEqual([50]);
  pause(false);
  compactor.kick();
  await passTurn();
  expect(slices).toEqual([50, 50]);
});

test('stopped, it touches nothing any more; with nothing to do it does not start', async () => {
  const { compactor, slices, isResting, passTurn } = setup(100);
  compactor.kick();
  await passTurn();
  compactor.stop();
  expect(isResting()).toBe(false);
  expect(slices).toEqual([50]);
  const idle = setup(0);
  idle.compactor.kick();
  await idle.passTurn();
  expect(idle.slices).toEqual([]);
});

test('a failed write is told, and it does not go on', async () => {
  const { compactor, failures, failNow, passTurn, isResting } = setup(100);
  failNow();
  compactor.kick();
  await passTurn();
  expect(failures).toHaveLength(1);
  expect(isResting()).toBe(false);
});
