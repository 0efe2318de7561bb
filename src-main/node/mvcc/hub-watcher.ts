import type { WatchedChange } from './events.ts';
import type { KeyRange, WatchEvent, Watcher, WatchSink, WatchSpec } from './types.ts';

/**
 * synced: gets what is applied at once. unsynced: waits for its next slice of replay. held: its
 * sink is full. closed: cancelled or told that it was compacted; nothing follows.
 */
export type WatcherState = 'synced' | 'unsynced' | 'held' | 'closed';

/** What a watcher asks of its hub. */
export interface WatcherOwner {
  readonly deliveredRevision: number;
  resumed(watcher: HubWatcher): void;
  cancelled(watcher: HubWatcher): void;
}

export class HubWatcher implements Watcher {
  readonly range: KeyRange;
  readonly sink: WatchSink;
  state: WatcherState = 'unsynced';
  /**
   * Everything before it is delivered or of no concern. While synced it only says where a future
   * start begins.
   */
  nextRevision: number;
  /** The slice of replay that it takes part in, by number. */
  slice = 0;
  /** `resume` was called while the sink was still taking a batch. */
  resumeAsked = false;
  readonly #owner: WatcherOwner;
  readonly #spec: WatchSpec;
  #pending: WatchedChange[] = [];

  constructor(owner: WatcherOwner, spec: WatchSpec, sink: WatchSink, nextRevision: number) {
    this.#owner = owner;
    this.#spec = spec;
    this.range = { key: spec.key, end: spec.end };
    this.sink = sink;
    this.nextRevision = nextRevision;
  }

  get progressRevision(): number {
    return this.state === 'synced' ? this.#owner.deliveredRevision : this.nextRevision - 1;
  }

  resume(): void {
    this.#owner.resumed(this);
  }

  cancel(): void {
    this.#owner.cancelled(this);
  }

  /**
   * Notes a change of one of its keys. Answers how many are noted since `take`; 0 if its filters
   * drop the change.
   */
  offer(change: WatchedChange): number {
    if (change.isDelete ? this.#spec.noDelete : this.#spec.noPut) return 0;
    return this.#pending.push(change);
  }

  /** The events noted since the last call, in order. */
  take(): readonly WatchEvent[] {
    const changes = this.#pending;
    if (changes.length === 0) return [];
    if (changes.length === 1) return (changes.pop() as WatchedChange).alone(this.#spec.prevKv);
    this.#pending = [];
    return changes.map((change) => change.event(this.#spec.prevKv));
  }
}
