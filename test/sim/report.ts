import type { RunResult } from './run.ts';

/** Lines of a trace that are printed: how it came to the end. */
const TRACE_LINES = 120;

export function describeResult(result: RunResult): string {
  const { seed, settings, violations, simulatedMs, operations, faults, steps } = result;
  const seconds = simulatedMs / 1_000;
  const cpuSeconds = result.cpuMs / 1_000;
  const ratio = (seconds / cpuSeconds).toFixed(0);
  const lines = [
    `seed ${seed}: ${settings.members} members, ${seconds.toFixed(1)} simulated s, ` +
      `${cpuSeconds.toFixed(2)} CPU s (${ratio}x), ${steps} events, ${operations} operations, ` +
      `${faults} faults (${result.faultKinds.join()}), ${violations.length} violations`,
    ...violations.map(
      ({ atMs, property, detail }) => `  ${(atMs / 1_000).toFixed(4)}s ${property}: ${detail}`,
    ),
  ];
  return lines.join('\n');
}

export function describeTrace(trace: readonly string[]): string {
  return trace
    .slice(-TRACE_LINES)
    .map((line) => `    ${line}`)
    .join('\n');
}
