import { decodeRow } from './corrupt-row.ts';

const TWO_32 = 2 ** 32;

/**
 * Bytes of a main revision, an index or a count: fixed-width, so that byte order is numeric order.
 */
export const U64_BYTES = 8;
export const U32_BYTES = 4;

/** Big-endian. `value` is an integer in [0, 2^53). Answers where the next field starts. */
export function writeU64(buffer: Buffer, value: number, at: number): number {
  buffer.writeUInt32BE(Math.floor(value / TWO_32), at);
  return buffer.writeUInt32BE(value >>> 0, at + 4);
}

export function readU64(buffer: Buffer, at: number): number {
  return buffer.readUInt32BE(at) * TWO_32 + buffer.readUInt32BE(at + 4);
}

/** As `readU64`, where a row may be corrupt. Throws for what `writeU64` cannot have written. */
export function readCount(buffer: Buffer, at: number): number {
  const value = readU64(buffer, at);
  if (!Number.isSafeInteger(value)) throw new RangeError(`byte ${at} begins no count`);
  return value;
}

/** An id (of a lease, of a member) as an 8-byte key: ordered as unsigned. */
export function idKey(id: bigint): Buffer {
  const key = Buffer.allocUnsafe(U64_BYTES);
  key.writeBigUInt64BE(BigInt.asUintN(64, id));
  return key;
}

export function decodeIdKey(key: Buffer): bigint {
  return decodeRow('an id', key, U64_BYTES, () => key.readBigUInt64BE());
}
