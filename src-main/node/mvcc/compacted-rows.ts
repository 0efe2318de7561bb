import { currentMod, currentSub } from '../storage/schema/current.ts';
import { historyKey, historyMain } from '../storage/schema/history.ts';
import { decodeCompaction, META_COMPACTION } from '../storage/schema/meta.ts';
import {
  isDelete,
  previousMain,
  previousSub,
  revisionKey,
  revisionMain,
  revisionSub,
  revisionUserKey,
} from '../storage/schema/revisions.ts';
import type { Row, StateView } from '../storage/types.ts';
import type { Pacer } from './pacer.ts';

const MAX_SUB = 0xffff_ffff;

/**
 * Versions that are followed back from the newest one before the history is searched: a look-up
 * costs a fraction of a search.
 */
const MAX_STEPS_BACK = 3;

/** Main revision of the version of the key that came after this one; Infinity if it is the newest. */
export function replacedAt(view: StateView, key: Buffer, main: number, sub: number): number {
  const current = view.get('current', key);
  if (current !== undefined) {
    // Most of what a compaction has left is the newest of its key.
    let at = { main: currentMod(current), sub: currentSub(current) };
    if (at.main === main && at.sub === sub) return Number.POSITIVE_INFINITY;
    for (let step = 0; step < MAX_STEPS_BACK; step++) {
      const row = view.get('revisions', revisionKey(at.main, at.sub));
      if (row === undefined) break;
      const before = { main: previousMain(row), sub: previousSub(row) };
      if (before.main === main && before.sub === sub) return at.main;
      at = before;
    }
  }
  const later = {
    gt: historyKey(key, main, sub),
    lte: historyKey(key, Number.MAX_SAFE_INTEGER, MAX_SUB),
  };
  for (const row of view.range('history', later)) return historyMain(row.key);
  return Number.POSITIVE_INFINITY;
}

/**
 * The rows of `revisions` as they will be once all that is compacted is removed, however far the
 * removal has come: the same on every member. The rule is the compactor's.
 */
export async function* compactedRows(
  view: StateView,
  pacer: Pacer,
): AsyncGenerator<Row, undefined> {
  const meta = view.get('meta', META_COMPACTION);
  const { scheduled, finished } =
    meta === undefined ? { scheduled: 0, finished: 0 } : decodeCompaction(meta);
  const isRemoved = ({ key, value }: Row): boolean => {
    const main = revisionMain(key);
    if (main > scheduled) return false;
    if (isDelete(value)) return main < scheduled;
    return replacedAt(view, revisionUserKey(value), main, revisionSub(key)) <= scheduled;
  };
  if (finished < scheduled) {
    for (const row of view.range('revisions', { lt: revisionKey(scheduled + 1, 0) })) {
      if (!isRemoved(row)) yield row;
      if (pacer.spend(row.value.length)) await pacer.turn();
    }
  }
  const from = finished < scheduled ? revisionKey(scheduled + 1, 0) : revisionKey(0, 0);
  for (const row of view.range('revisions', { gte: from })) {
    yield row;
    if (pacer.spend(row.value.length)) await pacer.turn();
  }
  return undefined;
}
