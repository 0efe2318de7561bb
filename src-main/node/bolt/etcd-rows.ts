/* Rows of etcd's key bucket: a revision and what it did to one key. README.md has the layout. */
import { KeyValue } from '../../proto/etcd/kv.ts';
import { keyValueOf } from '../storage/schema/current.ts';
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

const NOTHING: Buffer = Buffer.alloc(0);

export function etcdRevision(main: number, sub: number, isTombstone = false): Buffer {
  const key = Buffer.allocUnsafe(ETCD_REVISION_BYTES + (isTombstone ? 1 : 0));
  const at = writeU64(key, main, 0);
  key[at] = SEPARATOR;
  const end = writeU64(key, sub, at + 1);
  if (isTombstone) key[end] = TOMBSTONE;
  return key;
}

/** A row of our `revisions` as etcd stores it, byte for byte. */
export function etcdKeyRow({ key, value }: Row): BoltRow {
  const userKey = revisionUserKey(value);
  const isTombstone = isDelete(value);
  const kv = isTombstone
    ? { key: userKey, createRevision: 0, modRevision: 0, version: 0, value: NOTHING, lease: 0n }
    : keyValueOf(userKey, currentRowOf(value));
  const bytes = KeyValue.encode(kv).finish();
  return {
    key: etcdRevision(revisionMain(key), revisionSub(key), isTombstone),
    value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
  };
}
