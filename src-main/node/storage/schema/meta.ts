/* Table `meta`: one row per subject. See README.md for the layouts and worked examples. */
import { ConfState } from '../../../proto/raftdeck/raft.ts';
import { decodeRow } from './corrupt-row.ts';
import { readCount, U32_BYTES, U64_BYTES, writeU64 } from './numbers.ts';
import { REVISION_KEY_BYTES } from './revisions.ts';

/** Raised when a row of any table changes its layout. */
export const SCHEMA_VERSION = 1;

export const META_APPLIED: Buffer = Buffer.from('applied');
export const META_COMPACTION: Buffer = Buffer.from('compaction');
export const META_CONF_STATE: Buffer = Buffer.from('confState');
export const META_CLUSTER_VERSION: Buffer = Buffer.from('clusterVersion');

/** Rewritten by every apply: one small row. */
export interface AppliedMeta {
  /** Of the last applied Raft entry; 0 if there was none. */
  index: number;
  term: number;
  /** Current main revision; 1 for an empty store. */
  revision: number;
  /** Rows in `current`. */
  keyCount: number;
}

const APPLIED_BYTES = 1 + 4 * U64_BYTES;

export function encodeApplied(meta: AppliedMeta): Buffer {
  const row = Buffer.allocUnsafe(APPLIED_BYTES);
  row[0] = SCHEMA_VERSION;
  let at = writeU64(row, meta.index, 1);
  at = writeU64(row, meta.term, at);
  at = writeU64(row, meta.revision, at);
  writeU64(row, meta.keyCount, at);
  return row;
}

/** The layout version of the whole state; `decodeApplied` understands SCHEMA_VERSION alone. */
export function appliedSchemaVersion(row: Buffer): number {
  return row[0] ?? 0;
}

export function decodeApplied(row: Buffer): AppliedMeta {
  return decodeRow('what is applied', row, APPLIED_BYTES, () => ({
    index: readCount(row, 1),
    term: readCount(row, 1 + U64_BYTES),
    revision: readCount(row, 1 + 2 * U64_BYTES),
    keyCount: readCount(row, 1 + 3 * U64_BYTES),
  }));
}

/** finished <= running <= scheduled, where running is set. */
export interface CompactionMeta {
  /** Reads below it are refused; 0 if nothing was ever compacted. */
  scheduled: number;
  /** The revision that the removal under way compacts to; 0 if none is under way. */
  running: number;
  /** Everything up to it is removed physically. */
  finished: number;
  /** The last row of `revisions` that the removal under way has dealt with; main 0 if none. */
  cursorMain: number;
  cursorSub: number;
}

const COMPACTION_BYTES = 3 * U64_BYTES + REVISION_KEY_BYTES;

export function encodeCompaction(meta: CompactionMeta): Buffer {
  const row = Buffer.allocUnsafe(COMPACTION_BYTES);
  let at = writeU64(row, meta.scheduled, 0);
  at = writeU64(row, meta.running, at);
  at = writeU64(row, meta.finished, at);
  at = writeU64(row, meta.cursorMain, at);
  row.writeUInt32BE(meta.cursorSub, at);
  return row;
}

export function decodeCompaction(row: Buffer): CompactionMeta {
  return decodeRow('the compaction', row, COMPACTION_BYTES, () => ({
    scheduled: readCount(row, 0),
    running: readCount(row, U64_BYTES),
    finished: readCount(row, 2 * U64_BYTES),
    cursorMain: readCount(row, 3 * U64_BYTES),
    cursorSub: row.readUInt32BE(COMPACTION_BYTES - U32_BYTES),
  }));
}

export function encodeConfState(confState: ConfState): Buffer {
  return Buffer.from(ConfState.encode(confState).finish());
}

export function decodeConfState(row: Buffer): ConfState {
  return decodeRow('the configuration', row, undefined, () => ConfState.decode(row));
}
