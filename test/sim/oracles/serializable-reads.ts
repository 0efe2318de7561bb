import type { History, KvOperation } from '../history.ts';
import { wrongRead } from './answers.ts';
import { describeOperation } from './describe.ts';
import { inRange, isKv, isSerializable, readRevision } from './effects.ts';
import type { Truth } from './truth.ts';
import { Findings, type Violation } from './violation.ts';

type Read = Extract<KvOperation, { kind: 'get' | 'range' }>;

/**
 * A serializable read may be old, and nothing else: what it shows is the state at its header's revision, whole, and
 * nothing that nobody had asked for yet when it was answered.
 */
export function checkSerializableReads(history: History, truth: Truth): Violation[] {
  const findings = new Findings('serializable-reads');
  const isRead = (operation: KvOperation): operation is Read => isSerializable(operation);
  const reads = history.operations.filter(isKv).filter(isRead);
  checkFuture(reads, truth, findings);
  for (const read of reads) {
    if (!read.outcome.ok) continue;
    const revision = readRevision(read.input.revision, read.outcome.output.revision);
    const wrong = wrongRead(read, truth, revision);
    if (wrong === undefined) continue;
    const other = otherRevision(read, truth, revision);
    const rule = other === undefined ? 'mixed' : 'header';
    const where = other === undefined ? 'no revision shows this' : `revision ${other} would`;
    findings.add(rule, `${wrong}; ${where}: ${describeOperation(read)}`, [read.id]);
  }
  return findings.list;
}

/** Each revision was written by something that had been called before a read answered it. */
function checkFuture(reads: readonly Read[], truth: Truth, findings: Findings): void {
  const writes = [...truth.revisions.values()].flatMap(({ revision, writer }) =>
    writer === undefined ? [] : [{ revision, writer }],
  );
  writes.sort((a, b) => b.writer.invokedMs - a.writer.invokedMs);
  const byAnswer = reads.filter(({ outcome }) => outcome.ok);
  byAnswer.sort((a, b) => b.returnedMs - a.returnedMs);
  let called = 0;
  let lowest: (typeof writes)[number] | undefined;
  for (const read of byAnswer) {
    for (; called < writes.length; called++) {
      const write = writes[called] as (typeof writes)[number];
      if (write.writer.invokedMs <= read.returnedMs) break;
      if (write.revision < (lowest?.revision ?? Number.POSITIVE_INFINITY)) lowest = write;
    }
    if (!read.outcome.ok || lowest === undefined) continue;
    if (read.outcome.output.revision < lowest.revision) continue;
    const message = `at revision ${read.outcome.output.revision} before revision ${lowest.revision} was asked for: ${describeOperation(read)}; then ${describeOperation(lowest.writer)}`;
    findings.add('future', message, [read.id, lowest.writer.id]);
  }
}

/** The newest earlier revision at which the read would be right; undefined if it mixes several. */
function otherRevision(read: Read, truth: Truth, before: number): number | undefined {
  const end = read.kind === 'range' ? read.input.end : '';
  const changes = truth.keys
    .filter((key) => inRange(key, read.key, end))
    .flatMap((key) => truth.changesOf(key))
    .filter((revision) => revision < before);
  const candidates = [1, ...changes].sort((a, b) => b - a);
  return candidates.find((revision) => wrongRead(read, truth, revision) === undefined);
}
