import { describe, expect, test } from 'vitest';
import { checkLinearizable } from './linearizable.ts';
import { legalHistory } from './testing/histories.ts';
import { Truth } from './truth.ts';

const shape = { operations: 200, keys: 3, clients: 5, unknownPercent: 10, watched: true };

describe('legal histories', () => {
  test.each([true, false])('of random clients pass (watched: %s)', (watched) => {
    for (let seed = 0; seed < 60; seed++) {
      const { history } = legalHistory({ ...shape, seed, watched });
      expect(checkLinearizable(history, new Truth(history)), `seed ${seed}`).toEqual([]);
    }
  });
});
