import type { History, KvOperation, MemberObservation, Operation } from '../history.ts';
import { describeOperation } from './describe.ts';
import { isKv, isSerializable } from './effects.ts';
import type { Truth } from './truth.ts';
import { Findings, type Violation } from './violation.ts';

/**
 * Revisions never go back: for a member from start to start as soon as it has applied again what it had, for a
 * client by the headers of its answers, for compaction nowhere.
 */
export function checkRevisions(history: History, truth: Truth): Violation[] {
  const findings = new Findings('revisions');
  checkMembers(history.observations, findings);
  checkClients(history.operations, findings);
  for (const { operation, revision } of truth.rivals) {
    const owner = truth.revisions.get(revision)?.writer as Operation;
    const message = `two writes have revision ${revision}: ${describeOperation(owner)}; ${describeOperation(operation)}`;
    findings.add('one per write', message, [owner.id, operation.id]);
  }
  checkCompacted(history.operations, findings);
  checkDense(history, truth, findings);
  return findings.list;
}

function checkMembers(observations: readonly MemberObservation[], findings: Findings): void {
  const lastOf = new Map<string, MemberObservation>();
  const inOrder = [...observations].sort((a, b) => a.atMs - b.atMs);
  for (const now of inOrder) {
    const at = `${now.member} at ${now.atMs} ms`;
    if (now.compactRevision > now.revision) {
      findings.add(
        'compaction',
        `${at}: compacted ${now.compactRevision} above its revision ${now.revision}`,
      );
    }
    // A member id that comes back with an empty folder is another member.
    const name = `${now.member} ${now.memberId}`;
    const before = lastOf.get(name);
    // Before a restarted member has applied what it had applied, its revision may be that of an earlier entry.
    if (before !== undefined && now.applied >= before.applied) {
      if (now.revision < before.revision) {
        findings.add('member', `${at}: revision ${now.revision} after ${before.revision}`);
      }
      if (now.compactRevision < before.compactRevision) {
        const message = `${at}: compacted to ${now.compactRevision} after ${before.compactRevision}`;
        findings.add('compaction', message);
      }
    }
    if (before === undefined || now.applied >= before.applied) lastOf.set(name, now);
  }
}

/** A client's answers: linearizable ones by all that it has seen, serializable ones are allowed to lag. */
function checkClients(operations: readonly Operation[], findings: Findings): void {
  const lastOf = new Map<number, Operation>();
  const inOrder = [...operations].sort((a, b) => a.returnedMs - b.returnedMs);
  for (const operation of inOrder) {
    if (!operation.outcome.ok || !isKv(operation)) continue;
    const before = lastOf.get(operation.client);
    const seen = before?.outcome.ok ? before.outcome.output.revision : 0;
    const { revision } = operation.outcome.output;
    if (revision > seen) lastOf.set(operation.client, operation);
    if (before === undefined || revision >= seen || isSerializable(operation)) continue;
    // A client has one call under way at a time; one whose calls overlap has no order of its own.
    if (before.returnedMs > operation.invokedMs) continue;
    const message = `revision ${revision} after ${seen}: ${describeOperation(before)}; ${describeOperation(operation)}`;
    findings.add('client', message, [before.id, operation.id]);
  }
}

/** What was compacted before a read was asked for is refused by it, at whatever member and in a transaction, too. */
function checkCompacted(operations: readonly Operation[], findings: Findings): void {
  const compactions = operations.filter(
    (one): one is Operation & { kind: 'compact' } => one.kind === 'compact' && one.outcome.ok,
  );
  compactions.sort((a, b) => a.returnedMs - b.returnedMs);
  const reads = operations.filter(isKv).filter((one) => one.outcome.ok && !isSerializable(one));
  reads.sort((a, b) => a.invokedMs - b.invokedMs);
  let highest: (typeof compactions)[number] | undefined;
  let done = 0;
  for (const read of reads) {
    for (; (compactions[done]?.returnedMs ?? Number.POSITIVE_INFINITY) < read.invokedMs; done++) {
      const one = compactions[done] as (typeof compactions)[number];
      if (one.input.revision > (highest?.input.revision ?? 0)) highest = one;
    }
    const oldest = oldestRead(read);
    if (highest === undefined || oldest === undefined || oldest >= highest.input.revision) continue;
    const message = `revision ${oldest} was read: ${describeOperation(highest)}; ${describeOperation(read)}`;
    findings.add('compacted', message, [highest.id, read.id]);
  }
}

/** The oldest revision that it asked for by number and that was read; undefined if there is none. */
function oldestRead(operation: KvOperation): number | undefined {
  const { kind, input } = operation;
  if (kind === 'get' || kind === 'range') return input.revision > 0 ? input.revision : undefined;
  if (kind !== 'txn' || !operation.outcome.ok) return undefined;
  const ran = operation.outcome.output.succeeded ? input.success : input.failure;
  const asked = ran.flatMap((step) => (step.kind === 'get' ? (step.revision ?? 0) : []));
  const past = asked.filter((revision) => revision > 0);
  return past.length > 0 ? Math.min(...past) : undefined;
}

/** Where every write is known no number between is left out. */
function checkDense(history: History, truth: Truth, findings: Findings): void {
  const mayHide = history.operations.some(
    (operation) =>
      isKv(operation) && !operation.outcome.ok && operation.outcome.error === 'unknown',
  );
  const mayExpire = history.operations.some(({ kind }) => kind === 'leaseGrant');
  if (mayHide || mayExpire) return;
  for (let at = 2; at <= truth.lastRevision; at++) {
    if (!truth.revisions.has(at)) findings.add('dense', `nothing was written at revision ${at}`);
  }
}
