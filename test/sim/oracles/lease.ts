import type { History, LeaseEvent, LeaseOperation } from '../history.ts';
import { describeOperation } from './describe.ts';
import { effectsOf, isKv, leaseId } from './effects.ts';
import type { Truth } from './truth.ts';
import { Findings, type Violation } from './violation.ts';

/** Beyond its TTL and an election time-out, within which a lease without a client must be gone once a leader stays. */
export const EXPIRY_BOUND_MS = 10_000;

/** A lease never ends early, ends some time, takes its keys with it, and is not spoken of as alive afterwards. */
export function checkLeases(history: History, truth: Truth): Violation[] {
  const findings = new Findings('lease');
  const calls = callsByLease(history);
  for (const [lease, operations] of calls) {
    const events = history.leases.filter((event) => leaseId(event.lease) === lease);
    checkEarly(history, operations, events, findings);
    checkAlive(history, operations, events, findings);
    checkDead(history, operations, events, findings);
    checkEventually(history, lease, operations, findings);
  }
  for (const event of history.leases) if (event.kind === 'gone') checkKeys(event, truth, findings);
  checkAttachments(history, findings);
  return findings.list;
}

function callsByLease({ operations }: History): Map<string, LeaseOperation[]> {
  const calls = new Map<string, LeaseOperation[]>();
  for (const operation of operations) {
    if (!operation.kind.startsWith('lease')) continue;
    const call = operation as LeaseOperation;
    const lease = leaseId(call.input.lease);
    const known = calls.get(lease);
    if (known === undefined) calls.set(lease, [call]);
    else known.push(call);
  }
  return calls;
}

interface Refresh {
  operation: LeaseOperation;
  /** The lease's whole time began anew no sooner than this. */
  fromMs: number;
  ttlMs: number;
}

/** Grants and keep-alives that said that the lease lives. */
function refreshes(operations: readonly LeaseOperation[]): Refresh[] {
  return operations.flatMap((operation) => {
    if (operation.kind !== 'leaseGrant' && operation.kind !== 'leaseKeepAlive') return [];
    if (!operation.outcome.ok || operation.outcome.output.ttlSeconds <= 0) return [];
    const ttlMs = operation.outcome.output.ttlSeconds * 1_000;
    return [{ operation, fromMs: operation.invokedMs, ttlMs }];
  });
}

/**
 * The refresh that holds longest of those that were asked for by `atMs`, and until when. The clock of the leader may
 * run fast: its TTL is then shorter in true time.
 */
function holdsUntil(
  operations: readonly LeaseOperation[],
  atMs: number,
  maxClockDrift: number,
): { untilMs: number; refresh: Refresh } | undefined {
  let best: { untilMs: number; refresh: Refresh } | undefined;
  for (const refresh of refreshes(operations)) {
    if (refresh.fromMs > atMs) continue;
    const untilMs = refresh.fromMs + refresh.ttlMs / (1 + maxClockDrift);
    if (best === undefined || untilMs > best.untilMs) best = { untilMs, refresh };
  }
  return best;
}

/** Someone may have revoked it by then: then it may be gone however long its time was. */
function mayBeRevoked(operations: readonly LeaseOperation[], atMs: number): boolean {
  return operations.some(
    ({ kind, invokedMs, outcome }) =>
      kind === 'leaseRevoke' && invokedMs <= atMs && (outcome.ok || outcome.error === 'unknown'),
  );
}

function checkEarly(
  { maxClockDrift }: History,
  operations: readonly LeaseOperation[],
  events: readonly LeaseEvent[],
  findings: Findings,
): void {
  for (const { kind, lease, atMs } of events) {
    if (kind === 'granted' || mayBeRevoked(operations, atMs)) continue;
    const held = holdsUntil(operations, atMs, maxClockDrift);
    if (held === undefined || atMs >= held.untilMs) continue;
    const { operation } = held.refresh;
    const message = `lease ${lease} ended at ${atMs} ms, before ${held.untilMs} ms: ${describeOperation(operation)}`;
    findings.add('never early', message, [operation.id]);
  }
}

/** A lease whose time has not run out is not said to be gone. */
function checkAlive(
  { maxClockDrift }: History,
  operations: readonly LeaseOperation[],
  events: readonly LeaseEvent[],
  findings: Findings,
): void {
  for (const operation of operations) {
    if (!saysGone(operation) || mayBeRevoked(operations, operation.returnedMs)) continue;
    const earlier = operations.filter(({ returnedMs }) => returnedMs < operation.invokedMs);
    const held = holdsUntil(earlier, operation.invokedMs, maxClockDrift);
    if (held === undefined || operation.returnedMs >= held.untilMs) continue;
    if (events.some(({ kind, atMs }) => kind === 'gone' && atMs <= operation.returnedMs)) continue;
    const message = `it lives until ${held.untilMs} ms: ${describeOperation(held.refresh.operation)}; then ${describeOperation(operation)}`;
    findings.add('alive', message, [held.refresh.operation.id, operation.id]);
  }
}

function saysGone(operation: LeaseOperation): boolean {
  if (operation.kind !== 'leaseKeepAlive' && operation.kind !== 'leaseTimeToLive') return false;
  if (!operation.outcome.ok) return false;
  const { ttlSeconds } = operation.outcome.output;
  return operation.kind === 'leaseKeepAlive' ? ttlSeconds <= 0 : ttlSeconds < 0;
}

