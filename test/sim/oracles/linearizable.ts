import type { History, KeyValue, KvOperation } from '../history.ts';
import { describeOperation } from './describe.ts';
import { isKv, isSerializable, possibleEffects } from './effects.ts';
import { type KeyOp, keyModel } from './key-model.ts';
import { keyOpsOf } from './key-ops.ts';
import { checkRevisionOrder } from './revision-order.ts';
import type { Truth } from './truth.ts';
import { Findings, type Violation } from './violation.ts';
import { smallestWindow } from './window.ts';
import { type Call, linearize } from './wing-gong.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** A call on one key, with the operation that it is part of; none for the end of a lease. */
export interface KeyCall extends Call<KeyOp> {
  operation: KvOperation | undefined;
}

/**
 * Register, compare-and-swap, append and transaction histories are linearizable: by the order of revisions, and
 * by a search per key that does not look at header revisions. What the one finds the other should find too, where
 * both have the evidence.
 */
export function checkLinearizable(history: History, truth: Truth): Violation[] {
  return [...checkRevisionOrder(history, truth), ...searchKeys(history, truth)];
}

/** The search alone: linearizability is compositional, so each key is searched by itself. */
export function searchKeys(history: History, truth: Truth): Violation[] {
  const findings = new Findings('linearizable');
  const callsOf = keyCalls(history, truth);
  for (const [key, calls] of callsOf) {
    const verdict = linearize(keyModel('absent'), calls);
    if (verdict.outcome === 'linearizable') continue;
    const name = JSON.stringify(key);
    if (verdict.outcome === 'undecided') {
      findings.add('undecided', `${name}: the search of ${calls.length} calls was given up`);
      continue;
    }
    const window = smallestWindow(calls, 'absent');
    const ids = window.calls.flatMap(({ operation }) => operation?.id ?? []);
    const lines = window.calls.map((call) => `\n  ${describeCall(call)}`).join('');
    const from = window.initial === 'any' ? 'whatever it held before' : 'from no key';
    const message = `${name}: no order of these explains their answers, ${from}:${lines}`;
    findings.add('search', message, ids);
  }
  return findings.list;
}

function describeCall({ operation, complete, invoke }: KeyCall): string {
  if (operation === undefined) return `a lease took it, by ${complete} ms, after ${invoke} ms`;
  const optional = operation.outcome.ok && complete === NEVER ? ' (perhaps earlier)' : '';
  return `${describeOperation(operation)}${optional}`;
}

/** Every key's calls. A call without an answer becomes what the order of revisions shows that it was. */
export function keyCalls(history: History, truth: Truth): Map<string, KeyCall[]> {
  const operations = history.operations.filter(isKv);
  const callsOf = new Map<string, KeyCall[]>();
  const keys = new Set(truth.keys);
  for (const { key, kind } of operations) if (kind !== 'range') keys.add(key);
  const seenBy = firstSeen(operations, truth);
  const revisionOf = new Map<number, number>();
  for (const { revision, writer } of truth.revisions.values()) {
    if (writer !== undefined) revisionOf.set(writer.id, revision);
  }
  const add = (key: string, call: KeyCall): void => {
    const calls = callsOf.get(key);
    if (calls === undefined) callsOf.set(key, [call]);
    else calls.push(call);
  };
  const unique = namesAreUnique(operations);
  const droppable = truth.isComplete && unique;
  if (unique) learnFromReads(operations, revisionOf);
  for (const operation of operations) {
    if (!takesPart(operation)) continue;
    const revision = revisionOf.get(operation.id);
    if (!operation.outcome.ok && revision === undefined) {
      if (truth.isExact || (droppable && isTold(operation, truth))) continue;
    }
    const call = timesOf(operation, revision, seenBy);
    for (const [key, op] of keyOpsOf(operation, keys)) {
      add(key, {
        ...call,
        op: operation.outcome.ok ? op : attributed(operation, op, revision),
        operation,
      });
    }
  }
  const grantedMs = new Map<string, number>();
  for (const { kind, lease, atMs, keys: taken, revision } of history.leases) {
    if (kind === 'granted') {
      grantedMs.set(lease, atMs);
      continue;
    }
    const gone = { kind: 'delete', deleted: true } as const;
    const op = { guards: [], foreignGuards: false, succeeded: true, revision, failure: [] };
    const invoke = Math.min(grantedMs.get(lease) ?? 0, atMs);
    const call = { invoke, complete: atMs, operation: undefined };
    for (const key of taken) add(key, { ...call, op: { ...op, success: [gone] } });
  }
  return callsOf;
}

