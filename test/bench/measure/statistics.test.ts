import { expect, test } from 'vitest';
import { Histogram } from './histogram.ts';
import { FastRandom } from './random.ts';
import { median, pairedRatio, spread } from './statistics.ts';

test('the median is the middle, or between the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});

test('the spread is half of the width, as a share of the median', () => {
  expect(spread([90, 100, 110])).toBeCloseTo(0.1);
  expect(spread([5])).toBe(0);
});

test('a paired ratio does not see what slowed both down in one round', () => {
  const ours = [200, 20, 210, 190, 200];
  const theirs = [100, 10, 105, 95, 100];
  expect(pairedRatio(ours, theirs)).toBe(2);
  expect(pairedRatio([1, 2], [2])).toBe(0.5);
});

test('percentiles are those of the sorted latencies, to a hundredth', () => {
  const random = new FastRandom(3);
  const latencies = Array.from({ length: 20_000 }, () => 0.001 * 1.4 ** random.below(50));
  const histogram = new Histogram();
  for (const ms of latencies) histogram.record(ms);
  const sorted = latencies.sort((a, b) => a - b);
  for (const share of [0.01, 0.5, 0.9, 0.99, 1]) {
    const exact = sorted[Math.ceil(sorted.length * share) - 1] as number;
    expect(Math.abs(histogram.percentile(share) - exact)).toBeLessThan(exact * 0.01 + 0.0011);
  }
  expect(histogram.total).toBe(20_000);
});

test('a histogram survives the way to another process', () => {
  const histogram = new Histogram();
  for (const ms of [0, 0.05, 0.05, 3, 70, 1e9]) histogram.record(ms);
  const copy = new Histogram(JSON.parse(JSON.stringify(histogram.buckets())));
  expect(copy.total).toBe(6);
  for (const share of [0.1, 0.5, 0.7, 1]) {
    expect(copy.percentile(share)).toBe(histogram.percentile(share));
  }
  expect(new Histogram().percentile(0.5)).toBeNaN();
});

test('random numbers stay below the limit and reach all of it', () => {
  for (const seed of [0, 1, 2, 12_345]) {
    const random = new FastRandom(seed);
    const seen = new Set(Array.from({ length: 2_000 }, () => random.below(50)));
    expect(seen.size).toBe(50);
    expect(Math.max(...seen)).toBe(49);
  }
});
