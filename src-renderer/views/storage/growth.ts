import type { StorageView } from '../../../src-main/contract/views.ts';
import type { PlotPoint } from '../../components/plot.ts';

export type Sample = StorageView['samples'][number];

/** A pause this many times the usual distance of two samples is drawn as a gap. */
const GAP_FACTOR = 4;
/**
 * The quota is drawn once the data reaches this share of it; far above, it would flatten everything
 * else.
 */
export const QUOTA_IN_SIGHT_SHARE = 0.25;

function gapMs(samples: readonly Sample[]): number {
  const distances = samples
    .slice(1)
    .map((sample, i) => sample.atMs - (samples[i] as Sample).atMs)
    .sort((a, b) => a - b);
  return (distances[Math.floor(distances.length / 2)] ?? 0) * GAP_FACTOR;
}

/** One figure of the samples as a line that breaks where nothing was read. */
export function points(
  samples: readonly Sample[],
  figure: (sample: Sample, before: Sample | undefined) => number | null,
): PlotPoint[] {
  const gap = gapMs(samples);
  const list: PlotPoint[] = [];
  samples.forEach((sample, i) => {
    const before = samples[i - 1];
    const isCut = before !== undefined && sample.atMs - before.atMs > gap;
    if (isCut) list.push({ x: (before.atMs + sample.atMs) / 2, y: null });
    list.push({ x: sample.atMs, y: figure(sample, isCut ? undefined : before) });
  });
  return list;
}

/** New revisions per second since the sample before; unknown for the first of a line. */
export function revisionsPerSecond(sample: Sample, before: Sample | undefined): number | null {
  if (before === undefined || sample.atMs <= before.atMs) return null;
  return Math.max(0, sample.revision - before.revision) / ((sample.atMs - before.atMs) / 1_000);
}

export function isQuotaInSight(samples: readonly Sample[], quotaBytes: number | null): boolean {
  if (quotaBytes === null) return false;
  return samples.some((sample) => sample.dbSizeBytes >= quotaBytes * QUOTA_IN_SIGHT_SHARE);
}
