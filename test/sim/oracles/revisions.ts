import type { History, MemberObservation, Operation } from '../history.ts';
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
