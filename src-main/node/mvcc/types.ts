import type { Event, KeyValue } from '../../proto/etcd/kv.ts';

/** [key, end): end undefined is the one key, an end of one zero byte is "to the end of the key space" (etcd's rule). */
export interface KeyRange {
  key: Uint8Array;
  end: Uint8Array | undefined;
}

export interface WatchSpec extends KeyRange {
  /** 0: from the next revision. In the past: replayed from disk. In the future: waits. */
  startRevision: number;
  noPut: boolean;
  noDelete: boolean;
  prevKv: boolean;
}

/** An event that all who watch its key share. */
export interface WatchEvent extends Event {
  /** Its bytes as a field of a response, once somebody has made them. Nobody changes the event after that. */
  encoded?: Buffer;
}

/** All events of one or more whole revisions, in revision order. revision is that of the last event. */
export interface WatchBatch {
  revision: number;
  events: readonly WatchEvent[];
}

/** Where a watcher's events go. Called in revision order, never re-entered. */
export interface WatchSink {
  /** False: it took the batch but has no room for more. The hub then holds this watcher back (from disk, no memory) until `resume`. */
  deliver(batch: WatchBatch): boolean;
  /** The next revision this watcher needs is compacted: it is cancelled, nothing follows. */
  compacted(compactRevision: number): void;
}

export interface Watcher {
  /** The sink has room again. */
  resume(): void;
  cancel(): void;
  /** Everything up to this revision has been delivered or did not concern this watcher. For progress notifications. */
  readonly progressRevision: number;
}

export interface WatchHub {
  watch(spec: WatchSpec, sink: WatchSink): Watcher;
  readonly watcherCount: number;
}

export type { Event, KeyValue };
