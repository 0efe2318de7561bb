import type { History } from '../../sim/history.ts';
import { checkHistory, type Violation } from '../../sim/oracles/index.ts';

const MAX_SHOWN = 10;
/** Of one violation: values may be long. */
const MAX_SHOWN_CHARACTERS = 1_000;

export interface Report {
  seed: number;
  operations: number;
  acknowledged: number;
  /** Without an answer, or with one that leaves open whether it happened. */
  unknown: number;
  events: number;
  progress: number;
  resumptions: number;
  revision: number;
  faults: ReadonlyMap<string, number>;
  violations: readonly Violation[];
  /** The longest that it took, after harm was mended, until every member answered. */
  slowestHealMs: number;
  /** Why the run ended early, if it did. */
  failure: string | undefined;
  judgedInMs: number;
}

export function judge(history: History, failure?: string): Report {
  const startedMs = performance.now();
  const violations = checkHistory(history);
  const judgedInMs = performance.now() - startedMs;
  const { seed, operations, watches, final } = history;
  const items = watches.flatMap((watch) => watch.items);
  const events = items.map((item) => (item.kind === 'events' ? item.events.length : 0));
  const faults = new Map<string, number>();
  for (const { kind } of history.faults) faults.set(kind, (faults.get(kind) ?? 0) + 1);
  const unknown = operations.filter(({ outcome }) => !outcome.ok && outcome.error === 'unknown');
  return {
    ...{ seed, faults, violations, failure, judgedInMs, operations: operations.length },
    ...{ unknown: unknown.length, revision: final?.revision ?? 0 },
    slowestHealMs: Math.max(0, ...history.faults.map(({ healedInMs }) => healedInMs ?? 0)),
    acknowledged: operations.filter(({ outcome }) => outcome.ok).length,
    progress: items.filter(({ kind }) => kind === 'progress').length,
    events: events.reduce((sum, count) => sum + count, 0),
    resumptions: items.filter(({ kind }) => kind === 'resumed' || kind === 'restarted').length,
  };
}

/** Nothing was violated, and the cluster answered in time. */
export function isGood({ violations, failure }: Report): boolean {
  return violations.length === 0 && failure === undefined;
}

export function describeReport(report: Report): string {
  const { seed, violations, judgedInMs, failure, revision } = report;
  const shown = violations.slice(0, MAX_SHOWN);
  const lines = [
    `seed ${seed}: ${describeCounts(report)}, revision ${revision};`,
    `  ${describeFaults(report.faults)}, ${describeHeal(report.slowestHealMs)};`,
    `  ${violations.length} violations (judged in ${Math.round(judgedInMs)} ms)`,
    ...shown.map(({ oracle, rule, message }) =>
      `  ${oracle}, ${rule}: ${message}`.slice(0, MAX_SHOWN_CHARACTERS),
    ),
    ...(failure === undefined ? [] : [`  not in time: ${failure}`]),
  ];
  return lines.join('\n');
}

/** Of all rounds together. */
export function describeReports(reports: readonly Report[]): string {
  const sum = (of: (report: Report) => number) => reports.reduce((all, one) => all + of(one), 0);
  const faults = new Map<string, number>();
  for (const [kind, count] of reports.flatMap((report) => [...report.faults])) {
    faults.set(kind, (faults.get(kind) ?? 0) + count);
  }
  const counts = {
    operations: sum(({ operations }) => operations),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    unknown: sum(({ unknown }) => unknown),
    events: sum(({ events }) => events),
    progress: sum(({ progress }) => progress),
    resumptions: sum(({ resumptions }) => resumptions),
  };
  const slowest = Math.max(0, ...reports.map(({ slowestHealMs }) => slowestHealMs));
  const late = reports.filter(({ failure }) => failure !== undefined).length;
  return [
    `${reports.length} rounds: ${describeCounts(counts)};`,
    `  ${describeFaults(faults)}, ${describeHeal(slowest)};`,
    `  ${sum(({ violations }) => violations.length)} violations, ${late} rounds not in time`,
  ].join('\n');
}

type Counts = Pick<
  Report,
  'operations' | 'acknowledged' | 'unknown' | 'events' | 'progress' | 'resumptions'
>;

function describeCounts(counts: Counts): string {
  const { operations, acknowledged, unknown, events, progress, resumptions } = counts;
  return (
    `${operations} operations, ${acknowledged} acknowledged, ${unknown} unknown; ` +
    `${events} events and ${progress} progress notifications at watches that went on ` +
    `${resumptions} times`
  );
}

function describeFaults(faults: ReadonlyMap<string, number>): string {
  const total = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const kinds = [...faults].map(([kind, count]) => `${count} ${kind}`);
  return `${total} faults (${kinds.sort().join(', ')})`;
}

const describeHeal = (ms: number) => `all answered again within ${(ms / 1_000).toFixed(1)} s`;
