/** Protobuf's varints for numbers up to 2^53, for codecs that are written by hand because they run for every request. */

/** How many bytes `writeVarint` needs. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Answers where the next field starts. */
export function writeVarint(target: Uint8Array, value: number, start: number): number {
  let at = start;
  let rest = value;
  // Shifts are cheaper than divisions, but work on 32 bits.
  for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 128)) target[at++] = (rest % 128) | 0x80;
  for (; rest >= 128; rest >>>= 7) target[at++] = (rest & 0x7f) | 0x80;
  target[at++] = rest;
  return at;
}

/** The same for 64 bits in two halves, as ids have them. */
export function writeVarint64(
  target: Uint8Array,
  high32: number,
  low32: number,
  start: number,
): number {
  let at = start;
  let high = high32 >>> 0;
  let low = low32 >>> 0;
  while (high > 0 || low >= 128) {
    target[at++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  target[at++] = low;
  return at;
}

/** The most bytes that a varint has. */
export const MAX_VARINT_BYTES = 10;
