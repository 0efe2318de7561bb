/*
 * Table `history`: (user key, main, sub) -> kind. See README.md for the layout and a worked
 * example. The user key is escaped so that keys of any bytes keep their order and none runs into
 * the revision behind it: a zero byte becomes 00 ff, and 00 01 ends the key.
 */
import { readU64, U64_BYTES, writeU64 } from './numbers.ts';
import { KIND_DELETE, KIND_PUT, REVISION_KEY_BYTES } from './revisions.ts';

const ESCAPED_ZERO = 0xff;
const END = 0x01;

/** Shared: the store does not change what it is given. */
export const HISTORY_PUT: Buffer = Buffer.from([KIND_PUT]);
export const HISTORY_DELETE: Buffer = Buffer.from([KIND_DELETE]);

function escapedBytes(key: Uint8Array): number {
  let zeros = 0;
  for (let at = key.indexOf(0); at >= 0; at = key.indexOf(0, at + 1)) zeros++;
  return key.length + zeros + 2;
}

/** Answers where the next field starts. */
function writeEscaped(target: Buffer, key: Uint8Array, bytes: number): number {
  if (bytes === key.length + 2) target.set(key, 0);
  else {
    let at = 0;
    for (const byte of key) {
      target[at++] = byte;
      if (byte === 0) target[at++] = ESCAPED_ZERO;
    }
  }
  target[bytes - 2] = 0;
  target[bytes - 1] = END;
  return bytes;
}

/** Sorts before every version of the key, and behind every version of every smaller key. */
export function historyPrefix(key: Uint8Array): Buffer {
  const bytes = escapedBytes(key);
  const prefix = Buffer.allocUnsafe(bytes);
  writeEscaped(prefix, key, bytes);
  return prefix;
}

export function historyKey(key: Uint8Array, main: number, sub: number): Buffer {
  const bytes = escapedBytes(key);
  const row = Buffer.allocUnsafe(bytes + REVISION_KEY_BYTES);
  const at = writeU64(row, main, writeEscaped(row, key, bytes));
  row.writeUInt32BE(sub, at);
  return row;
}

/** The escaped user key of a row's key. A view, not a copy. */
export function historyRowPrefix(row: Buffer): Buffer {
  return row.subarray(0, row.length - REVISION_KEY_BYTES);
}

export function historyMain(row: Buffer): number {
  return readU64(row, row.length - REVISION_KEY_BYTES);
}

export function historySub(row: Buffer): number {
  return row.readUInt32BE(row.length - REVISION_KEY_BYTES + U64_BYTES);
}

export function historyIsDelete(value: Buffer): boolean {
  return value[0] === KIND_DELETE;
}

/** The user key that an escaped one stands for. */
export function unescapeKey(prefix: Buffer): Buffer {
  const end = prefix.length - 2;
  if (prefix.indexOf(0) === end) return prefix.subarray(0, end);
  const key = Buffer.allocUnsafe(end);
  let length = 0;
  for (let at = 0; at < end; at++) {
    const byte = prefix[at] as number;
    key[length++] = byte;
    // What follows a zero byte is its mark.
    if (byte === 0) at++;
  }
  return key.subarray(0, length);
}
