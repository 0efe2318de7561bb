import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatClock,
  formatClockMs,
  formatDateTime,
  formatDuration,
  formatInteger,
  formatLatency,
  formatPercent,
  formatTtl,
  formatWhen,
} from './format.ts';

describe('figures', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [48_211, '48,211'],
    [Number.MAX_SAFE_INTEGER, '9,007,199,254,740,991'],
  ])('integer %d', (value, text) => expect(formatInteger(value)).toBe(text));

  it.each([
    [0, '0 B'],
    [412, '412 B'],
    [999, '999 B'],
    [1_000, '1.0 KiB'],
    [2_150, '2.1 KiB'],
    [31_744, '31 KiB'],
    [1_023 * 1_024, '1.0 MiB'],
    [3.4 * 1_024 ** 2, '3.4 MiB'],
    [2 * 1_024 ** 3, '2.00 GiB'],
  ])('%d bytes', (value, text) => expect(formatBytes(value)).toBe(text));

  it('percent', () => {
    expect(formatPercent(0.0021)).toBe('0.2%');
    expect(formatPercent(0.41)).toBe('41%');
  });

  it('latency', () => {
    expect(formatLatency(0.42)).toBe('0.4 ms');
    expect(formatLatency(12.4)).toBe('12 ms');
    expect(formatLatency(1_430)).toBe('1.4 s');
  });
});

describe('spans', () => {
  it.each([
    [-5, '0 s'],
    [41_900, '41 s'],
    [60_000, '1 min'],
    [197_000, '3 min 17 s'],
    [7_500_000, '2 h 5 min'],
    [273_600_000, '3 d 4 h'],
  ])('%d ms', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it('are in Chinese where the app is', () => {
    expect(formatDuration(197_000, 'zh')).toBe('3 分钟 17 秒');
    expect(formatTtl(41, 'zh')).toBe('41 秒');
  });

  it('a TTL below zero is none', () => expect(formatTtl(-1)).toBe('0 s'));
});

describe('clock', () => {
  const at = new Date(2026, 10, 22, 4, 7, 3, 9).getTime();

  it('is local time', () => {
    expect(formatClock(at)).toBe('04:07:03');
    expect(formatClockMs(at)).toBe('04:07:03.009');
    expect(formatDateTime(at)).toBe('2026-11-22 04:07:03');
  });

  it('has the date for another day', () => {
    expect(formatWhen(at, at + 3_600_000)).toBe('04:07:03');
    expect(formatWhen(at, at + 86_400_000)).toBe('2026-11-22 04:07:03');
  });
});
