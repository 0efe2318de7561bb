import { assert } from '../../base/assert.ts';
import {
  currentCreate,
  currentLease,
  currentMod,
  currentSub,
  currentVersion,
} from '../storage/schema/current.ts';
import { HISTORY_DELETE, HISTORY_PUT, historyKey } from '../storage/schema/history.ts';
import { currentRowOf, encodeDelete, encodePut, revisionKey } from '../storage/schema/revisions.ts';
import { leaseKeyKey, PRESENT } from '../storage/schema/small-tables.ts';
import type { StateStore } from '../storage/types.ts';
import { KeyCounts } from './key-counts.ts';
import type { Schedule } from './schedule.ts';

/** One change of a key within the transaction at hand, for the watch hub. */
export interface Change {
  key: Buffer;
  /** The key's row in `current` after a put; undefined for a delete. */
  row: Buffer | undefined;
  /** The row before; undefined if the key was created. */
  previous: Buffer | undefined;
}

/**
 * The keys at head and the writing of new revisions. Between two commits all changes belong to one
 * main revision, the next one, and are visible to reads as its sub-revisions.
 */
export class KvState {
  readonly store: StateStore;
  readonly counts: KeyCounts;
  /** Last committed main revision. Never goes back, not even by a compaction. */
  revision = 1;
  /** Reads below it are refused; -1 if nothing was ever compacted, as in etcd. */
  compactRevision = -1;
  /** Changes are kept for the watch hub only while somebody listens. */
  recordChanges = false;
  #changes: Change[] = [];
  /** Changes in the open transaction: the next sub-revision. */
  #sub = 0;

  constructor(store: StateStore, schedule: Schedule) {
    this.store = store;
    this.counts = new KeyCounts(store, schedule);
  }

  /** What a read sees: the open transaction's revision from its first change on. */
  get head(): number {
    return this.#sub > 0 ? this.revision + 1 : this.revision;
  }

  get openChanges(): number {
    return this.#sub;
  }

  currentRow(key: Uint8Array): Buffer | undefined {
    return this.store.get('current', key);
  }

  /** Answers the row that was replaced. */
  put(key: Buffer, value: Uint8Array, lease: bigint): Buffer | undefined {
    const { store } = this;
    const previous = store.get('current', key);
    const main = this.revision + 1;
    const sub = this.#sub++;
    const created = previous === undefined;
    const numbers = {
      createRevision: created ? main : currentCreate(previous),
      modRevision: main,
      sub,
      version: created ? 1 : currentVersion(previous) + 1,
      lease,
    };
    const previousMain = created ? 0 : currentMod(previous);
    const previousSub = created ? 0 : currentSub(previous);
    const event = encodePut(key, value, numbers, previousMain, previousSub);
    const row = currentRowOf(event);
    store.put('revisions', revisionKey(main, sub), event);
    store.put('current', key, row);
    store.put('history', historyKey(key, main, sub), HISTORY_PUT);
    if (created) this.counts.added(key);
    this.#moveLease(key, created ? 0n : currentLease(previous), lease);
    if (this.recordChanges) this.#changes.push({ key, row, previous });
    return previous;
  }

  /** `previous` is the key's row in `current`. */
  delete(key: Buffer, previous: Buffer): void {
    const { store } = this;
    const main = this.revision + 1;
    const sub = this.#sub++;
    const event = encodeDelete(key, currentMod(previous), currentSub(previous));
    store.put('revisions', revisionKey(main, sub), event);
    store.delete('current', key);
    store.put('history', historyKey(key, main, sub), HISTORY_DELETE);
    this.counts.removed(key);
    this.#moveLease(key, currentLease(previous), 0n);
    if (this.recordChanges) this.#changes.push({ key, row: undefined, previous });
  }

  /** Ends the transaction. One that changed nothing takes no revision. */
  commit(): Change[] {
    if (this.#sub > 0) this.revision++;
    this.#sub = 0;
    const changes = this.#changes;
    if (changes.length > 0) this.#changes = [];
    return changes;
  }

  /** After an import: what was read from meta. */
  reset(revision: number, compactRevision: number, keyCount: number): void {
    assert(this.#sub === 0, 'a transaction is open');
    this.revision = revision;
    this.compactRevision = compactRevision;
    this.counts.reset(keyCount);
  }

  #moveLease(key: Buffer, from: bigint, to: bigint): void {
    if (from === to) return;
    if (from !== 0n) this.store.delete('leaseKeys', leaseKeyKey(from, key));
    if (to !== 0n) this.store.put('leaseKeys', leaseKeyKey(to, key), PRESENT);
  }
}
