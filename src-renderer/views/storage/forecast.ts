import type { Sample } from './growth.ts';

/** A slope over less is chance. */
export const MIN_FORECAST_MS = 60_000;
const MIN_SAMPLES = 10;
/** Growth that would take longer than this is no growth. */
const MAX_AHEAD_MS = 365 * 24 * 3_600_000;
/** A size that fell by this share was compacted away or defragmented: growth begins anew there. */
const FALL_SHARE = 0.02;

export type Forecast =
  | { kind: 'noQuota' }
  /** `waitMs` until there is enough to go by. */
  | { kind: 'tooEarly'; waitMs: number }
  | { kind: 'notGrowing'; overMs: number }
  | { kind: 'full' }
  | { kind: 'hits'; inMs: number; bytesPerHour: number; overMs: number };

/**
 * When the fullest member meets its quota if it grows on as it did since its size last fell: a line
 * by least squares through what was measured, and nothing where that says nothing.
 */
export function forecast(samples: readonly Sample[], quotaBytes: number | null): Forecast {
  if (quotaBytes === null) return { kind: 'noQuota' };
  const run = sinceFall(samples);
  const last = run.at(-1);
  if (last !== undefined && last.dbSizeBytes >= quotaBytes) return { kind: 'full' };
  const overMs = last === undefined ? 0 : last.atMs - (run[0] as Sample).atMs;
  if (last === undefined || overMs < MIN_FORECAST_MS || run.length < MIN_SAMPLES) {
    return { kind: 'tooEarly', waitMs: Math.max(0, MIN_FORECAST_MS - overMs) };
  }
  const bytesPerMs = slope(run);
  const inMs = (quotaBytes - last.dbSizeBytes) / bytesPerMs;
  if (!(bytesPerMs > 0) || inMs > MAX_AHEAD_MS) return { kind: 'notGrowing', overMs };
  return { kind: 'hits', inMs, bytesPerHour: bytesPerMs * 3_600_000, overMs };
}

function sinceFall(samples: readonly Sample[]): readonly Sample[] {
  for (let i = samples.length - 1; i > 0; i--) {
    const [before, after] = [samples[i - 1] as Sample, samples[i] as Sample];
    if (after.dbSizeBytes < before.dbSizeBytes * (1 - FALL_SHARE)) return samples.slice(i);
  }
  return samples;
}

function slope(samples: readonly Sample[]): number {
  const n = samples.length;
  const meanX = samples.reduce((sum, { atMs }) => sum + atMs, 0) / n;
  const meanY = samples.reduce((sum, { dbSizeBytes }) => sum + dbSizeBytes, 0) / n;
  let [xy, xx] = [0, 0];
  for (const { atMs, dbSizeBytes } of samples) {
    xy += (atMs - meanX) * (dbSizeBytes - meanY);
    xx += (atMs - meanX) ** 2;
  }
  return xx === 0 ? 0 : xy / xx;
}
