import type { History, KvOperation } from '../history.ts';
import { wrongAnswer } from './answers.ts';
import { describeOperation } from './describe.ts';
import { effectsOf, isKv, isSerializable, possibleEffects } from './effects.ts';
import type { Truth } from './truth.ts';
import { Findings, type Violation } from './violation.ts';

/** An operation with its place in the one order of revisions. */
interface Placed {
  operation: KvOperation;
  revision: number;
  /** It made this revision, and no other operation did. */
  wrote: boolean;
}

/**
 * Linearizability by revisions, which order all writes totally: what was answered before something else was called
 * has no higher revision, every answer is right for the state at its revision, and every write has its writer.
 */
export function checkRevisionOrder(history: History, truth: Truth): Violation[] {
  const findings = new Findings('linearizable');
  const operations = history.operations.filter(isKv);
  const placed = place(operations, truth);
  checkRealTime(placed, findings);
  for (const operation of operations) {
    if (isSerializable(operation)) continue;
    const wrong = wrongAnswer(operation, truth);
    if (wrong !== undefined) {
      findings.add('answer', `${wrong}: ${describeOperation(operation)}`, [operation.id]);
    }
  }
  checkOrigins(operations, truth, findings);
  checkApplied(truth, findings);
  return findings.list;
}

function place(operations: readonly KvOperation[], truth: Truth): Placed[] {
  const placed: Placed[] = [];
  for (const operation of operations) {
    if (!operation.outcome.ok) continue;
    const { revision } = operation.outcome.output;
    placed.push({ operation, revision, wrote: effectsOf(operation).length > 0 });
  }
  for (const { revision, writer } of truth.revisions.values()) {
    if (writer === undefined || writer.outcome.ok) continue;
    placed.push({ operation: writer, revision, wrote: true });
  }
  return placed;
}

function checkRealTime(placed: readonly Placed[], findings: Findings): void {
  const byAnswer = placed.filter(({ operation }) => operation.outcome.ok);
  byAnswer.sort((a, b) => a.operation.returnedMs - b.operation.returnedMs);
  const byCall = placed.filter(({ operation }) => !isSerializable(operation));
  byCall.sort((a, b) => a.operation.invokedMs - b.operation.invokedMs);
  let answered = 0;
  let highest: Placed | undefined;
  for (const later of byCall) {
    for (; answered < byAnswer.length; answered++) {
      const earlier = byAnswer[answered] as Placed;
      if (earlier.operation.returnedMs >= later.operation.invokedMs) break;
      if (earlier.revision > (highest?.revision ?? 0)) highest = earlier;
    }
    if (highest === undefined) continue;
    const excess = later.revision - highest.revision;
    if (excess > 0 || (excess === 0 && !later.wrote)) continue;
    const rule = later.wrote ? 'write order' : 'stale read';
    const message =
      `revision ${later.revision} after revision ${highest.revision} had been answered: ` +
      `${describeOperation(highest.operation)}; then ${describeOperation(later.operation)}`;
    findings.add(rule, message, [highest.operation.id, later.operation.id]);
  }
}

/** What was answered is what the members did, and what they did somebody had asked for. */
function checkApplied({ untrue, orphans }: Truth, findings: Findings): void {
  for (const { entry, applied } of untrue) {
    const { writer, lease, revision } = entry;
    const claim = writer === undefined ? `the end of lease ${lease}` : describeOperation(writer);
    const did = applied.map(({ type, key, value }) => `${type} ${key} ${JSON.stringify(value)}`);
    const message = `at revision ${revision} members applied ${did.join(', ') || 'nothing'}, but: ${claim}`;
    findings.add('applied', message, writer === undefined ? [] : [writer.id]);
  }
  for (const { revision, effects } of orphans) {
    const keys = effects.map(({ key }) => JSON.stringify(key)).join();
    findings.add('origin', `nobody can have deleted ${keys} at revision ${revision}`);
  }
}

function checkOrigins(operations: readonly KvOperation[], truth: Truth, findings: Findings): void {
  const writers = new Map<string, KvOperation[]>();
  for (const operation of operations) {
    for (const { type, key, value } of possibleEffects(operation)) {
      const name = `${type} ${key}\n${value}`;
      const known = writers.get(name);
      if (known === undefined) writers.set(name, [operation]);
      else known.push(operation);
    }
  }
  const placesOf = new Map<number, number>();
  for (const { revision, writer, effects, lease } of truth.revisions.values()) {
    if (writer !== undefined) {
      const other = placesOf.get(writer.id);
      placesOf.set(writer.id, revision);
      if (other === undefined) continue;
      const message = `took effect at revisions ${other} and ${revision}: ${describeOperation(writer)}`;
      findings.add('once', message, [writer.id]);
      continue;
    }
    if (lease !== undefined) continue;
    for (const { type, key, value } of effects) {
      if (type === 'delete' && mayExpire(truth, key, revision)) continue;
      const by = writers.get(`${type} ${key}\n${value}`) ?? [];
      if (by.some(({ outcome }) => !outcome.ok && outcome.error === 'unknown')) continue;
      const suspects = by.map(describeOperation).join('; ');
      const message = `nothing accounts for ${type} ${JSON.stringify(key)} ${JSON.stringify(value)} at revision ${revision}; the same effect: ${suspects || 'none'}`;
      findings.add(
        'origin',
        message,
        by.map(({ id }) => id),
      );
    }
  }
}

/** The key was attached to a lease before the revision, so that the lease may have taken it. */
function mayExpire(truth: Truth, key: string, revision: number): boolean {
  const before = truth.stateAt(key, revision - 1);
  if (before === 'absent') return false;
  return before === 'any' || before.lease === undefined || before.lease !== '0';
}
