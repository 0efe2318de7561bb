import { describe, expect, it } from 'vitest';
import { linePath, ticks } from './plot.ts';

describe('ticks', () => {
  it.each([
    [0, [0, 1]],
    [1, [0, 0.5, 1]],
    [7, [0, 5, 10]],
    [180, [0, 100, 200]],
  ])('up to %d', (max, list) => expect(ticks(max)).toEqual(list));

  it('of sizes are round in binary units', () => {
    const mib = 1_024 ** 2;
    expect(ticks(3.4 * mib, 1024)).toEqual([0, 2 * mib, 4 * mib]);
    expect(ticks(2 * 1_024 ** 3, 1024)).toEqual([0, 1_024 ** 3, 2 * 1_024 ** 3]);
  });
});

describe('linePath', () => {
  const domain = { fromX: 0, toX: 10, maxY: 100 };

  it('leaves a gap where nothing was measured', () => {
    const points = [
      { x: 0, y: 0 },
      { x: 5, y: 100 },
      { x: 6, y: null },
      { x: 10, y: 50 },
    ];
    expect(linePath(points, domain, 100, 50)).toBe('M0.0 50.0L50.0 0.0M100.0 25.0');
  });

  it('draws nothing of nothing', () => expect(linePath([], domain, 100, 50)).toBe(''));
});
