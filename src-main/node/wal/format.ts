import { crc32 } from 'node:zlib';
import { assert } from '../../base/assert.ts';
import { ConfState, type Entry, EntryType, type HardState } from '../../proto/raftdeck/raft.ts';
import type { WalBatch, WalMetadata, WalSnapshotMark } from './types.ts';

/*
 * The layout of segments, records and items is specified in README.md of this folder, with a worked
 * example.
 */
export const SEGMENT_MAGIC: Buffer = Buffer.from('RDECKWAL', 'latin1');
export const SEGMENT_VERSION = 1;
export const SEGMENT_HEADER_BYTES = 32;
export const RECORD_HEADER_BYTES = 16;
export const ALIGNMENT_BYTES = 8;
/** "RDRE" read as a little-endian number. */
const RECORD_MAGIC = 0x45524452;
const ITEM_HEADER_BYTES = 12;
const ENTRY_FIXED_BYTES = 16;
const HARD_STATE_BYTES = 24;
const SNAPSHOT_FIXED_BYTES = 16;
const METADATA_BYTES = 16;
/** One append. Above this the caller has lost its own limits. */
export const MAX_RECORD_BYTES: number = 512 * 1024 * 1024;

const ITEM_METADATA = 1;
const ITEM_HARD_STATE = 2;
const ITEM_SNAPSHOT = 3;
const ITEM_ENTRY = 4;

export type WalItem =
  | { kind: 'metadata'; metadata: WalMetadata }
  | { kind: 'hardState'; group: number; hardState: HardState }
  | { kind: 'snapshot'; group: number; snapshot: WalSnapshotMark }
  | { kind: 'entry'; group: number; entry: Entry };

const SEGMENT_NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

/**
 * `index` says where group 0 stood when the segment was begun: for people, recovery does not read
 * it.
 */
export function segmentName(sequence: number, index: number): string {
  const hex = (value: number) => value.toString(16).padStart(16, '0');
  return `${hex(sequence)}-${hex(index)}.wal`;
}

