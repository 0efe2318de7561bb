import type { KeyValue } from '../../proto/etcd/kv.ts';
import type { DeleteRangeRequest, DeleteRangeResponse } from '../../proto/etcd/rpc.ts';
import { isEmptyRange, isSingleKey, keyRangeOf, userKeyBounds } from '../mvcc/key-range.ts';
import type { KvState } from '../mvcc/kv-state.ts';
import { keyValueOf } from '../storage/schema/current.ts';
import type { RangeBounds, Row } from '../storage/types.ts';
import type { ApplyContext } from './context.ts';

/** Rows that are read before they are deleted: what is read cannot be changed at the same time. */
const CHUNK_ROWS = 1_000;
const CHUNK_BYTES = 4 * 1024 * 1024;

/** Deletes in key order. One that finds nothing takes no revision. */
export function applyDeleteRange(
  { kv }: ApplyContext,
  request: DeleteRangeRequest,
): DeleteRangeResponse {
  const prevKvs: KeyValue[] = [];
  let deleted = 0;
  const range = keyRangeOf(request.key, request.rangeEnd);
  const remove = (key: Buffer, row: Buffer) => {
    kv.delete(key, row);
    deleted++;
    if (request.prevKv) prevKvs.push(keyValueOf(key, row));
  };
  if (isSingleKey(range)) {
    const row = kv.currentRow(request.key);
    if (row !== undefined) remove(request.key, row);
  } else if (!isEmptyRange(range)) {
    let bounds: RangeBounds | undefined = userKeyBounds(range);
    while (bounds !== undefined) {
      const rows = readChunk(kv, bounds);
      for (const { key, value } of rows) remove(key, value);
      // What was deleted is not found again, so each chunk starts where the last one did.
      if (rows.length === 0) bounds = undefined;
      else bounds = { ...userKeyBounds(range), gte: (rows[rows.length - 1] as Row).key };
    }
  }
  return { header: undefined, deleted, prevKvs };
}

function readChunk(kv: KvState, bounds: RangeBounds): Row[] {
  const rows: Row[] = [];
  let bytes = 0;
  for (const row of kv.store.range('current', bounds)) {
    rows.push(row);
    bytes += row.value.length;
    if (rows.length >= CHUNK_ROWS || bytes >= CHUNK_BYTES) break;
  }
  return rows;
}
