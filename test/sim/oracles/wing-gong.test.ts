import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src-main/base/prng.ts';
import { type Call, linearize, type Model } from './wing-gong.ts';

type Op = { kind: 'write'; value: number } | { kind: 'read'; value: number };

const register: Model<number, Op> = {
  initial: 0,
  step: (state, op) => (op.kind === 'write' ? [op.value] : state === op.value ? [state] : []),
  key: String,
};

const NEVER = Number.POSITIVE_INFINITY;
const write = (invoke: number, complete: number, value: number): Call<Op> => ({
  invoke,
  complete,
  op: { kind: 'write', value },
});
const read = (invoke: number, complete: number, value: number): Call<Op> => ({
  invoke,
  complete,
  op: { kind: 'read', value },
});
const outcome = (...calls: Call<Op>[]) => linearize(register, calls).outcome;

describe('the search', () => {
  test('takes calls one after the other in their order', () => {
    expect(outcome(write(0, 1, 5), read(2, 3, 5))).toBe('linearizable');
    expect(outcome(write(0, 1, 5), read(2, 3, 0))).toBe('violation');
  });

  test('takes concurrent calls in any order, but one order for all', () => {
    expect(outcome(write(0, 9, 5), read(1, 2, 0), read(3, 4, 5))).toBe('linearizable');
    expect(outcome(write(0, 9, 5), read(1, 2, 5), read(3, 4, 0))).toBe('violation');
  });

  test('holds calls that touch at one instant for concurrent', () => {
    expect(outcome(write(0, 1, 5), read(1, 2, 0))).toBe('linearizable');
  });

  test('lets an unknown outcome take effect late, or never, but once and not before its call', () => {
    expect(outcome(write(0, NEVER, 5), read(10, 11, 0), read(12, 13, 5))).toBe('linearizable');
    expect(outcome(write(0, NEVER, 5), read(10, 11, 0))).toBe('linearizable');
    expect(outcome(write(4, NEVER, 5), read(1, 2, 5))).toBe('violation');
    expect(
      outcome(write(0, NEVER, 5), read(1, 2, 5), write(3, 4, 6), read(5, 6, 6), read(7, 8, 5)),
    ).toBe('violation');
  });

  test('answers an order in which the calls take effect, or as far as it came', () => {
    const calls = [write(0, 9, 5), read(1, 2, 0), read(3, 4, 5)];
    expect(linearize(register, calls).order).toEqual([1, 0, 2]);
    const broken = [write(0, 1, 5), read(2, 3, 5), read(4, 5, 0)];
    expect(linearize(register, broken)).toMatchObject({ outcome: 'violation', order: [0, 1] });
  });

  test('gives up at its limit and says so', () => {
    const calls = Array.from({ length: 20 }, (_, i) => write(0, NEVER, i + 1));
    const verdict = linearize(register, [...calls, read(1, 2, 99)], 10);
    expect(verdict.outcome).toBe('undecided');
  });

  test('is not lost in unknown outcomes when a violation shows only at the end', () => {
    const unknown = Array.from({ length: 60 }, (_, i) => write(i, NEVER, i + 1));
    const reads = Array.from({ length: 60 }, (_, i) => read(100 + 2 * i, 101 + 2 * i, i + 1));
    expect(outcome(...unknown, ...reads)).toBe('linearizable');
    expect(outcome(...unknown, ...reads, read(900, 901, 7))).toBe('violation');
  });
});

/** Every order of every choice of unknown calls. */
function bruteForce(calls: readonly Call<Op>[], state = register.initial): boolean {
  if (calls.every(({ complete }) => complete === NEVER)) return true;
  return calls.some((call, i) => {
    if (calls.some((other) => other.complete < call.invoke)) return false;
    const rest = calls.filter((_, k) => k !== i);
    return register.step(state, call.op).some((next) => bruteForce(rest, next));
  });
}

test('agrees with brute force on thousands of small random histories', () => {
  const random = seededRandom(7);
  let legal = 0;
  const runs = 6_000;
  for (let run = 0; run < runs; run++) {
    const calls = Array.from({ length: 1 + random.below(7) }, (): Call<Op> => {
      const invoke = random.below(12);
      const complete = invoke + random.below(6);
      const value = random.below(4);
      if (random.below(2) === 0) return read(invoke, complete, value);
      return write(invoke, random.below(4) === 0 ? NEVER : complete, value);
    });
    const expected = bruteForce(calls);
    if (expected) legal++;
    expect(outcome(...calls), JSON.stringify(calls)).toBe(expected ? 'linearizable' : 'violation');
  }
  // Both answers must occur often, or the comparison shows nothing.
  expect(legal).toBeGreaterThan(runs / 10);
  expect(legal).toBeLessThan((runs * 9) / 10);
});