/** What is gone answers 0 to a keep-alive and -1, or 0, to a question for its time. */
function checkDead(
  { electionTimeoutMs }: History,
  operations: readonly LeaseOperation[],
  events: readonly LeaseEvent[],
  findings: Findings,
): void {
  const ends = events.filter(({ kind }) => kind === 'gone').map(({ atMs }) => atMs);
  for (const { kind, outcome, returnedMs } of operations) {
    if (kind === 'leaseRevoke' && outcome.ok) ends.push(returnedMs);
  }
  for (const operation of operations) {
    if (operation.kind !== 'leaseKeepAlive' && operation.kind !== 'leaseTimeToLive') continue;
    if (!operation.outcome.ok || operation.outcome.output.ttlSeconds <= 0) continue;
    // The leader may apply the end a little later than the member where it was seen first.
    const end = ends.find((atMs) => atMs + electionTimeoutMs < operation.invokedMs);
    if (end === undefined || mayBeGrantedAnew(operations, events, end, operation.returnedMs)) {
      continue;
    }
    findings.add('dead', `it was gone at ${end} ms: ${describeOperation(operation)}`, [
      operation.id,
    ]);
  }
}

function mayBeGrantedAnew(
  operations: readonly LeaseOperation[],
  events: readonly LeaseEvent[],
  afterMs: number,
  untilMs: number,
): boolean {
  const isNew = (atMs: number) => atMs > afterMs && atMs <= untilMs;
  const wasGranted = events.some(({ kind, atMs }) => kind === 'granted' && isNew(atMs));
  const mayHaveBeen = operations.some(
    ({ kind, outcome, invokedMs, returnedMs }) =>
      kind === 'leaseGrant' &&
      (outcome.ok || outcome.error === 'unknown') &&
      invokedMs <= untilMs &&
      (!outcome.ok || returnedMs > afterMs),
  );
  return wasGranted || mayHaveBeen;
}

function checkEventually(
  history: History,
  lease: string,
  operations: readonly LeaseOperation[],
  findings: Findings,
): void {
  const { final, electionTimeoutMs, maxClockDrift } = history;
  if (final === undefined || !final.leases.map(leaseId).includes(lease)) return;
  let fromMs = lastLeaderChange(history);
  let ttlMs = 0;
  for (const { kind, outcome, returnedMs, input } of operations) {
    if (kind !== 'leaseGrant' && kind !== 'leaseKeepAlive') continue;
    // One without an answer may have been heard until its client gave up; one that never ended, at any time.
    if (outcome.ok || outcome.error === 'unknown') fromMs = Math.max(fromMs, returnedMs);
    if (outcome.ok) ttlMs = Math.max(ttlMs, outcome.output.ttlSeconds * 1_000);
    else if ('ttlSeconds' in input) ttlMs = Math.max(ttlMs, input.ttlSeconds * 1_000);
  }
  const deadlineMs =
    fromMs +
    (ttlMs + electionTimeoutMs + EXPIRY_BOUND_MS) * ((1 + maxClockDrift) / (1 - maxClockDrift));
  if (final.atMs <= deadlineMs) return;
  const message = `lease ${lease} is still there at ${final.atMs} ms; it should have ended by ${deadlineMs} ms`;
  findings.add(
    'eventually',
    message,
    operations.map(({ id }) => id),
  );
}

/** A new leader gives every lease its whole time again. */
function lastLeaderChange({ observations }: History): number {
  let highestTerm = 0;
  let sinceMs = 0;
  for (const { role, term, atMs } of [...observations].sort((a, b) => a.atMs - b.atMs)) {
    if (role !== 'leader' || term <= highestTerm) continue;
    highestTerm = term;
    sinceMs = atMs;
  }
  return sinceMs;
}

/** A lease takes with it exactly the keys that are attached to it. */
function checkKeys(gone: LeaseEvent, truth: Truth, findings: Findings): void {
  const { revision, keys, atMs } = gone;
  const lease = leaseId(gone.lease);
  const before = keys.length > 0 ? revision - 1 : revision;
  for (const key of truth.keys) {
    const state = truth.stateAt(key, before);
    const isAttached = typeof state !== 'string' && state.lease === lease;
    const isTaken = keys.includes(key);
    if (isAttached && !isTaken) {
      findings.add('outlives', `${JSON.stringify(key)} outlives lease ${lease} at ${atMs} ms`);
    }
    if (!isTaken || isAttached || state === 'any') continue;
    if (typeof state !== 'string' && state.lease === undefined) continue;
    findings.add('outlives', `lease ${lease} took ${JSON.stringify(key)}, which was not its own`);
  }
}

/** Nothing is attached to a lease that is not there. */
function checkAttachments(history: History, findings: Findings): void {
  for (const operation of history.operations) {
    if (!isKv(operation) || !operation.outcome.ok) continue;
    const { revision } = operation.outcome.output;
    for (const { lease, key } of effectsOf(operation)) {
      if (lease === '0') continue;
      const events = history.leases.filter((event) => leaseId(event.lease) === lease);
      const last = events.findLast((event) => event.revision < revision);
      if (last?.kind !== 'gone') continue;
      if (events.some((event) => event.kind === 'granted' && event.revision === revision)) continue;
      const message = `${JSON.stringify(key)} was attached to lease ${lease}, gone since revision ${last.revision}: ${describeOperation(operation)}`;
      findings.add('outlives', message, [operation.id]);
    }
  }
  const { final } = history;
  for (const { key, lease } of final?.kvs ?? []) {
    if (leaseId(lease) === '0' || final?.leases.map(leaseId).includes(leaseId(lease))) continue;
    findings.add(
      'outlives',
      `${JSON.stringify(key)} is there at the end and lease ${lease} is not`,
    );
  }
}
