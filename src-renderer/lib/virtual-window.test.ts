import { describe, expect, it } from 'vitest';
import { OVERSCAN_ROWS, VirtualWindow } from './virtual-window.ts';

function windowOf(count: number, maxHeightPx?: number) {
  const window = new VirtualWindow(maxHeightPx);
  window.resize(count, 26, 520);
  return window;
}

describe('VirtualWindow', () => {
  it('draws what is seen and a few rows more', () => {
    const window = windowOf(1_000);
    window.onScroll(2_600);
    expect(window.range).toEqual({ from: 100 - OVERSCAN_ROWS, to: 121 + OVERSCAN_ROWS });
    expect(window.rowTop(100)).toBe(2_600);
    expect(window.heightPx).toBe(26_000);
  });

  it('has nothing to draw without rows', () => {
    expect(windowOf(0).range).toEqual({ from: 0, to: 0 });
    expect(windowOf(0).reveal(0)).toBe(0);
  });

  it('reveals a row with the least scrolling', () => {
    const window = windowOf(1_000);
    expect(window.reveal(5)).toBe(0);
    expect(window.reveal(20)).toBe(26);
    expect(window.reveal(0)).toBe(0);
    expect(window.reveal(999)).toBe(26_000 - 520);
    expect(window.isAtEnd).toBe(true);
  });

  it('stays at the end when its place gets smaller, but leaves the beginning where it is', () => {
    const window = windowOf(1_000_000);
    window.reveal(999_999);
    window.resize(1_000_000, 26, 480);
    expect(window.isAtEnd).toBe(true);
    expect(window.rowTop(999_999) + 26).toBe(window.scrollTop + 480);
    const short = windowOf(20);
    short.resize(20, 26, 480);
    expect(short.virtualTop).toBe(0);
  });

  describe('a list that is taller than a browser allows', () => {
    // 1,000,000 rows of 26 px are 26 million px; here they share 1 million.
    const tall = () => windowOf(1_000_000, 1_000_000);

    it('never makes a taller element', () => {
      expect(tall().heightPx).toBe(1_000_000);
    });

    it('reaches every row by key, drawn inside of the element', () => {
      const window = tall();
      for (const index of [0, 1, 38_461, 38_462, 500_000, 999_998, 999_999]) {
        const top = window.reveal(index);
        const rowTop = window.rowTop(index);
        expect(rowTop).toBeGreaterThanOrEqual(top - 1);
        expect(rowTop + 26).toBeLessThanOrEqual(top + 520 + 1);
        expect(top).toBeGreaterThanOrEqual(0);
        expect(top).toBeLessThanOrEqual(1_000_000 - 520);
        const { from, to } = window.range;
        expect(index >= from && index < to).toBe(true);
      }
    });

    it('moves pixel by pixel in small steps', () => {
      const window = tall();
      window.onScroll(400_000);
      const before = window.virtualTop;
      window.onScroll(400_100);
      expect(window.virtualTop - before).toBe(100);
    });

    it('jumps in proportion when the bar is dragged, and both ends are the ends', () => {
      const window = tall();
      window.onScroll((1_000_000 - 520) / 2);
      expect(window.virtualTop / (26_000_000 - 520)).toBeCloseTo(0.5, 3);
      window.onScroll(1_000_000 - 520);
      expect(window.range.to).toBe(1_000_000);
      expect(window.isAtEnd).toBe(true);
      window.onScroll(0);
      expect(window.virtualTop).toBe(0);
    });

    it('stays at its place when rows arrive', () => {
      const window = tall();
      window.reveal(500_000);
      const before = window.virtualTop;
      window.resize(1_000_100, 26, 520);
      expect(Math.abs(window.virtualTop - before)).toBeLessThan(1);
    });
  });

  it('comes back into range when rows go away', () => {
    const window = windowOf(1_000);
    window.reveal(999);
    window.resize(10, 26, 520);
    expect(window.range.from).toBe(0);
    expect(window.scrollTop).toBe(0);
  });
});
