/** Byte-wise comparison, as LMDB and etcd order keys: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

export function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length && equalBytes(bytes.subarray(0, prefix.length), prefix);
}

/**
 * The smallest key greater than every key that starts with `prefix`, as etcd clients compute a prefix's range_end.
 * A prefix of 0xff bytes only, or an empty one, gives "\0": to the end of the key space.
 */
export function prefixEnd(prefix: Uint8Array): Buffer {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] as number;
    if (byte < 0xff) {
      const end = Buffer.from(prefix.subarray(0, i + 1));
      end[i] = byte + 1;
      return end;
    }
  }
  return Buffer.from([0]);
}

/** The key right after `key` in byte order. */
export function successor(key: Uint8Array): Buffer {
  const next = Buffer.alloc(key.length + 1);
  next.set(key, 0);
  return next;
}

/** A 64-bit id as etcd's tools print it: lower-case hex without leading zeros. */
export function idToHex(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}
