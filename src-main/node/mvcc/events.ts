import { Event_EventType, type KeyValue } from '../../proto/etcd/kv.ts';
import { currentMod, keyValueOf } from '../storage/schema/current.ts';
import {
  currentRowOf,
  isDelete,
  previousMain,
  previousSub,
  revisionKey,
  revisionUserKey,
} from '../storage/schema/revisions.ts';
import type { Change, KvState } from './kv-state.ts';
import { getAt } from './range.ts';
import type { WatchEvent } from './types.ts';

/**
 * One change as watchers get it. Built only once somebody wants it, and shared among those who do.
 */
export interface WatchedChange {
  readonly key: Buffer;
  readonly isDelete: boolean;
  event(prevKv: boolean): WatchEvent;
  /** The same as a list: most batches hold one event, and then all watchers share that, too. */
  alone(prevKv: boolean): readonly WatchEvent[];
}

const NOTHING: Buffer = Buffer.alloc(0);

/** As in etcd, the event of a deletion carries the key and its revision, nothing else. */
function tombstone(key: Buffer, revision: number): KeyValue {
  return {
    key,
    createRevision: 0,
    modRevision: revision,
    version: 0,
    value: NOTHING,
    lease: 0n,
  };
}

abstract class LazyChange implements WatchedChange {
  #plain: readonly [WatchEvent] | undefined;
  #withPrevious: readonly [WatchEvent] | undefined;
  abstract readonly key: Buffer;
  abstract readonly isDelete: boolean;

  event(prevKv: boolean): WatchEvent {
    return this.alone(prevKv)[0];
  }

  alone(prevKv: boolean): readonly [WatchEvent] {
    if (!prevKv) {
      this.#plain ??= [this.#build(undefined)];
      return this.#plain;
    }
    this.#withPrevious ??= [this.#build(this.previous())];
    return this.#withPrevious;
  }

  #build(prevKv: KeyValue | undefined): WatchEvent {
    const type = this.isDelete ? Event_EventType.DELETE : Event_EventType.PUT;
    return { type, kv: this.keyValue(), prevKv };
  }

  protected abstract keyValue(): KeyValue;
  protected abstract previous(): KeyValue | undefined;
}

/** A change that was applied just now. */
export class LiveChange extends LazyChange {
  readonly #kv: KvState;
  readonly #change: Change;
  readonly #revision: number;

  constructor(kv: KvState, change: Change, revision: number) {
    super();
    this.#kv = kv;
    this.#change = change;
    this.#revision = revision;
  }

  get key(): Buffer {
    return this.#change.key;
  }

  get isDelete(): boolean {
    return this.#change.row === undefined;
  }

  protected keyValue(): KeyValue {
    const { key, row } = this.#change;
    return row === undefined ? tombstone(key, this.#revision) : keyValueOf(key, row);
  }

  protected previous(): KeyValue | undefined {
    const { key, previous } = this.#change;
    if (previous === undefined) return undefined;
    // A nested transaction may change a key twice; what counts is the key before the revision.
    if (currentMod(previous) === this.#revision) return getAt(this.#kv, key, this.#revision - 1);
    return keyValueOf(key, previous);
  }
}

/** A change read back from the table of revisions. */
export class StoredChange extends LazyChange {
  readonly key: Buffer;
  readonly isDelete: boolean;
  readonly #kv: KvState;
  readonly #row: Buffer;
  readonly #revision: number;

  constructor(kv: KvState, row: Buffer, revision: number) {
    super();
    this.key = revisionUserKey(row);
    this.isDelete = isDelete(row);
    this.#kv = kv;
    this.#row = row;
    this.#revision = revision;
  }

  protected keyValue(): KeyValue {
    if (this.isDelete) return tombstone(this.key, this.#revision);
    return keyValueOf(this.key, currentRowOf(this.#row));
  }

  /**
   * etcd reads the key at the revision before, which fails if that is compacted. The removal may
   * not have come that far, or not to every member: the answer must not depend on it.
   */
  protected previous(): KeyValue | undefined {
    const main = previousMain(this.#row);
    const before = this.#revision - 1;
    if (main === 0 || before < this.#kv.compactRevision) return undefined;
    if (main > before) return getAt(this.#kv, this.key, before);
    const row = this.#kv.store.get('revisions', revisionKey(main, previousSub(this.#row)));
    return row && keyValueOf(this.key, currentRowOf(row));
  }
}
