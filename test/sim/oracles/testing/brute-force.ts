import { isDeepStrictEqual } from 'node:util';
import type { KvOperation } from '../../history.ts';
import { Store } from './store.ts';

/** Tries every order of every choice of what may have taken effect. For a handful of operations. */
export function isLegal(operations: readonly KvOperation[]): boolean {
  const left = operations.filter(({ outcome }) => outcome.ok || outcome.error === 'unknown');
  return search(left, []);
}

function search(left: readonly KvOperation[], done: readonly KvOperation[]): boolean {
  if (left.every(({ outcome }) => !outcome.ok)) return true;
  return left.some((next) => {
    const isLate = left.some((one) => one.outcome.ok && one.returnedMs < next.invokedMs);
    if (isLate) return false;
    const store = new Store();
    for (const operation of done) store.run(operation);
    const answered = store.run(next);
    if (next.outcome.ok && !isDeepStrictEqual(answered.outcome, next.outcome)) return false;
    return search(
      left.filter((one) => one !== next),
      [...done, next],
    );
  });
}
