import type { RevisionAt } from '../../../src-main/contract/storage-tools.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * A time as people type it: "90" and "90 min" are minutes ago, "30s", "2h", "1d" likewise, and
 * "13:05" or "13:05:30" is the last such time of day. NaN for anything else.
 */
export function parseTime(text: string, nowMs: number): number {
  const ago = /^(\d{1,6})\s*(s|m|min|h|d)?$/.exec(text.trim());
  if (ago !== null) return nowMs - Number(ago[1]) * (UNIT_MS[ago[2] ?? 'm'] as number);
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text.trim());
  if (clock === null) return Number.NaN;
  const [hours, minutes, seconds] = [Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0)];
  if (hours > 23 || minutes > 59 || seconds > 59) return Number.NaN;
  const at = new Date(nowMs);
  at.setHours(hours, minutes, seconds, 0);
  if (at.getTime() > nowMs) at.setDate(at.getDate() - 1);
  return at.getTime();
}

/**
 * The newest revision that was seen by then: what was current at that time is that or a later one,
 * so that compacting to it keeps at least what was asked for. null: nobody looked so early.
 */
export function revisionAt(timeline: readonly RevisionAt[], atMs: number): RevisionAt | null {
  return timeline.findLast((entry) => entry.atMs <= atMs) ?? null;
}
