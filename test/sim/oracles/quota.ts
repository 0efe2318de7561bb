import type { History, Operation } from '../history.ts';
import { describeOperation } from './describe.ts';
import { effectsOf, isKv } from './effects.ts';
import { Findings, type Violation } from './violation.ts';

/**
 * No put is accepted once another was refused for want of space, until somebody may have asked to disarm the alarm:
 * whoever is full tells the others before it refuses. Nor between the moment at which every member had the NOSPACE alarm applied and the moment at which
 * the first was asked to disarm it. A put that was under way at either end may have come before or after.
 */
export function checkQuota(history: History): Violation[] {
  const findings = new Findings('quota');
  checkRefusals(history.operations, findings);
  for (const { from, until } of alarmed(history)) {
    for (const operation of history.operations) {
      if (!isKv(operation) || operation.invokedMs <= from || operation.returnedMs >= until)
        continue;
      if (!effectsOf(operation).some(({ type }) => type === 'put')) continue;
      const message = `accepted while NOSPACE was raised, ${from} to ${until} ms: ${describeOperation(operation)}`;
      findings.add('no put past an alarm', message, [operation.id]);
    }
  }
  return findings.list;
}

/** After the first disarming a member that lags may refuse by an alarm of the past. */
function checkRefusals(operations: readonly Operation[], findings: Findings): void {
  const disarms = operations.filter(({ kind }) => kind === 'alarmDisarm');
  const until = Math.min(...disarms.map(({ invokedMs }) => invokedMs));
  const refusals = operations.filter(({ outcome }) => !outcome.ok && outcome.code === 'NoSpace');
  const from = Math.min(...refusals.map(({ returnedMs }) => returnedMs));
  for (const operation of operations) {
    if (!isKv(operation) || operation.invokedMs <= from || operation.returnedMs >= until) continue;
    if (!effectsOf(operation).some(({ type }) => type === 'put')) continue;
    const message = `accepted after one was refused at ${from} ms: ${describeOperation(operation)}`;
    findings.add('no put past a refusal', message, [operation.id]);
  }
}

/** Spans in which the alarm was surely in force: it is in the state as soon as one member has applied it. */
function alarmed({ observations, operations }: History): { from: number; until: number }[] {
  const disarms = operations
    .filter((one): one is Operation & { kind: 'alarmDisarm' } => one.kind === 'alarmDisarm')
    .map(({ invokedMs, returnedMs, outcome }) => ({
      invokedMs,
      // One without an answer may take effect at any later time.
      endedMs: outcome.ok ? returnedMs : Number.POSITIVE_INFINITY,
      never: !outcome.ok && outcome.error === 'definite',
    }))
    .filter(({ never }) => !never);
  const spans: { from: number; until: number }[] = [];
  let until = Number.NEGATIVE_INFINITY;
  for (const { atMs, alarms } of [...observations].sort((a, b) => a.atMs - b.atMs)) {
    if (atMs < until || !alarms.some(({ alarm }) => alarm === 'NOSPACE')) continue;
    // A member that lags may show an alarm that is disarmed: only one that nobody could have disarmed counts.
    if (disarms.some(({ invokedMs }) => invokedMs <= atMs)) {
      const open = disarms.some((one) => one.invokedMs <= atMs && one.endedMs >= atMs);
      if (open || !isFresh(observations, atMs, disarms)) continue;
    }
    const next = disarms.filter(({ invokedMs }) => invokedMs > atMs).map((one) => one.invokedMs);
    until = Math.min(Number.POSITIVE_INFINITY, ...next);
    spans.push({ from: atMs, until });
  }
  return spans;
}

/** The same member was seen without the alarm after the last disarm: this one was raised anew. */
function isFresh(
  observations: History['observations'],
  atMs: number,
  disarms: readonly { endedMs: number }[],
): boolean {
  const last = Math.max(...disarms.map(({ endedMs }) => endedMs).filter((ended) => ended <= atMs));
  const raised = observations.find((one) => one.atMs === atMs && one.alarms.length > 0);
  return observations.some(
    ({ member, atMs: seen, alarms }) =>
      member === raised?.member && seen > last && seen < atMs && alarms.length === 0,
  );
}