export function parseSegmentName(name: string): number | undefined {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

export function encodeSegmentHeader(sequence: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  SEGMENT_MAGIC.copy(header);
  header.writeUInt32LE(SEGMENT_VERSION, 8);
  writeU64(header, sequence, 16);
  header.writeUInt32LE(crc32(header.subarray(0, 24)), 24);
  return header;
}

/** The record that holds a metadata item (at the head of a segment) and what each batch has. */
export function encodeRecord(
  batches: readonly WalBatch[],
  sequence: number,
  offset: number,
  scratch: Buffer,
  metadata?: WalMetadata,
): Buffer {
  const confStates = batches.map(({ snapshot }) =>
    snapshot === undefined ? undefined : ConfState.encode(snapshot.confState).finish(),
  );
  let bytes = RECORD_HEADER_BYTES;
  if (metadata !== undefined) bytes += ITEM_HEADER_BYTES + METADATA_BYTES;
  for (const [i, batch] of batches.entries()) bytes += batchBytes(batch, confStates[i]);
  const whole = Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  assert(whole <= MAX_RECORD_BYTES, `an append of ${whole} bytes`);
  const record = whole <= scratch.length ? scratch.subarray(0, whole) : Buffer.allocUnsafe(whole);
  let at = RECORD_HEADER_BYTES;
  if (metadata !== undefined) at = writeMetadata(record, at, metadata);
  for (const [i, batch] of batches.entries()) at = writeBatch(record, at, batch, confStates[i]);
  record.fill(0, at);
  record.writeUInt32LE(RECORD_MAGIC, 0);
  record.writeUInt32LE(bytes - RECORD_HEADER_BYTES, 4);
  record.writeUInt32LE(0, 8);
  record.writeUInt32LE(recordCrc(record, sequence, offset), 12);
  return record;
}

/**
 * The record at `offset`, padding and all, if there is a whole and sound one. Its CRC also covers
 * where it stands, so that neither a copy elsewhere nor what an old file left behind counts.
 */
export function recordAt(segment: Buffer, offset: number, sequence: number): Buffer | undefined {
  const end = recordEnd(segment, offset);
  if (end === undefined) return undefined;
  const record = segment.subarray(offset, end);
  if (record.readUInt32LE(12) !== recordCrc(record, sequence, offset)) return undefined;
  return record;
}

/** Where a record at `offset` would end by its header; undefined if there is no header or no room. */
export function recordEnd(segment: Buffer, offset: number): number | undefined {
  if (offset + RECORD_HEADER_BYTES > segment.length) return undefined;
  if (segment.readUInt32LE(offset) !== RECORD_MAGIC) return undefined;
  const bytes = RECORD_HEADER_BYTES + segment.readUInt32LE(offset + 4);
  const end = offset + Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  return end > segment.length ? undefined : end;
}

/**
 * The items of a sound record, in the order in which they were written. Entry data is copied out.
 */
export function* decodeRecord(record: Buffer): Iterable<WalItem> {
  const end = RECORD_HEADER_BYTES + record.readUInt32LE(4);
  let at = RECORD_HEADER_BYTES;
  while (at < end) {
    const type = record[at];
    const group = record.readUInt32LE(at + 4);
    const body = at + ITEM_HEADER_BYTES;
    const next = body + record.readUInt32LE(at + 8);
    if (next > end) throw new Error('an item reaches past its record');
    yield decodeItem(record, type, group, at, next);
    at = next;
  }
}

function decodeItem(
  record: Buffer,
  type: number | undefined,
  group: number,
  at: number,
  end: number,
): WalItem {
  const body = at + ITEM_HEADER_BYTES;
  const bodyBytes = end - body;
  switch (type) {
    case ITEM_METADATA:
      if (bodyBytes !== METADATA_BYTES) throw wrongSize('metadata', bodyBytes);
      return {
        kind: 'metadata',
        metadata: {
          clusterId: record.readBigUInt64LE(body),
          memberId: record.readBigUInt64LE(body + 8),
        },
      };
    case ITEM_HARD_STATE: {
      if (bodyBytes !== HARD_STATE_BYTES) throw wrongSize('a hard state', bodyBytes);
      const term = readU64(record, body);
      const commit = readU64(record, body + 16);
      const vote = record.readBigUInt64LE(body + 8);
      return { kind: 'hardState', group, hardState: { term, vote, commit } };
    }
    case ITEM_SNAPSHOT: {
      if (bodyBytes < SNAPSHOT_FIXED_BYTES) throw wrongSize('a snapshot mark', bodyBytes);
      const confState = ConfState.decode(record.subarray(body + SNAPSHOT_FIXED_BYTES, end));
      const snapshot = { term: readU64(record, body), index: readU64(record, body + 8), confState };
      return { kind: 'snapshot', group, snapshot };
    }
    case ITEM_ENTRY: {
      if (bodyBytes < ENTRY_FIXED_BYTES) throw wrongSize('an entry', bodyBytes);
      const entry: Entry = {
        term: readU64(record, body),
        index: readU64(record, body + 8),
        type: record[at + 1] === 1 ? EntryType.CONF_CHANGE : EntryType.NORMAL,
        data: Buffer.from(record.subarray(body + ENTRY_FIXED_BYTES, end)),
      };
      return { kind: 'entry', group, entry };
    }
    default:
      throw new Error(`unknown item type ${type}`);
  }
}

function wrongSize(what: string, bytes: number): Error {
  return new Error(`${what} of ${bytes} bytes`);
}

function batchBytes(batch: WalBatch, confState: Uint8Array | undefined): number {
  let bytes = 0;
  if (batch.hardState !== undefined) bytes += ITEM_HEADER_BYTES + HARD_STATE_BYTES;
  if (confState !== undefined) bytes += ITEM_HEADER_BYTES + SNAPSHOT_FIXED_BYTES + confState.length;
  for (const { data } of batch.entries ?? []) {
    bytes += ITEM_HEADER_BYTES + ENTRY_FIXED_BYTES + data.length;
  }
  return bytes;
}

function writeBatch(
  record: Buffer,
  start: number,
  batch: WalBatch,
  confState: Uint8Array | undefined,
): number {
  const group = batch.group ?? 0;
  let at = start;
  // The mark comes first: entries of the same batch follow the snapshot.
  if (batch.snapshot !== undefined && confState !== undefined) {
    at = writeItemHeader(record, at, ITEM_SNAPSHOT, group, SNAPSHOT_FIXED_BYTES + confState.length);
    writeU64(record, batch.snapshot.term, at);
    writeU64(record, batch.snapshot.index, at + 8);
    record.set(confState, at + SNAPSHOT_FIXED_BYTES);
    at += SNAPSHOT_FIXED_BYTES + confState.length;
  }
  for (const entry of batch.entries ?? []) {
    const header = at;
    at = writeItemHeader(record, at, ITEM_ENTRY, group, ENTRY_FIXED_BYTES + entry.data.length);
    record[header + 1] = entry.type;
    writeU64(record, entry.term, at);
    writeU64(record, entry.index, at + 8);
    record.set(entry.data, at + ENTRY_FIXED_BYTES);
    at += ENTRY_FIXED_BYTES + entry.data.length;
  }
  if (batch.hardState !== undefined) {
    at = writeItemHeader(record, at, ITEM_HARD_STATE, group, HARD_STATE_BYTES);
    writeU64(record, batch.hardState.term, at);
    record.writeBigUInt64LE(BigInt.asUintN(64, batch.hardState.vote), at + 8);
    writeU64(record, batch.hardState.commit, at + 16);
    at += HARD_STATE_BYTES;
  }
  return at;
}

function writeMetadata(record: Buffer, start: number, metadata: WalMetadata): number {
  const at = writeItemHeader(record, start, ITEM_METADATA, 0, METADATA_BYTES);
  record.writeBigUInt64LE(BigInt.asUintN(64, metadata.clusterId), at);
  record.writeBigUInt64LE(BigInt.asUintN(64, metadata.memberId), at + 8);
  return at + METADATA_BYTES;
}

function writeItemHeader(
  record: Buffer,
  at: number,
  type: number,
  group: number,
  bodyBytes: number,
): number {
  record.writeUInt32LE(type, at);
  record.writeUInt32LE(group, at + 4);
  record.writeUInt32LE(bodyBytes, at + 8);
  return at + ITEM_HEADER_BYTES;
}

/** Over everything but the CRC field, begun with the record's place. */
function recordCrc(record: Buffer, sequence: number, offset: number): number {
  const header = headerCrc(record.subarray(0, RECORD_HEADER_BYTES), sequence, offset);
  return crc32(record.subarray(RECORD_HEADER_BYTES), header);
}

/** The CRC of a record up to its items: with theirs it gives the whole. */
export function headerCrc(header: Buffer, sequence: number, offset: number): number {
  const place = Buffer.allocUnsafe(16);
  writeU64(place, sequence, 0);
  writeU64(place, offset, 8);
  return crc32(header.subarray(0, 12), crc32(place));
}

/** Terms and indexes are exact as numbers up to 2^53; two halves are faster than a bigint. */
function writeU64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value >>> 0, at);
  buffer.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

/** Throws for a number that would not be exact: nobody has written it. */
function readU64(buffer: Buffer, at: number): number {
  const value = buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32;
  if (value > Number.MAX_SAFE_INTEGER) throw new Error('a number beyond 2^53');
  return value;
}
