import { expect, test } from 'vitest';
import type { Measurement } from '../workloads.ts';
import { niceCeiling, plot } from './plot.ts';
import { compact, goalMet, markdownTable, Results } from './table.ts';

const put: Measurement = {
  id: 'put',
  title: 'put',
  unit: '/s',
  higherIsBetter: true,
  goal: { ratio: 1.5 },
};
const start: Measurement = {
  id: 'start',
  title: 'start',
  unit: 's',
  higherIsBetter: false,
  goal: { absolute: 1 },
};

test('goals are met from their bound on, in the right direction', () => {
  expect(goalMet(put, 10, 1.5)).toBe(true);
  expect(goalMet(put, 10, 1.49)).toBe(false);
  expect(goalMet(put, 10, undefined)).toBeUndefined();
  expect(goalMet(start, 1, undefined)).toBe(true);
  expect(goalMet(start, 1.1, 0.1)).toBe(false);
});

test('the table has medians, the paired ratio and the goal', () => {
  const results = new Results();
  for (const [ours, theirs] of [
    [200, 100],
    [20, 10],
    [220, 100],
  ] as const) {
    results.add(put, 'raftdeck', { value: ours });
    results.add(put, 'etcd', { value: theirs });
  }
  results.add(start, 'raftdeck', { value: 0.5 });
  const lines = markdownTable(results, ['raftdeck', 'etcd']).split('\n');
  expect(lines[0]).toBe('| workload | raftdeck | etcd | raftdeck / etcd | goal |');
  expect(lines[2]).toBe('| put | 200/s ±50% | 100/s ±45% | 2.00x | >= 1.5x, met |');
  expect(lines[3]).toBe('| start | 0.50 s ±0% |  |  | <= 1 s, met |');
});

test('figures have three digits that count', () => {
  expect([0.123, 12.34, 123.4, 12_345].map(compact)).toEqual(['0.12', '12.3', '123', '12.3k']);
});

test('a plot places points on a logarithmic axis', () => {
  const points = [1, 10, 100].map((x) => ({ x, y: x }));
  const svg = plot({
    title: 'a < b',
    xLabel: 'x',
    yLabel: 'y',
    lines: [{ name: 'one', points }],
  });
  const xs = [...svg.matchAll(/cx="([\d.]+)"/g)].map((match) => Number(match[1]));
  expect((xs[1] as number) - (xs[0] as number)).toBeCloseTo((xs[2] as number) - (xs[1] as number));
  expect(svg).toContain('a &lt; b');
  expect(svg).not.toContain('NaN');
  expect([0.3, 7, 14, 100].map(niceCeiling)).toEqual([0.5, 10, 20, 100]);
});
