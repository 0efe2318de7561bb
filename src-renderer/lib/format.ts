/**
 * Figures for people: the same everywhere, with separators, units after a space and no false
 * precision.
 */

export type Language = 'en' | 'zh';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const UNITS: Readonly<Record<Language, { s: string; min: string; h: string; d: string }>> = {
  en: { s: 's', min: 'min', h: 'h', d: 'd' },
  zh: { s: '秒', min: '分钟', h: '小时', d: '天' },
};

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** Made once: a format that is made anew for each figure takes a list's whole time. */
const INTEGERS = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 48211 as "48,211". */
export function formatInteger(value: number): string {
  return INTEGERS.format(Math.round(value));
}

/** "412 B", "2.1 KiB", "31 KiB", "2.00 GiB": two or three digits that count. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 1_000 && unit < BYTE_UNITS.length - 1) {
    value /= 1_024;
    unit++;
  }
  if (unit === 0) return `${Math.round(value)} B`;
  const digits = unit >= 3 ? 2 : value < 10 ? 1 : 0;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** A ratio as a percentage: 0.0021 as "0.2%". */
export function formatPercent(ratio: number): string {
  const percent = ratio * 100;
  return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)}%`;
}

/** Short times: "0.4 ms", "12 ms", "1.4 s". */
export function formatLatency(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  return `${(ms / SECOND_MS).toFixed(1)} s`;
}

/** Spans in at most two units: "42 s", "3 min 17 s", "2 h 5 min", "3 d 4 h". */
export function formatDuration(ms: number, language: Language = 'en'): string {
  const units = UNITS[language];
  const total = Math.max(0, ms);
  const join = (a: number, unitA: string, b: number, unitB: string) =>
    b === 0 ? `${a} ${unitA}` : `${a} ${unitA} ${b} ${unitB}`;
  const seconds = Math.floor(total / SECOND_MS);
  if (total < MINUTE_MS) return `${seconds} ${units.s}`;
  const minutes = Math.floor(total / MINUTE_MS);
  if (total < HOUR_MS) return join(minutes, units.min, seconds % 60, units.s);
  const hours = Math.floor(total / HOUR_MS);
  if (total < DAY_MS) return join(hours, units.h, minutes % 60, units.min);
  return join(Math.floor(total / DAY_MS), units.d, hours % 24, units.h);
}

/** A TTL in seconds; "expired" is the caller's word for a negative one. */
export function formatTtl(seconds: number, language: Language = 'en'): string {
  return formatDuration(Math.max(0, seconds) * SECOND_MS, language);
}

/** "14:07:30". */
export function formatClock(atMs: number): string {
  const date = new Date(atMs);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(pad2).join(':');
}

/** "14:07:30.118": for logs and events. */
export function formatClockMs(atMs: number): string {
  return `${formatClock(atMs)}.${String(new Date(atMs).getMilliseconds()).padStart(3, '0')}`;
}

/** "2026-11-22 14:07:30". */
export function formatDateTime(atMs: number): string {
  const date = new Date(atMs);
  const day = [date.getFullYear(), pad2(date.getMonth() + 1), pad2(date.getDate())].join('-');
  return `${day} ${formatClock(atMs)}`;
}

/** The clock for today, date and clock for another day. */
export function formatWhen(atMs: number, nowMs: number): string {
  const isToday = new Date(atMs).toDateString() === new Date(nowMs).toDateString();
  return isToday ? formatClock(atMs) : formatDateTime(atMs);
}

function pad2(value: number): string {
  return String(value).padStart(2, '0');
}
