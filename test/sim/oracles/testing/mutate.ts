import type { Random } from '../../../../src-main/base/prng.ts';
import type { KvOperation } from '../../history.ts';
import { isSerializable } from '../effects.ts';

const MUTATIONS = ['stale', 'lost', 'duplicated', 'reordered', 'swapped'] as const;

/** Spoils one thing in a history, as a bug would. What comes out may by chance be legal all the same. */
export function mutate(operations: readonly KvOperation[], random: Random): KvOperation[] {
  const changed = structuredClone(operations) as KvOperation[];
  const at = random.below(changed.length);
  const target = changed[at] as KvOperation;
  const kind = MUTATIONS[random.below(MUTATIONS.length)];
  if (kind === 'reordered') shift(target, random.below(2) === 0 ? -40 : 40);
  else if (kind === 'lost') lose(changed, random);
  else if (kind === 'swapped') swap(changed, target, random);
  else if (target.outcome.ok) distort(changed, target, kind === 'stale', random);
  return changed;
}

function shift(operation: KvOperation, byMs: number): void {
  operation.invokedMs += byMs;
  operation.returnedMs += byMs;
}

/** A write is acknowledged that never took effect, or one that took effect is denied. */
function lose(operations: KvOperation[], random: Random): void {
  const target = operations[random.below(operations.length)] as KvOperation;
  if (target.outcome.ok) target.outcome = { ok: false, error: 'definite', code: 'Lost' };
  else if (target.kind === 'put') {
    target.outcome = { ok: true, output: { revision: 2 + random.below(5) } };
  }
}

/** Two operations of a kind get each other's answers. */
function swap(operations: KvOperation[], target: KvOperation, random: Random): void {
  const alike = operations.filter(({ kind }) => kind === target.kind);
  const other = alike[random.below(alike.length)] as KvOperation;
  [target.outcome, other.outcome] = [other.outcome, target.outcome];
}

/** An answer shows an older state, or the effect of something twice. */
function distort(
  operations: readonly KvOperation[],
  target: KvOperation,
  isStale: boolean,
  random: Random,
): void {
  if (!target.outcome.ok) return;
  const { output } = target.outcome;
  if (!isStale && 'kv' in output && output.kv !== undefined) {
    output.kv.version++;
    output.kv.modRevision += random.below(2);
  } else if (!isStale || !('kv' in output) || ('succeeded' in output && output.succeeded)) {
    output.revision += random.below(2) === 0 ? 1 : -1;
  } else {
    const reads = operations.filter((one) => one.kind === 'get' && !isSerializable(one));
    const source = reads[random.below(Math.max(1, reads.length))];
    const older = source?.outcome.ok && source.kind === 'get' ? source.outcome.output : undefined;
    output.kv = source?.key === target.key ? older?.kv : undefined;
  }
}
