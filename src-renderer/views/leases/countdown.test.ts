import { expect, test } from 'vitest';
import { estimateEnd, remainingMs, remainingShare, wholeSeconds } from './countdown.ts';

test('readings in whole seconds do not make the countdown jump', () => {
  let end = estimateEnd(null, 60, 0);
  expect(end).toBe(60_000);
  // A second later the server still says 60, then 58: both within rounding.
  end = estimateEnd(end, 60, 1_000);
  expect(end).toBe(60_000);
  end = estimateEnd(end, 58, 2_400);
  expect(end).toBe(60_000);
});

test('a renewal and a shortened lease are taken over at once', () => {
  expect(estimateEnd(10_000, 60, 5_000)).toBe(65_000);
  expect(estimateEnd(60_000, 5, 5_000)).toBe(10_000);
});

test('what is left never goes below zero or above the whole', () => {
  expect(remainingMs(1_000, 5_000)).toBe(0);
  expect(remainingShare(70_000, 60)).toBe(1);
  expect(remainingShare(30_000, 60)).toBe(0.5);
  expect(remainingShare(30_000, 0)).toBe(0);
  expect([wholeSeconds(0), wholeSeconds(1), wholeSeconds(4_200)]).toEqual([0, 1, 5]);
});
