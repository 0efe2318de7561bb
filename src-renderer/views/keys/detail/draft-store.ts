/** Edits that outlive the page, in the browser's own database: values may be large and binary. */
import { toHex } from '../../../lib/bytes.ts';
import type { DraftRecord } from './draft.svelte.ts';
import type { DraftChanges, DraftJournal } from './draft-journal.ts';

/** Bytes of values and texts that are kept for one cluster. */
export const MAX_KEPT_BYTES = 16 * 1024 * 1024;
/** A pause in typing after which the edit is written. */
export const KEEP_DELAY_MS = 250;

const DATABASE = 'raftdeck-drafts';
const STORE = 'drafts';

export interface DraftStore {
  load(clusterId: string): Promise<DraftRecord[]>;
  /** Replaces what is kept of a cluster's keys: null removes one. */
  write(clusterId: string, changes: ReadonlyMap<string, DraftRecord | null>): Promise<void>;
}

/** Compares what is being edited with what is kept, and writes the difference after a pause. */
export class DraftKeeper {
  readonly #store: DraftStore;
  readonly #journal: DraftJournal;
  readonly #clusterId: string;
  readonly #delay: (run: () => void, ms: number) => () => void;
  readonly #kept = new Map<string, DraftRecord>();
  #wanted: readonly DraftRecord[] = [];
  #cancel: (() => void) | null = null;
  #isLoaded = false;

  constructor(
    store: DraftStore,
    journal: DraftJournal,
    clusterId: string,
    delay: (run: () => void, ms: number) => () => void,
  ) {
    this.#store = store;
    this.#journal = journal;
    this.#clusterId = clusterId;
    this.#delay = delay;
  }

  async load(): Promise<DraftRecord[]> {
    const late = this.#journal.read();
    const records = await this.#store.load(this.#clusterId);
    for (const record of records) this.#kept.set(toHex(record.key), record);
    const all = new Map(this.#kept);
    for (const [name, record] of late) {
      if (record === null) all.delete(name);
      else all.set(name, record);
    }
    this.#isLoaded = true;
    return [...all.values()];
  }

  /** What is being edited now. Returns the keys, in hex, of those that are too large to keep. */
  sync(records: readonly DraftRecord[]): Set<string> {
    const tooLarge = new Set<string>();
    let room = MAX_KEPT_BYTES;
    this.#wanted = records.filter((record) => {
      // A character takes two bytes in memory and about one on disk.
      const size = record.text.length + record.baseValue.length;
      if (size > room) tooLarge.add(toHex(record.key));
      else room -= size;
      return !tooLarge.has(toHex(record.key));
    });
    if (this.#isLoaded) {
      this.#cancel?.();
      this.#cancel = this.#delay(() => void this.flush(), KEEP_DELAY_MS);
    }
    return tooLarge;
  }

  /** Writes at once what has changed since. Failures are passed over: an edit goes on in memory. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = null;
    if (!this.#isLoaded) return;
    const changes = this.#changes();
    if (changes.size === 0) return this.#journal.clear();
    for (const [name, record] of changes) {
      if (record === null) this.#kept.delete(name);
      else this.#kept.set(name, record);
    }
    await this.#store.write(this.#clusterId, changes).then(
      () => this.#journal.clear(),
      () => {},
    );
  }

  /** The page goes away: what has changed is noted before this returns, and written if there is time. */
  leave(): void {
    if (!this.#isLoaded) return;
    const changes = this.#changes();
    if (changes.size > 0) this.#journal.write(changes);
    void this.flush();
  }

  #changes(): DraftChanges {
    const changes: DraftChanges = new Map();
    const wanted = new Map(this.#wanted.map((record) => [toHex(record.key), record]));
    for (const [name, record] of wanted) {
      if (!sameRecord(record, this.#kept.get(name))) changes.set(name, record);
    }
    for (const name of this.#kept.keys()) if (!wanted.has(name)) changes.set(name, null);
    return changes;
  }
}

function sameRecord(a: DraftRecord, b: DraftRecord | undefined): boolean {
  return (
    b !== undefined &&
    a.text === b.text &&
    a.mode === b.mode &&
    a.oneLine === b.oneLine &&
    a.baseModRevision === b.baseModRevision
  );
}

/** IndexedDB: one object for each edit, under cluster and key. */
export class BrowserDraftStore implements DraftStore {
  #opening: Promise<IDBDatabase> | null = null;

  async load(clusterId: string): Promise<DraftRecord[]> {
    const database = await this.#open();
    const range = IDBKeyRange.bound([clusterId, ''], [clusterId, '\uffff']);
    const store = database.transaction(STORE).objectStore(STORE);
    return done(store.getAll(range)) as Promise<DraftRecord[]>;
  }

  async write(clusterId: string, changes: ReadonlyMap<string, DraftRecord | null>): Promise<void> {
    const database = await this.#open();
    const transaction = database.transaction(STORE, 'readwrite');
    const store = transaction.objectStore(STORE);
    for (const [name, record] of changes) {
      if (record === null) store.delete([clusterId, name]);
      else store.put(compact(record), [clusterId, name]);
    }
    // Said aloud, for a page that goes away takes along what is not committed.
    transaction.commit();
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
  }

  #open(): Promise<IDBDatabase> {
    if (this.#opening === null) {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE);
      this.#opening = done(request);
    }
    return this.#opening;
  }
}

/** Bytes of their own: a view into an answer would take the whole answer along. */
function compact(record: DraftRecord): DraftRecord {
  return { ...record, key: record.key.slice(), baseValue: record.baseValue.slice() };
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
