/* The way back: a database of etcd's as rows of our state. README.md of this folder has its buckets. */
import { CodedError } from '../../base/errors.ts';
import { KeyValue } from '../../proto/etcd/kv.ts';
import { HISTORY_DELETE, HISTORY_PUT, historyKey } from '../storage/schema/history.ts';
import {
  encodeApplied,
  encodeCompaction,
  META_APPLIED,
  META_COMPACTION,
} from '../storage/schema/meta.ts';
import { idKey, readU64, U64_BYTES } from '../storage/schema/numbers.ts';
import {
  currentRowOf,
  encodeDelete,
  encodePut,
  type Revision,
  revisionKey,
} from '../storage/schema/revisions.ts';
import { decodeLease, encodeLease, leaseKeyKey, PRESENT } from '../storage/schema/small-tables.ts';
import type { StateStore } from '../storage/types.ts';
import { boltInvalid } from './errors.ts';
import { ETCD_REVISION_BYTES } from './etcd-rows.ts';
import { META_BUCKET } from './etcd-schema.ts';
import { BoltFile } from './reader.ts';

/** Rows that are handed to the store before it may write them out. */
const ROWS_PER_BATCH = 2_000;

export interface Restored {
  revision: number;
  keys: number;
  leases: number;
}

/** The newest version of a key that was met, by the key as Latin-1. */
type Newest = Map<string, Revision & { lease: bigint }>;

/**
 * Fills an empty state from a snapshot of etcd's or of ours, or from a database that was copied out
 * of a data folder. As with `etcdctl snapshot restore`, keys with their history and leases come
 * back, revisions go on where they were, and the members, alarms and the log do not come along.
 * Users and roles are left behind. Throws BoltInvalid, BoltNoBucket, and RestoreCutShort where an
 * earlier attempt was ended in the middle.
 */
export async function restoreState(store: StateStore, path: string): Promise<Restored> {
  for (const _ of store.keys('revisions', {})) throw cutShort();
  const file = await BoltFile.open(path);
  try {
    if (file.hasDigest) await file.checkDigest();
    const compaction = await readCompaction(file);
    const newest: Newest = new Map();
    const last = await restoreKeys(store, file, newest);
    const revision = Math.max(last, compaction.scheduled, 1);
    for (const [text, { lease }] of newest) {
      if (lease === 0n) continue;
      store.put('leaseKeys', leaseKeyKey(lease, Buffer.from(text, 'latin1')), PRESENT);
    }
    let leases = 0;
    for await (const { value } of file.rows('lease')) {
      const lease = decodeLease(value);
      store.put('leases', idKey(lease.id), encodeLease(lease));
      leases++;
    }
    if (compaction.scheduled > 0) {
      const row = { ...compaction, running: 0, cursorMain: 0, cursorSub: 0 };
      store.put('meta', META_COMPACTION, encodeCompaction(row));
    }
    // Last, as what says that all is there.
    const applied = { index: 0, term: 0, revision, keyCount: newest.size };
    store.put('meta', META_APPLIED, encodeApplied(applied));
    store.endBatch();
    await store.flush();
    return { revision, keys: newest.size, leases };
  } finally {
    await file.close();
  }
}

function cutShort(): CodedError {
  return new CodedError('RestoreCutShort', 'an earlier restore into this folder was cut short', {
    hint: 'Remove the data folder and start again.',
  });
}

/** In the order of revisions, so that each version knows the one that it replaced. */
async function restoreKeys(store: StateStore, file: BoltFile, newest: Newest): Promise<number> {
  let last = 0;
  let rows = 0;
  for await (const { key: at, value } of file.rows('key')) {
    const isTombstone = at.length === ETCD_REVISION_BYTES + 1;
    if (!isTombstone && at.length !== ETCD_REVISION_BYTES) {
      throw boltInvalid(file.path, `a revision of ${at.length} bytes`);
    }
    const main = readU64(at, 0);
    const sub = readU64(at, U64_BYTES + 1);
    const kv = KeyValue.decode(value);
    const name = kv.key.toString('latin1');
    const before = newest.get(name);
    const [prevMain, prevSub] = [before?.main ?? 0, before?.sub ?? 0];
    if (isTombstone) {
      store.put('revisions', revisionKey(main, sub), encodeDelete(kv.key, prevMain, prevSub));
      store.put('history', historyKey(kv.key, main, sub), HISTORY_DELETE);
      store.delete('current', kv.key);
      newest.delete(name);
    } else {
      const { createRevision, version, lease } = kv;
      const numbers = { createRevision, modRevision: main, sub, version, lease };
      const event = encodePut(kv.key, kv.value, numbers, prevMain, prevSub);
      store.put('revisions', revisionKey(main, sub), event);
      store.put('history', historyKey(kv.key, main, sub), HISTORY_PUT);
      store.put('current', kv.key, currentRowOf(event));
      newest.set(name, { main, sub, lease });
    }
    last = main;
    if (++rows % ROWS_PER_BATCH > 0) continue;
    store.endBatch();
    await store.pressure;
  }
  return last;
}

/** Revisions whose removal was asked for, and is done; 0 for never. */
async function readCompaction(file: BoltFile): Promise<{ scheduled: number; finished: number }> {
  const found = new Map<string, number>();
  for await (const { key, value } of file.rows(META_BUCKET)) {
    if (value.length === ETCD_REVISION_BYTES) found.set(key.toString(), readU64(value, 0));
  }
  const finished = found.get('finishedCompactRev') ?? 0;
  return { scheduled: Math.max(found.get('scheduledCompactRev') ?? 0, finished), finished };
}
