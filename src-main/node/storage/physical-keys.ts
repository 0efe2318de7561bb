/*
 * How keys of any length map to LMDB keys of at most 1978 bytes, in the same byte order.
 *
 * A table is a tree of nodes inside one LMDB database. Rows of the root node start with ROOT, rows
 * of any other node with CHILD and the node's id (8 bytes, big-endian). What follows is
 *   - the rest of the key, if that is at most CHUNK_BYTES long: the row's value is the user's;
 *   - else the next CHUNK_BYTES bytes and one zero byte: a pointer. Its value is the id of the
 *     child node that holds the rests of all keys that start so, and the number of rows in it
 *     (two 8-byte big-endian integers).
 * A pointer is CHUNK_BYTES + 1 long and so cannot be taken for a row; it sorts right behind the key
 * that ends where it begins, and before every key that differs within the chunk. So a walk that
 * enters children where it meets their pointers sees keys in byte order. The row NEXT_ID holds the
 * next free node id of the table.
 */
const ROOT = 0x00;
const CHILD = 0x01;
export const NEXT_ID_KEY: Buffer = Buffer.from([0x02]);

/**
 * With a child's prefix and the pointer's zero byte this stays below LMDB's limit of 1978 bytes.
 */
export const CHUNK_BYTES = 1900;
const ID_BYTES = 8;
export const ROOT_PREFIX: Buffer = Buffer.from([ROOT]);

export interface Pointer {
  child: number;
  /** Rows and pointers in the child node; at least 1. */
  rows: number;
}

export function childPrefix(id: number): Buffer {
  const prefix = Buffer.alloc(1 + ID_BYTES);
  prefix[0] = CHILD;
  prefix.writeBigUInt64BE(BigInt(id), 1);
  return prefix;
}

export function rowKey(prefix: Uint8Array, rest: Uint8Array): Buffer {
  const key = Buffer.allocUnsafe(prefix.length + rest.length);
  key.set(prefix, 0);
  key.set(rest, prefix.length);
  return key;
}

/** `rest` is longer than CHUNK_BYTES; its first chunk names the pointer. */
export function pointerKey(prefix: Uint8Array, rest: Uint8Array): Buffer {
  const key = Buffer.allocUnsafe(prefix.length + CHUNK_BYTES + 1);
  key.set(prefix, 0);
  key.set(rest.subarray(0, CHUNK_BYTES), prefix.length);
  key[key.length - 1] = 0;
  return key;
}

export function isPointer(prefix: Uint8Array, key: Uint8Array): boolean {
  return key.length - prefix.length > CHUNK_BYTES;
}

/** First key behind every row of the node. */
export function nodeEnd(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    const byte = end[i] as number;
    end[i] = (byte + 1) & 0xff;
    if (byte !== 0xff) break;
  }
  return end;
}

export function encodePointer(pointer: Pointer): Buffer {
  const value = Buffer.alloc(2 * ID_BYTES);
  value.writeBigUInt64BE(BigInt(pointer.child), 0);
  value.writeBigUInt64BE(BigInt(pointer.rows), ID_BYTES);
  return value;
}

export function decodePointer(value: Buffer): Pointer {
  return {
    child: Number(value.readBigUInt64BE(0)),
    rows: Number(value.readBigUInt64BE(ID_BYTES)),
  };
}
