import { assert } from '../../base/assert.ts';
import { revisionKey, revisionMain } from '../storage/schema/revisions.ts';
import { LiveChange, StoredChange } from './events.ts';
import { HubWatcher, type WatcherOwner, type WatcherState } from './hub-watcher.ts';
import type { Change, KvState } from './kv-state.ts';
import { isStoreClosed, type Schedule } from './schedule.ts';
import type { WatchBatch, Watcher, WatchHub, WatchSink, WatchSpec } from './types.ts';
import { WatcherIndex } from './watcher-index.ts';

/** What one slice of replay reads at most before it ends with the revision at hand. */
const REPLAY_ROWS_PER_SLICE = 1_000;
const REPLAY_BYTES_PER_SLICE = 1024 * 1024;
/** Watchers that share one slice (etcd: 512). */
const REPLAY_WATCHERS_PER_SLICE = 512;

/**
 * Hands changes to watchers. Synced watchers get them as they are applied. Those that start in the
 * past, or whose sink was full, are replayed from the table of revisions in bounded slices between
 * requests: whoever stands first in the queue decides where a slice starts, others that need the
 * same revisions share it, and all go to the end of the queue. So one that is far behind neither
 * slows the others nor takes memory.
 */
export class ReplayingWatchHub implements WatchHub, WatcherOwner {
  readonly #kv: KvState;
  readonly #schedule: Schedule;
  readonly #synced = new Set<HubWatcher>();
  /** In the order of their turns. */
  readonly #unsynced = new Set<HubWatcher>();
  readonly #held = new Set<HubWatcher>();
  readonly #syncedIndex = new WatcherIndex<HubWatcher>();
  readonly #unsyncedIndex = new WatcherIndex<HubWatcher>();
  #delivered: number;
  #slice = 0;
  #scheduled = false;
  #stepping = false;

  constructor(kv: KvState, schedule: Schedule) {
    this.#kv = kv;
    this.#schedule = schedule;
    this.#delivered = kv.revision;
  }

  get watcherCount(): number {
    return this.#synced.size + this.#unsynced.size + this.#held.size;
  }

  /** Whether anybody waits for changes as they are applied. */
  get hasSynced(): boolean {
    return this.#synced.size > 0;
  }

  /** Every synced watcher has what it wants up to here. */
  get deliveredRevision(): number {
    return this.#delivered;
  }

  watch(spec: WatchSpec, sink: WatchSink): Watcher {
    const next = this.#kv.revision + 1;
    const start = spec.startRevision > 0 ? spec.startRevision : next;
    const watcher = new HubWatcher(this, spec, sink, start);
    this.#enter(watcher, start >= next ? 'synced' : 'unsynced');
    return watcher;
  }

