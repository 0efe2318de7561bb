import { createHash } from 'node:crypto';
import { describeOperation } from './oracles/describe.ts';
import type { RunResult } from './run.ts';
import { commandOf, type Shrunk } from './shrink.ts';

/** Lines of a trace that are printed: how it came to the end. */
const TRACE_LINES = 120;
/** Of a failure that was made small, where the faults are listed by themselves. */
const FAILURE_LINES = 60;
const FAULT_LINES = 40;
const OPERATION_LINES = 20;

export function describeResult(result: RunResult): string {
  const { seed, settings, violations, simulatedMs, operations, faults, steps } = result;
  const simulatedSeconds = simulatedMs / 1_000;
  const cpuSeconds = result.cpuMs / 1_000;
  const ratio = (simulatedSeconds / cpuSeconds).toFixed(0);
  const lines = [
    `seed ${seed}: ${settings.members} members, ${simulatedSeconds.toFixed(1)} simulated s, ` +
      `${cpuSeconds.toFixed(2)} CPU s (${ratio}x), ${steps} events, ${operations} operations, ` +
      `${faults} faults (${result.faultKinds.join()}), ${violations.length} violations`,
    ...violations.map(({ atMs, property, detail }) => `  ${seconds(atMs)} ${property}: ${detail}`),
  ];
  return lines.join('\n');
}

export function describeTrace(trace: readonly string[], lines = TRACE_LINES): string {
  return trace
    .slice(-lines)
    .map((line) => `    ${line}`)
    .join('\n');
}

/** A failure for somebody who has never seen it: what broke, in what cluster, after which faults and calls. */
export function describeFailure({ options, result, runs }: Shrunk): string {
  const { violations, history, settings, trace } = result;
  const concerned = new Set(violations[0]?.operations ?? []);
  const operations = history.operations.filter(({ id }) => concerned.has(id));
  // What an oracle finds at the end of a run happened long before.
  const ends = operations.map(({ invokedMs, returnedMs }) =>
    Number.isFinite(returnedMs) ? returnedMs : invokedMs,
  );
  const untilMs = ends.length > 0 ? Math.max(...ends) + 1 : (violations[0]?.atMs ?? 0);
  const before = history.operations.filter(({ invokedMs }) => invokedMs <= untilMs);
  const shown = (operations.length > 0 ? operations : before).slice(-OPERATION_LINES);
  const faults = history.faults
    .filter(({ atMs }) => atMs <= untilMs)
    .map(({ atMs, kind, members, detail }) => `${seconds(atMs)} ${kind} ${members} ${detail}`);
  const lines = trace.filter((line) => Number.parseFloat(line) * 1_000 <= untilMs);
  return [
    `smallest failure of seed ${options.seed}, found in ${runs} runs:`,
    ...section(
      'broken',
      violations.slice(0, 3).map((one) => `${seconds(one.atMs)} ${one.property}: ${one.detail}`),
    ),
    ...section('cluster', [JSON.stringify(settings)]),
    ...section('faults and changes', faults.slice(-FAULT_LINES)),
    ...section(
      operations.length > 0 ? 'calls concerned' : 'last calls',
      shown.map(describeOperation),
    ),
    ...section('how it came to it', lines.slice(-FAILURE_LINES)),
    `  again: ${commandOf(options)}`,
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return [`  ${title}${lines.length === 0 ? ': none' : ''}`, ...lines.map((line) => `    ${line}`)];
}

/** Stands for all that a run did and saw: two runs of one seed have the same. */
export function digestOf({ trace, history, steps, simulatedMs }: RunResult): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([trace, history, steps, simulatedMs]));
  return hash.digest('hex').slice(0, 16);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(4)}s`;
}
