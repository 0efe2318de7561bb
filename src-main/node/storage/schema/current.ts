/*
 * Table `current`: user key -> what the key is at head. See README.md for the layout and a worked
 * example. The row is the tail of the key's newest row in `revisions`: both tables share one buffer
 * in memory.
 */
import type { KeyValue } from '../../../proto/etcd/kv.ts';
import { readU64, writeU64 } from './numbers.ts';

const CREATE = 0;
const MOD = 8;
const SUB = 16;
const VERSION = 20;
const LEASE = 28;
/** Where the user's value starts. */
export const CURRENT_HEADER_BYTES = 36;

const EMPTY: Buffer = Buffer.alloc(0);

/** The numbers of one version of a key. */
export interface VersionNumbers {
  createRevision: number;
  modRevision: number;
  /** Position of the change within its main revision. */
  sub: number;
  /** Changes since the key was created, this one included. */
  version: number;
  /** 0n is none. */
  lease: bigint;
}

/** Writes the row into `target` from `at` on; it must have room for header and value. */
export function writeCurrent(
  target: Buffer,
  at: number,
  numbers: VersionNumbers,
  value: Uint8Array,
): void {
  writeU64(target, numbers.createRevision, at + CREATE);
  writeU64(target, numbers.modRevision, at + MOD);
  target.writeUInt32BE(numbers.sub, at + SUB);
  writeU64(target, numbers.version, at + VERSION);
  if (numbers.lease === 0n) target.fill(0, at + LEASE, at + LEASE + 8);
  else target.writeBigInt64BE(numbers.lease, at + LEASE);
  target.set(value, at + CURRENT_HEADER_BYTES);
}

export function currentCreate(row: Buffer): number {
  return readU64(row, CREATE);
}

export function currentMod(row: Buffer): number {
  return readU64(row, MOD);
}

export function currentSub(row: Buffer): number {
  return row.readUInt32BE(SUB);
}

export function currentVersion(row: Buffer): number {
  return readU64(row, VERSION);
}

export function currentLease(row: Buffer): bigint {
  if (row.readUInt32BE(LEASE) === 0 && row.readUInt32BE(LEASE + 4) === 0) return 0n;
  return row.readBigInt64BE(LEASE);
}

/** A view of the row, not a copy. */
export function currentValue(row: Buffer): Buffer {
  return row.subarray(CURRENT_HEADER_BYTES);
}

export function keyValueOf(key: Buffer, row: Buffer, keysOnly = false): KeyValue {
  return {
    key,
    createRevision: currentCreate(row),
    modRevision: currentMod(row),
    version: currentVersion(row),
    value: keysOnly ? EMPTY : currentValue(row),
    lease: currentLease(row),
  };
}
