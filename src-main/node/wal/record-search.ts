import { crc32 } from 'node:zlib';
import { ALIGNMENT_BYTES, headerCrc, RECORD_HEADER_BYTES, recordEnd } from './format.ts';

/**
 * Offset of the first sound record at or after `from`. What is searched may be user data that looks
 * like one record header after the other, each with a length up to the end: to sum up every one of
 * them anew would take hours for one value of a client. So the sums come from those of prefixes.
 */
export function nextRecord(content: Buffer, from: number, sequence: number): number | undefined {
  const sums = new RangeSums(content);
  for (let at = from; at < content.length; at += ALIGNMENT_BYTES) {
    const end = recordEnd(content, at);
    if (end === undefined) continue;
    const body = at + RECORD_HEADER_BYTES;
    const header = headerCrc(content.subarray(at, body), sequence, at);
    if (sums.crc(body, end, header) === content.readUInt32LE(at + 12)) return at;
  }
  return undefined;
}

/** Sums of prefixes are kept at every so many bytes. */
const STEP_BYTES = 4096;
/** The polynomial of zlib's CRC-32, bits reversed. */
const POLYNOMIAL = 0xedb88320;
const WORD_BITS = 32;

/** CRC-32 of any range of a buffer in time that hardly grows with the range's length. */
export class RangeSums {
  readonly #bytes: Buffer;
  /** Of the first i * STEP_BYTES bytes. Grows as far as it is asked for. */
  readonly #prefixes: number[] = [0];
  /** The i-th advances a CRC over 2^i zero bytes: what a lone bit becomes, for each bit. */
  readonly #advances: Uint32Array[];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#advances = advancesUpTo(bytes.length);
  }

  /** What crc32(bytes.subarray(start, end), previous) gives. */
  crc(start: number, end: number, previous: number): number {
    // Summing is linear: the prefix up to `start` is taken out of the one up to `end`.
    const before = (this.#prefix(start) ^ previous) >>> 0;
    return (this.#prefix(end) ^ this.#advance(before, end - start)) >>> 0;
  }

  #prefix(end: number): number {
    const step = Math.floor(end / STEP_BYTES);
    for (let i = this.#prefixes.length; i <= step; i++) {
      const part = this.#bytes.subarray((i - 1) * STEP_BYTES, i * STEP_BYTES);
      this.#prefixes.push(crc32(part, this.#prefixes[i - 1]));
    }
    return crc32(this.#bytes.subarray(step * STEP_BYTES, end), this.#prefixes[step]);
  }

  #advance(crc: number, bytes: number): number {
    let advanced = crc;
    for (let i = 0; bytes >= 2 ** i; i++) {
      if (Math.floor(bytes / 2 ** i) % 2 === 1) {
        advanced = times(this.#advances[i] as Uint32Array, advanced);
      }
    }
    return advanced;
  }
}

function advancesUpTo(bytes: number): Uint32Array[] {
  let matrix = new Uint32Array(WORD_BITS);
  matrix[0] = POLYNOMIAL;
  for (let bit = 1; bit < WORD_BITS; bit++) matrix[bit] = 2 ** (bit - 1);
  // That was one zero bit: three times doubled it is a byte.
  for (let i = 0; i < 3; i++) matrix = squared(matrix);
  const advances = [matrix];
  while (2 ** advances.length <= bytes) advances.push(squared(advances.at(-1) as Uint32Array));
  return advances;
}

/** A matrix over single bits, one word for each column. */
function times(matrix: Uint32Array, vector: number): number {
  let product = 0;
  for (let rest = vector, bit = 0; rest !== 0; rest >>>= 1, bit++) {
    if (rest & 1) product ^= matrix[bit] as number;
  }
  return product >>> 0;
}

function squared(matrix: Uint32Array): Uint32Array<ArrayBuffer> {
  return Uint32Array.from(matrix, (column) => times(matrix, column));
}
