/**
 * One level of the key space as a tree. etcd knows no folders: a level is found by leaping from the
 * end of each folder to what comes after it, so that what it costs follows from the entries of the
 * level and not from the keys below them.
 */
import { prefixEnd, successor } from '../base/bytes.ts';
import type { CallParsed } from '../contract/calls.ts';
import type { KeyLevel, KeyLevelEntry } from '../contract/keys-level.ts';
import type { CallOptions, EtcdConnection } from '../remote/connection.ts';
import { FIRST_KEY, toRow } from './keys.ts';

/** Keys of the first request, and of one that follows a leap. */
const LEAP_ROWS = 16;
/** Keys of a request where keys stand side by side. */
const MAX_ROWS = 1_000;
/** What one answer should stay below: half of what etcd clients take by default. */
const CHUNK_BYTES = 2 * 1024 * 1024;
/** Bytes of a key-value besides its key, about. */
const ROW_OVERHEAD_BYTES = 32;
/** A page is cut short after so many requests: the rest is asked for when it comes into view. */
const MAX_REQUESTS = 200;

/** What prefixEnd gives where there is no end. */
const NO_END = Buffer.from([0]);

/** Entries of the level below a prefix, in the order of their bytes. */
export async function keyLevel(
  etcd: Pick<EtcdConnection, 'range'>,
  input: CallParsed<'keys.level'>,
  options: CallOptions,
): Promise<KeyLevel> {
  const prefix = Buffer.from(input.prefix);
  const separator = Buffer.from(input.separator);
  const rangeEnd = prefixEnd(prefix);
  let key: Buffer = Buffer.from(input.from ?? (prefix.length === 0 ? FIRST_KEY : prefix));
  let revision = input.revision ?? 0;
  let limit = LEAP_ROWS;
  const entries: KeyLevelEntry[] = [];
  for (let requests = 0; requests < MAX_REQUESTS; requests++) {
    const room = Math.min(limit, input.limit - entries.length);
    const page = await etcd.range(
      { key, rangeEnd, limit: room, revision, keysOnly: true },
      options,
    );
    // The rest of the level is read at the revision of its first answer.
    if (revision === 0) revision = page.header?.revision ?? 0;
    const before = entries.length;
    let folder: Buffer | null = null;
    for (const kv of page.kvs) {
      if (folder !== null && kv.key.subarray(0, folder.length).equals(folder)) continue;
      folder = folderOf(kv.key, prefix.length, separator);
      entries.push(
        folder === null
          ? { kind: 'key', row: toRow(kv, null) }
          : { kind: 'folder', prefix: folder },
      );
    }
    const last = page.kvs.at(-1)?.key;
    if (last === undefined || !page.more) return { entries, revision, next: null };
    const next = folder === null ? successor(last) : prefixEnd(folder);
    // Nothing can come after a folder of 0xff bytes.
    if (next.equals(NO_END)) return { entries, revision, next: null };
    key = next;
    if (entries.length >= input.limit) break;
    const isDense = entries.length - before > room / 2;
    limit = isDense ? Math.min(MAX_ROWS, limit * 4, rowsPerChunk(page.kvs)) : LEAP_ROWS;
  }
  return { entries, revision, next: key };
}

/** The folder that a key is in, up to and with its separator; null: it is of the level itself. */
function folderOf(key: Buffer, from: number, separator: Buffer): Buffer | null {
  const at = key.indexOf(separator, from);
  return at < 0 ? null : key.subarray(0, at + separator.length);
}

function rowsPerChunk(kvs: readonly { key: Buffer }[]): number {
  const bytes = kvs.reduce((sum, kv) => sum + kv.key.length + ROW_OVERHEAD_BYTES, 0);
  return Math.max(1, Math.floor((CHUNK_BYTES * kvs.length) / bytes));
}
