import { idToHex } from '../../src-main/base/bytes.ts';
import { currentLease, currentValue } from '../../src-main/node/storage/schema/current.ts';
import {
  currentRowOf,
  isDelete,
  revisionKey,
  revisionUserKey,
} from '../../src-main/node/storage/schema/revisions.ts';
import type { StateStore } from '../../src-main/node/storage/types.ts';
import type { AppliedWrite } from './history.ts';

/** What a member's own history says that the revision changed. */
export function effectsAt(store: StateStore, revision: number): AppliedWrite['effects'] {
  const bounds = { gte: revisionKey(revision, 0), lt: revisionKey(revision + 1, 0) };
  const effects: AppliedWrite['effects'] = [];
  for (const { value: row } of store.range('revisions', bounds)) {
    const key = revisionUserKey(row).toString('latin1');
    if (isDelete(row)) {
      effects.push({ type: 'delete', key, value: '', lease: '0' });
      continue;
    }
    const current = currentRowOf(row);
    const lease = currentLease(current);
    effects.push({
      type: 'put',
      key,
      value: currentValue(current).toString('latin1'),
      lease: lease === 0n ? '0' : idToHex(lease),
    });
  }
  return effects;
}