  /** The changes of one revision that was just committed. */
  publish(revision: number, changes: readonly Change[]): void {
    const touched: HubWatcher[] = [];
    for (const change of changes) {
      const live = new LiveChange(this.#kv, change, revision);
      this.#syncedIndex.at(change.key, (watcher) => {
        if (watcher.nextRevision > revision) return;
        if (watcher.offer(live) === 1) touched.push(watcher);
      });
    }
    for (const watcher of touched) {
      const events = watcher.take();
      // An earlier sink may have cancelled it.
      if (watcher.state !== 'synced') continue;
      watcher.nextRevision = revision + 1;
      this.#deliver(watcher, { revision, events });
    }
    this.#delivered = revision;
  }

  /** After an import the state has jumped: what the watchers missed is replayed, or compacted. */
  reload(): void {
    for (const watcher of [...this.#synced]) {
      watcher.nextRevision = Math.max(watcher.nextRevision, this.#delivered + 1);
      this.#move(watcher, 'unsynced');
    }
    this.#delivered = this.#kv.revision;
  }

  resumed(watcher: HubWatcher): void {
    if (watcher.state === 'held') this.#move(watcher, 'unsynced');
    else watcher.resumeAsked = true;
  }

  cancelled(watcher: HubWatcher): void {
    this.#move(watcher, 'closed');
  }

  /** One slice of replay; true while there is more to do. */
  step(): boolean {
    assert(!this.#stepping, 'a sink must not step the hub');
    this.#stepping = true;
    try {
      const first = this.#nextInTurn();
      if (first !== undefined) this.#replay(first.nextRevision);
    } finally {
      this.#stepping = false;
    }
    return this.#unsynced.size > 0;
  }

  /** The first one that needs replay. Those before it are caught up, or compacted. */
  #nextInTurn(): HubWatcher | undefined {
    for (const watcher of this.#unsynced) {
      const { compactRevision, revision } = this.#kv;
      if (watcher.nextRevision < compactRevision) {
        this.#move(watcher, 'closed');
        watcher.sink.compacted(compactRevision);
      } else if (watcher.nextRevision > revision) this.#move(watcher, 'synced');
      else return watcher;
    }
    return undefined;
  }

  #replay(from: number): void {
    const sharing = this.#startSlice(from);
    const { upTo, lastEvents } = this.#read(from);
    for (const watcher of sharing) {
      const events = watcher.take();
      // A sink may have cancelled another watcher; one that starts behind the slice waits for its
      // turn.
      if (watcher.state !== 'unsynced' || watcher.nextRevision > upTo) continue;
      watcher.nextRevision = upTo + 1;
      this.#unsynced.delete(watcher);
      this.#unsynced.add(watcher);
      const revision = lastEvents.get(watcher);
      if (revision !== undefined) this.#deliver(watcher, { revision, events });
      if (watcher.state === 'unsynced' && upTo >= this.#kv.revision) this.#move(watcher, 'synced');
    }
  }

  /** Those that can share a slice from that revision on, in the order of their turns. */
  #startSlice(from: number): HubWatcher[] {
    this.#slice++;
    const sharing: HubWatcher[] = [];
    for (const watcher of this.#unsynced) {
      if (watcher.nextRevision < from) continue;
      watcher.slice = this.#slice;
      sharing.push(watcher);
      if (sharing.length >= REPLAY_WATCHERS_PER_SLICE) break;
    }
    return sharing;
  }

  /**
   * Offers whole revisions to the watchers of the slice, and notes for each the revision of its
   * last event.
   */
  #read(from: number): { upTo: number; lastEvents: Map<HubWatcher, number> } {
    const { store, revision } = this.#kv;
    const lastEvents = new Map<HubWatcher, number>();
    let rows = 0;
    let bytes = 0;
    let last = from;
    for (const { key, value } of store.range('revisions', { gte: revisionKey(from, 0) })) {
      const main = revisionMain(key);
      const full = rows >= REPLAY_ROWS_PER_SLICE || bytes >= REPLAY_BYTES_PER_SLICE;
      if (full && main !== last) return { upTo: last, lastEvents };
      rows++;
      bytes += value.length;
      last = main;
      const change = new StoredChange(this.#kv, value, main);
      this.#unsyncedIndex.at(change.key, (watcher) => {
        if (watcher.slice !== this.#slice || watcher.nextRevision > main) return;
        if (watcher.offer(change) > 0) lastEvents.set(watcher, main);
      });
    }
    return { upTo: revision, lastEvents };
  }

  #deliver(watcher: HubWatcher, batch: WatchBatch): void {
    watcher.resumeAsked = false;
    const hasRoom = watcher.sink.deliver(batch);
    // The sink may have cancelled it.
    if (hasRoom || watcher.state === 'closed') return;
    this.#move(watcher, watcher.resumeAsked ? 'unsynced' : 'held');
  }

  #move(watcher: HubWatcher, to: WatcherState): void {
    if (watcher.state === to || watcher.state === 'closed') return;
    switch (watcher.state) {
      case 'synced':
        this.#synced.delete(watcher);
        this.#syncedIndex.delete(watcher);
        break;
      case 'unsynced':
        this.#unsynced.delete(watcher);
        this.#unsyncedIndex.delete(watcher);
        break;
      case 'held':
        this.#held.delete(watcher);
        break;
    }
    this.#enter(watcher, to);
  }

  #enter(watcher: HubWatcher, state: WatcherState): void {
    watcher.state = state;
    switch (state) {
      case 'synced':
        this.#synced.add(watcher);
        this.#syncedIndex.add(watcher);
        break;
      case 'unsynced':
        this.#unsynced.add(watcher);
        this.#unsyncedIndex.add(watcher);
        this.#wake();
        break;
      case 'held':
        this.#held.add(watcher);
        break;
      case 'closed':
        break;
    }
  }

  #wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      try {
        if (this.step()) this.#wake();
      } catch (error) {
        // The node is stopping: its streams close next.
        if (!isStoreClosed(error)) throw error;
      }
    });
  }
}
