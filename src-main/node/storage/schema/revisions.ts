/*
 * Table `revisions`: (main, sub) -> event. See README.md for the layout and a worked example.
 * Each row names the version that it replaced, so that compaction and prev_kv need no search.
 */
import { CURRENT_HEADER_BYTES, type VersionNumbers, writeCurrent } from './current.ts';
import { readU64, U32_BYTES, U64_BYTES, writeU64 } from './numbers.ts';

export const KIND_PUT = 1;
export const KIND_DELETE = 2;

const KIND = 0;
const PREV_MAIN = 1;
const PREV_SUB = 9;
const KEY_LENGTH = 13;
const KEY = 17;

export const REVISION_KEY_BYTES: number = U64_BYTES + U32_BYTES;

/** Where a version is. main 0 is none. */
export interface Revision {
  main: number;
  sub: number;
}

export function revisionKey(main: number, sub: number): Buffer {
  const key = Buffer.allocUnsafe(REVISION_KEY_BYTES);
  writeU64(key, main, 0);
  key.writeUInt32BE(sub, U64_BYTES);
  return key;
}

export function revisionMain(key: Buffer): number {
  return readU64(key, 0);
}

export function revisionSub(key: Buffer): number {
  return key.readUInt32BE(U64_BYTES);
}

function writeHead(row: Buffer, kind: number, key: Uint8Array, main: number, sub: number): void {
  row[KIND] = kind;
  writeU64(row, main, PREV_MAIN);
  row.writeUInt32BE(sub, PREV_SUB);
  row.writeUInt32BE(key.length, KEY_LENGTH);
  row.set(key, KEY);
}

/**
 * `prevMain` and `prevSub` are the version that this one replaces; 0 and 0 if the key is created.
 */
export function encodePut(
  key: Uint8Array,
  value: Uint8Array,
  numbers: VersionNumbers,
  prevMain: number,
  prevSub: number,
): Buffer {
  const row = Buffer.allocUnsafe(KEY + key.length + CURRENT_HEADER_BYTES + value.length);
  writeHead(row, KIND_PUT, key, prevMain, prevSub);
  writeCurrent(row, KEY + key.length, numbers, value);
  return row;
}

export function encodeDelete(key: Uint8Array, prevMain: number, prevSub: number): Buffer {
  const row = Buffer.allocUnsafe(KEY + key.length);
  writeHead(row, KIND_DELETE, key, prevMain, prevSub);
  return row;
}

export function isDelete(row: Buffer): boolean {
  return row[KIND] === KIND_DELETE;
}

/** A view of the row, not a copy. */
export function revisionUserKey(row: Buffer): Buffer {
  return row.subarray(KEY, KEY + row.readUInt32BE(KEY_LENGTH));
}

/** The row that `current` holds, or held, for a put. A view, not a copy. */
export function currentRowOf(row: Buffer): Buffer {
  return row.subarray(KEY + row.readUInt32BE(KEY_LENGTH));
}

export function previousMain(row: Buffer): number {
  return readU64(row, PREV_MAIN);
}

export function previousSub(row: Buffer): number {
  return row.readUInt32BE(PREV_SUB);
}
