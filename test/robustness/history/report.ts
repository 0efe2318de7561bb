import type { History } from '../../sim/history.ts';
import { checkHistory, type Violation } from '../../sim/oracles/index.ts';

const MAX_SHOWN = 10;

export interface Report {
  seed: number;
  operations: number;
  acknowledged: number;
  /** Without an answer, or with one that leaves open whether it happened. */
  unknown: number;
  events: number;
  resumptions: number;
  revision: number;
  faults: ReadonlyMap<string, number>;
  violations: readonly Violation[];
  judgedInMs: number;
}

export function judge(history: History): Report {
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
    ...{ seed, faults, violations, judgedInMs, operations: operations.length },
    ...{ unknown: unknown.length, revision: final?.revision ?? 0 },
    acknowledged: operations.filter(({ outcome }) => outcome.ok).length,
    events: events.reduce((sum, count) => sum + count, 0),
    resumptions: items.filter(({ kind }) => kind === 'resumed' || kind === 'restarted').length,
  };
}

export function describeReport(report: Report): string {
  const { seed, operations, acknowledged, unknown, faults, violations, judgedInMs } = report;
  const { events, resumptions, revision } = report;
  const kinds = [...faults].map(([kind, count]) => `${count} ${kind}`);
  const total = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const shown = violations.slice(0, MAX_SHOWN);
  const lines = [
    `seed ${seed}: ${operations} operations, ${acknowledged} acknowledged, ${unknown} unknown, revision ${revision};`,
    `  ${events} events at watches that went on ${resumptions} times;`,
    `  ${total} faults: ${kinds.sort().join(', ')};`,
    `  ${violations.length} violations (judged in ${Math.round(judgedInMs)} ms)`,
    ...shown.map(({ oracle, rule, message }) => `  ${oracle}, ${rule}: ${message}`),
  ];
  return lines.join('\n');
}