function takesPart(operation: KvOperation): boolean {
  const { outcome } = operation;
  if (isSerializable(operation) || (!outcome.ok && outcome.error === 'definite')) return false;
  if (operation.kind === 'get' || operation.kind === 'range') {
    return outcome.ok && operation.input.revision === 0;
  }
  return true;
}

/** What is known of a call without an answer whose write has a place among the revisions, or has none. */
function attributed(operation: KvOperation, op: KeyOp, revision: number | undefined): KeyOp {
  const mustSucceed = revision !== undefined && writesOnlyIfItSucceeds(operation);
  return { ...op, revision, succeeded: mustSucceed ? true : op.succeeded };
}

function writesOnlyIfItSucceeds(operation: KvOperation): boolean {
  if (operation.kind === 'cas' || operation.kind === 'append') return true;
  return operation.kind === 'txn' && operation.input.failure.every(({ kind }) => kind === 'get');
}

function timesOf(
  operation: KvOperation,
  revision: number | undefined,
  seenBy: (revision: number) => number,
): { invoke: number; complete: number } {
  const invoke = operation.invokedMs;
  if (operation.outcome.ok) return { invoke, complete: operation.returnedMs };
  // Once its revision or a later one is out it must have taken effect.
  return { invoke, complete: revision === undefined ? NEVER : Math.max(invoke, seenBy(revision)) };
}

/** When a revision was out at the latest: answered, or applied by a member. */
function firstSeen(operations: readonly KvOperation[], truth: Truth): (revision: number) => number {
  const answers = operations.flatMap(({ outcome, returnedMs }) =>
    outcome.ok ? [{ revision: outcome.output.revision, returnedMs }] : [],
  );
  for (const { revision, appliedMs } of truth.revisions.values()) {
    if (appliedMs !== undefined) answers.push({ revision, returnedMs: appliedMs });
  }
  answers.sort((a, b) => b.revision - a.revision);
  let earliest = NEVER;
  for (const answer of answers) {
    earliest = Math.min(earliest, answer.returnedMs);
    answer.returnedMs = earliest;
  }
  return (revision) => {
    let low = 0;
    let high = answers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((answers[middle]?.revision as number) >= revision) low = middle + 1;
      else high = middle;
    }
    return answers[low - 1]?.returnedMs ?? NEVER;
  };
}

/** A value that was read tells at which revision its put, whose answer was lost, took effect. */
function learnFromReads(operations: readonly KvOperation[], revisionOf: Map<number, number>): void {
  const lost = new Map<string, number>();
  for (const operation of operations) {
    if (operation.outcome.ok || revisionOf.has(operation.id)) continue;
    for (const { type, key, value } of possibleEffects(operation)) {
      if (type === 'put') lost.set(`${key}\n${value}`, operation.id);
    }
  }
  for (const operation of operations) {
    for (const { key, value, modRevision } of shownBy(operation)) {
      const id = lost.get(`${key}\n${value}`);
      if (id !== undefined && !revisionOf.has(id)) revisionOf.set(id, modRevision);
    }
  }
}

function shownBy({ outcome }: KvOperation): KeyValue[] {
  if (!outcome.ok) return [];
  const { output } = outcome;
  if ('kvs' in output) return output.kvs;
  if ('kv' in output) return output.kv === undefined ? [] : [output.kv];
  if (!('steps' in output)) return [];
  return output.steps.flatMap((step) => (step.kind === 'get' ? (step.kv ?? []) : []));
}

/** Whether a value tells who put it. Only then does a value that is nowhere mean that its put never happened. */
function namesAreUnique(operations: readonly KvOperation[]): boolean {
  const seen = new Set<string>();
  for (const operation of operations) {
    for (const { type, key, value } of possibleEffects(operation)) {
      const name = `${key}\n${value}`;
      if (type === 'put' && seen.has(name)) return false;
      seen.add(name);
    }
  }
  return true;
}

/** Whatever it wrote would show among the revisions under its own name. */
function isTold(operation: KvOperation, truth: Truth): boolean {
  if (operation.kind === 'delete') return truth.isDeletionTold(operation.key);
  return possibleEffects(operation).every(({ type }) => type === 'put');
}
