import { median, pairedRatio, spread } from '../measure/statistics.ts';
import type { Measurement, Sample } from '../workloads.ts';

/** All samples of a benchmark: by workload and server, one for each round. */
export class Results {
  readonly measurements = new Map<string, Measurement>();
  readonly #samples = new Map<string, Map<string, Sample[]>>();

  add(measurement: Measurement, engine: string, sample: Sample): void {
    this.measurements.set(measurement.id, measurement);
    const byEngine = this.#samples.get(measurement.id) ?? new Map<string, Sample[]>();
    this.#samples.set(measurement.id, byEngine);
    byEngine.set(engine, [...(byEngine.get(engine) ?? []), sample]);
  }

  of(id: string, engine: string): Sample[] {
    return this.#samples.get(id)?.get(engine) ?? [];
  }

  toJson(): Record<string, Record<string, Sample[]>> {
    return Object.fromEntries(
      [...this.#samples].map(([id, byEngine]) => [id, Object.fromEntries(byEngine)]),
    );
  }
}

/** Whether a goal is met; undefined if there is nothing to compare with. */
export function goalMet(
  { goal, higherIsBetter }: Measurement,
  ours: number,
  ratio: number | undefined,
): boolean | undefined {
  const [value, wanted] =
    goal?.absolute !== undefined ? [ours, goal.absolute] : [ratio, goal?.ratio];
  if (value === undefined || wanted === undefined) return undefined;
  return higherIsBetter ? value >= wanted : value <= wanted;
}

/** A Markdown table: ours, then the others with the ratio of ours to each, paired round by round. */
export function markdownTable(results: Results, engines: readonly string[]): string {
  const [ours = '', ...others] = engines;
  const head = ['workload', ...engines, ...others.map((name) => `${ours} / ${name}`), 'goal'];
  const lines = [head, head.map(() => '---')];
  for (const measurement of results.measurements.values()) {
    const samples = engines.map((name) => results.of(measurement.id, name));
    const ratios = samples.slice(1).map((theirs) => ratioOf(samples[0] ?? [], theirs));
    const cells = samples.map((list) => cellOf(measurement, list));
    const etcdAt = others.indexOf('etcd');
    lines.push([
      measurement.title,
      ...cells,
      ...ratios.map((ratio) => (ratio === undefined ? '' : `${ratio.toFixed(2)}x`)),
      goalOf(measurement, samples[0] ?? [], ratios[etcdAt]),
    ]);
  }
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function ratioOf(ours: Sample[], theirs: Sample[]): number | undefined {
  if (ours.length === 0 || theirs.length === 0) return undefined;
  return pairedRatio(valuesOf(ours), valuesOf(theirs));
}

function valuesOf(samples: Sample[]): number[] {
  return samples.map(({ value }) => value);
}

function cellOf({ unit }: Measurement, samples: Sample[]): string {
  if (samples.length === 0) return '';
  const values = valuesOf(samples);
  const figure = `${compact(median(values))}${unit.startsWith('/') ? '' : ' '}${unit}`;
  const parts = [`${figure} ±${Math.round(spread(values) * 100)}%`];
  const of = (pick: (sample: Sample) => number | undefined): number =>
    median(samples.map((sample) => pick(sample) ?? Number.NaN));
  if (samples[0]?.p50Ms !== undefined) {
    parts.push(`p50 ${compact(of((s) => s.p50Ms))}`, `p99 ${compact(of((s) => s.p99Ms))} ms`);
    parts.push(`${compact(of((s) => s.cpuUsPerOperation))} µs CPU`);
  }
  return parts.join(', ');
}

function goalOf(measurement: Measurement, ours: Sample[], ratio: number | undefined): string {
  const { goal, higherIsBetter, unit } = measurement;
  if (goal === undefined || ours.length === 0) return '';
  const sign = higherIsBetter ? '>=' : '<=';
  const wanted = goal.absolute === undefined ? `${goal.ratio}x` : `${goal.absolute} ${unit}`;
  const met = goalMet(measurement, median(valuesOf(ours)), ratio);
  return `${sign} ${wanted}${met === undefined ? '' : met ? ', met' : ', missed'}`;
}

/** Three digits that count; thousands as k. */
export function compact(value: number): string {
  if (Number.isNaN(value)) return '?';
  if (value >= 10_000) return `${(value / 1000).toFixed(1)}k`;
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
