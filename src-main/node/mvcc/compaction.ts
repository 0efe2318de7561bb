import { assert } from '../../base/assert.ts';
import { nodeError } from '../apply/errors.ts';
import { historyKey } from '../storage/schema/history.ts';
import {
  type CompactionMeta,
  decodeCompaction,
  encodeCompaction,
  META_COMPACTION,
} from '../storage/schema/meta.ts';
import {
  isDelete,
  previousMain,
  previousSub,
  type Revision,
  revisionKey,
  revisionMain,
  revisionSub,
  revisionUserKey,
} from '../storage/schema/revisions.ts';
import type { Row, StateStore } from '../storage/types.ts';
import type { KvState } from './kv-state.ts';

/**
 * Bytes of revision rows read in one slice, whatever the row limit: values come along with their
 * rows.
 */
const SLICE_BYTES = 4 * 1024 * 1024;

/** Before the first compaction: lower than 0, which etcd lets a client compact to once. */
const NEVER_COMPACTED: CompactionMeta = {
  scheduled: -1,
  running: 0,
  finished: 0,
  cursorMain: 0,
  cursorSub: 0,
};

interface Waiter {
  revision: number;
  resolve(): void;
}

/**
 * Removes history. Scheduling is part of the replicated state and takes effect at once: reads below
 * the revision are refused. The removal follows in slices, at each member's own pace, and is
 * nobody's concern but the disk's.
 *
 * A version goes when a newer one of its key is at or below the revision, and a tombstone goes when
 * it is below it. (One at the very revision stays, as in etcd 3.5.16 and later, for a watch that
 * starts there.) What an earlier compaction left is not looked at again: each row between the two
 * revisions names the version that it replaced.
 */
export class Compactor {
  readonly #store: StateStore;
  readonly #kv: KvState;
  #meta = NEVER_COMPACTED;
  #waiters: Waiter[] = [];

  constructor(store: StateStore, kv: KvState) {
    this.#store = store;
    this.#kv = kv;
  }

  load(): void {
    const row = this.#store.get('meta', META_COMPACTION);
    this.#meta = row === undefined ? NEVER_COMPACTED : decodeCompaction(row);
    this.#wake();
  }

  /** Reads below it are refused; -1 if nothing was ever compacted. */
  get scheduled(): number {
    return this.#meta.scheduled;
  }

  get pending(): number | undefined {
    const { scheduled, finished } = this.#meta;
    return scheduled > finished ? scheduled : undefined;
  }

  /** Throws Compacted or FutureRev, in etcd's order, before anything is written. */
  schedule(revision: number): void {
    if (revision <= this.#meta.scheduled) throw nodeError('Compacted');
    if (revision > this.#kv.revision) throw nodeError('FutureRev');
    this.#meta = { ...this.#meta, scheduled: revision };
    this.#save();
    this.#kv.compactRevision = revision;
  }

  /** Looks at up to `maxRows` rows; true while there is more to do. */
  slice(maxRows: number): boolean {
    assert(maxRows > 0, 'a slice of no rows never ends');
    const { scheduled, finished, running } = this.#meta;
    if (scheduled <= finished) return false;
    if (running === 0) {
      this.#meta = { ...this.#meta, running: scheduled, cursorMain: 0, cursorSub: 0 };
    }
    const target = this.#meta.running;
    const { rows, end } = this.#read(target, maxRows);
    for (const row of rows) this.#clean(row, target);
    const last = rows[rows.length - 1];
    if (end) this.#meta = { ...this.#meta, running: 0, finished: target };
    else if (last !== undefined) {
      const cursor = { cursorMain: revisionMain(last.key), cursorSub: revisionSub(last.key) };
      this.#meta = { ...this.#meta, ...cursor };
    }
    this.#save();
    this.#wake();
    return this.pending !== undefined;
  }

  /** Resolves once everything up to the revision is removed. */
  whenFinished(revision: number): Promise<void> {
    if (revision <= this.#meta.finished) return Promise.resolve();
    if (revision > this.#meta.scheduled) return Promise.reject(nodeError('FutureRev'));
    return new Promise((resolve) => this.#waiters.push({ revision, resolve }));
  }

  /** The next rows, copied out, since what is read cannot be changed at the same time. */
  #read(target: number, maxRows: number): { rows: Row[]; end: boolean } {
    const { cursorMain, cursorSub, finished } = this.#meta;
    const bounds =
      cursorMain > 0
        ? { gt: revisionKey(cursorMain, cursorSub), lt: revisionKey(target + 1, 0) }
        : // The last target's own row may be a tombstone that was kept.
          { gte: revisionKey(finished, 0), lt: revisionKey(target + 1, 0) };
    const rows: Row[] = [];
    let bytes = 0;
    for (const row of this.#store.range('revisions', bounds)) {
      rows.push(row);
      bytes += row.value.length;
      if (rows.length >= maxRows || bytes >= SLICE_BYTES) return { rows, end: false };
    }
    return { rows, end: true };
  }

  #clean({ key, value }: Row, target: number): void {
    const userKey = revisionUserKey(value);
    const replaced = { main: previousMain(value), sub: previousSub(value) };
    if (replaced.main > 0) this.#remove(userKey, replaced);
    const at = { main: revisionMain(key), sub: revisionSub(key) };
    if (isDelete(value) && at.main < target) this.#remove(userKey, at);
  }

  #remove(userKey: Buffer, { main, sub }: Revision): void {
    this.#store.delete('revisions', revisionKey(main, sub));
    this.#store.delete('history', historyKey(userKey, main, sub));
  }

  #save(): void {
    this.#store.put('meta', META_COMPACTION, encodeCompaction(this.#meta));
  }

  #wake(): void {
    const { finished } = this.#meta;
    const done = this.#waiters.filter(({ revision }) => revision <= finished);
    if (done.length === 0) return;
    this.#waiters = this.#waiters.filter(({ revision }) => revision > finished);
    for (const waiter of done) waiter.resolve();
  }
}
