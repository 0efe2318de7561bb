import type { ConfState, Entry, HardState } from '../../proto/raftdeck/raft.ts';

export interface WalMetadata {
  clusterId: bigint;
  memberId: bigint;
}

/** The log may start after this: everything up to index is in the state store. */
export interface WalSnapshotMark {
  index: number;
  term: number;
  confState: ConfState;
}

export interface WalBatch {
  group?: number;
  hardState?: HardState | undefined;
  /** Replaces whatever the log holds from entries[0].index on. */
  entries?: Entry[];
  snapshot?: WalSnapshotMark;
}

export interface WalGroupState {
  hardState: HardState;
  snapshot: WalSnapshotMark;
  /** Contiguous, the first at snapshot.index + 1. */
  entries: Entry[];
}

export interface WalRecovery {
  metadata: WalMetadata;
  groups: Map<number, WalGroupState>;
  /** Bytes cut off a torn tail; 0 if the log ended cleanly. */
  tornBytes: number;
}

/** One node's write-ahead log: append-only segments, each record with its CRC, one fdatasync per batch. */
export interface WriteAheadLog {
  /** Durable when it resolves. One append at a time: the caller batches what arrives meanwhile. Rejects on any I/O error, and then for ever. */
  append(batches: WalBatch[]): Promise<void>;
  /** Drops the segments that hold nothing after each group's last snapshot mark. */
  releaseSegments(): Promise<void>;
  /** Of the segments on disk. */
  size(): { bytes: number; segments: number };
  close(): Promise<void>;
}
