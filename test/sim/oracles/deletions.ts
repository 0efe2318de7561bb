import type { KvOperation } from '../history.ts';
import { guardHolds } from './key-model.ts';
import { modIs } from './key-ops.ts';
import type { Revision, Truth } from './truth.ts';

/**
 * Who made the revisions that only delete, for which there is no answer: a deletion's name is not its own, so that
 * several calls may come into question for several revisions. Each gets one that would have done exactly this to the
 * state before it; the assignment is a matching, so that no call is used twice. `truth` must be exact.
 */
export function writersOfDeletions(
  truth: Truth,
  operations: readonly KvOperation[],
): { writers: Map<Revision, KvOperation>; orphans: Revision[] } {
  const lost = operations.filter(({ outcome }) => !outcome.ok && outcome.error === 'unknown');
  const open = [...truth.revisions.values()].filter(
    ({ writer, lease, effects }) =>
      writer === undefined && lease === undefined && effects.every(({ type }) => type === 'delete'),
  );
  const takenBy = new Map<KvOperation, Revision>();
  const orphans = open.filter((entry) => !assign(entry, new Set()));
  return {
    writers: new Map([...takenBy].map(([operation, entry]) => [entry, operation])),
    orphans,
  };

  /** Finds one for `entry`, moving others to their second choice where that helps (Kuhn's algorithm). */
  function assign(entry: Revision, tried: Set<KvOperation>): boolean {
    for (const operation of lost) {
      if (tried.has(operation) || !deletesExactly(operation, entry, truth)) continue;
      tried.add(operation);
      const owner = takenBy.get(operation);
      if (owner !== undefined && !assign(owner, tried)) continue;
      takenBy.set(operation, entry);
      return true;
    }
    return false;
  }
}

/** Whether the call, taking effect at that revision, deletes these keys and changes nothing else. */
function deletesExactly(operation: KvOperation, entry: Revision, truth: Truth): boolean {
  if (operation.invokedMs > (entry.appliedMs ?? Number.POSITIVE_INFINITY)) return false;
  const base = entry.revision - 1;
  const isThere = (key: string) => truth.stateAt(key, base) !== 'absent';
  const wanted = new Set(entry.effects.map(({ key }) => key));
  if (operation.kind === 'delete') return wanted.size === 1 && wanted.has(operation.key);
  if (operation.kind !== 'txn') return false;
  const { compares, success, failure } = operation.input;
  const holds = compares.map(({ key, modRevision }) =>
    guardHolds(truth.stateAt(key, base), modIs(modRevision)),
  );
  const branch = holds.every((one) => one === true) ? success : failure;
  if (branch.some(({ kind }) => kind === 'put')) return false;
  const deleted = branch.filter(({ kind, key }) => kind === 'delete' && isThere(key));
  return deleted.length === wanted.size && deleted.every(({ key }) => wanted.has(key));
}
