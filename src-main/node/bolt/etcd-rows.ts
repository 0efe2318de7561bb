/* Rows of etcd's key bucket: a revision and what it did to one key. README.md has the layout. */
import {
  currentCreate,
  currentLease,
  currentMod,
  currentValue,
  currentVersion,
} from '../storage/schema/current.ts';
import { U64_BYTES, writeU64 } from '../storage/schema/numbers.ts';
import {
  currentRowOf,
  isDelete,
  revisionMain,
  revisionSub,
  revisionUserKey,
} from '../storage/schema/revisions.ts';
import type { Row } from '../storage/types.ts';
import type { BoltRow } from './writer.ts';

const SEPARATOR = 0x5f;
const TOMBSTONE = 0x74;
/** Without the mark of a tombstone. */
export const ETCD_REVISION_BYTES: number = 2 * U64_BYTES + 1;

/** Tags of mvccpb.KeyValue's fields: number and wire type. */
const KEY = 0x0a;
const CREATE_REVISION = 0x10;
const MOD_REVISION = 0x18;
const VERSION = 0x20;
const VALUE = 0x2a;
const LEASE = 0x30;
const MAX_VARINT_BYTES = 10;

export function etcdRevision(main: number, sub: number, isTombstone = false): Buffer {
  const key = Buffer.allocUnsafe(ETCD_REVISION_BYTES + (isTombstone ? 1 : 0));
  const at = writeU64(key, main, 0);
  key[at] = SEPARATOR;
  const end = writeU64(key, sub, at + 1);
  if (isTombstone) key[end] = TOMBSTONE;
  return key;
}

/**
 * A row of our `revisions` as etcd stores it, byte for byte. Every row of a snapshot and of a sum
 * goes through here: the general encoder of messages costs four times as much.
 */
export function etcdKeyRow({ key, value }: Row): BoltRow {
  const isTombstone = isDelete(value);
  return {
    key: etcdRevision(revisionMain(key), revisionSub(key), isTombstone),
    value: isTombstone ? encodeTombstone(value) : encodePut(value),
  };
}

function encodeTombstone(row: Buffer): Buffer {
  const key = revisionUserKey(row);
  const bytes = Buffer.allocUnsafe(fieldBytes(key.length));
  writeBytes(bytes, KEY, key, 0);
  return bytes;
}

/** mvccpb.KeyValue: fields in order, those of no value left out. */
function encodePut(row: Buffer): Buffer {
  const key = revisionUserKey(row);
  const current = currentRowOf(row);
  const createRevision = currentCreate(current);
  const modRevision = currentMod(current);
  const version = currentVersion(current);
  const value = currentValue(current);
  // etcd's numbers are signed of 64 bits, which a varint takes as unsigned.
  const lease = BigInt.asUintN(64, currentLease(current));
  const bytes = Buffer.allocUnsafe(
    fieldBytes(key.length) +
      fieldBytes(value.length) +
      3 +
      varintBytes(createRevision) +
      varintBytes(modRevision) +
      varintBytes(version) +
      (lease === 0n ? 0 : 1 + MAX_VARINT_BYTES),
  );
  let at = writeBytes(bytes, KEY, key, 0);
  at = writeNumber(bytes, CREATE_REVISION, createRevision, at);
  at = writeNumber(bytes, MOD_REVISION, modRevision, at);
  at = writeNumber(bytes, VERSION, version, at);
  at = writeBytes(bytes, VALUE, value, at);
  if (lease === 0n) return bytes;
  bytes[at++] = LEASE;
  at = writeBigVarint(bytes, lease, at);
  return bytes.subarray(0, at);
}

function fieldBytes(length: number): number {
  return length === 0 ? 0 : 1 + varintBytes(length) + length;
}

function varintBytes(number: number): number {
  let bytes = 1;
  for (let rest = number; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

function writeVarint(target: Buffer, number: number, at: number): number {
  let end = at;
  let rest = number;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target[end++] = (rest % 0x80) | 0x80;
  target[end++] = rest;
  return end;
}

function writeBigVarint(target: Buffer, number: bigint, at: number): number {
  let end = at;
  let rest = number;
  for (; rest >= 0x80n; rest >>= 7n) target[end++] = Number(rest & 0x7fn) | 0x80;
  target[end++] = Number(rest);
  return end;
}

/** No version has a zero in any of these numbers. */
function writeNumber(target: Buffer, tag: number, number: number, at: number): number {
  target[at] = tag;
  return writeVarint(target, number, at + 1);
}

function writeBytes(target: Buffer, tag: number, bytes: Buffer, at: number): number {
  if (bytes.length === 0) return at;
  target[at] = tag;
  const start = writeVarint(target, bytes.length, at + 1);
  target.set(bytes, start);
  return start + bytes.length;
}
