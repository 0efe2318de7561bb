import type { Random } from '../../src-main/base/prng.ts';

/** Numbers that parsers stumble over: as lengths, counts, indexes and ids. */
export const ODD_NUMBERS: readonly bigint[] = [
  ...[0n, 1n, 2n, 7n, 8n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0xffffn, 0x10000n, 0xffffffn],
  ...[0x7fffffffn, 0x80000000n, 0xfffffff0n, 0xffffffffn, 1n << 53n, (1n << 63n) - 1n],
  ...[1n << 63n, (1n << 64n) - 1n],
];
const MAX_MUTATIONS = 6;
const MAX_BLOCK_BYTES = 512;
/** Lengths at which blocks are likely to begin: of items, of records, of pages. */
const ALIGNMENTS = [1, 1, 1, 8, 16, 512, 4096];

export function randomBytes(random: Random, maxBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(random.below(maxBytes + 1));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256);
  return bytes;
}

export function oneOf<T>(random: Random, items: readonly T[]): T {
  if (items.length === 0) throw new Error('nothing to choose from');
  return items[random.below(items.length)] as T;
}

/** A few changes to one of the seeds, or into which another one is mixed. */
export function mutated(random: Random, seeds: readonly Buffer[], maxBytes: number): Buffer {
  let bytes = Buffer.from(oneOf(random, seeds));
  const mutations = 1 + random.below(MAX_MUTATIONS);
  for (let i = 0; i < mutations; i++) {
    bytes = oneOf(random, MUTATIONS)(random, bytes, oneOf(random, seeds));
  }
  return bytes.subarray(0, maxBytes);
}

type Mutation = (random: Random, bytes: Buffer, other: Buffer) => Buffer<ArrayBuffer>;

function place(random: Random, bytes: Buffer): number {
  const alignment = oneOf(random, ALIGNMENTS);
  const at = random.below(bytes.length + 1);
  return at - (at % alignment);
}

function block(random: Random, bytes: Buffer): { start: number; end: number } {
  const start = place(random, bytes);
  const most = oneOf(random, [1, 8, 64, MAX_BLOCK_BYTES]);
  return { start, end: Math.min(bytes.length, start + 1 + random.below(most)) };
}

function overwrite(bytes: Buffer, at: number, source: Buffer): Buffer<ArrayBuffer> {
  const copy = Buffer.from(bytes);
  copy.set(source.subarray(0, Math.max(0, copy.length - at)), Math.min(at, copy.length));
  return copy;
}

function insert(bytes: Buffer, at: number, source: Buffer): Buffer<ArrayBuffer> {
  return Buffer.concat([bytes.subarray(0, at), source, bytes.subarray(at)]);
}

/** A number in one of the ways in which formats write it. */
function oddNumber(random: Random): Buffer {
  const number = oneOf(random, ODD_NUMBERS);
  const bytes = Buffer.alloc(8);
  switch (random.below(6)) {
    case 0:
      bytes.writeBigUInt64LE(number);
      return bytes;
    case 1:
      bytes.writeBigUInt64BE(number);
      return bytes;
    case 2:
      bytes.writeBigUInt64LE(number);
      return bytes.subarray(0, 4);
    case 3:
      bytes.writeBigUInt64BE(number);
      return bytes.subarray(4);
    case 4:
      bytes.writeBigUInt64BE(number);
      return bytes.subarray(8 - oneOf(random, [1, 2, 3]));
    default:
      return varint(number);
  }
}

export function varint(number: bigint): Buffer {
  const bytes: number[] = [];
  for (let rest = number; ; rest >>= 7n) {
    if (rest < 0x80n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

const MUTATIONS: readonly Mutation[] = [
  // One bit.
  (random, bytes) => {
    const copy = Buffer.from(bytes);
    const at = random.below(copy.length || 1);
    if (at < copy.length) copy[at] = (copy[at] as number) ^ (1 << random.below(8));
    return copy;
  },
  // One byte.
  (random, bytes) => overwrite(bytes, place(random, bytes), Buffer.from([random.below(256)])),
  // A number that is odd, over another or between.
  (random, bytes) => overwrite(bytes, place(random, bytes), oddNumber(random)),
  (random, bytes) => insert(bytes, place(random, bytes), oddNumber(random)),
  // Cut short.
  (random, bytes) => Buffer.from(bytes.subarray(0, place(random, bytes))),
  // A block that is gone.
  (random, bytes) => {
    const { start, end } = block(random, bytes);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  // A block that comes twice, in a row or elsewhere.
  (random, bytes) => {
    const { start, end } = block(random, bytes);
    const at = random.below(2) === 0 ? end : place(random, bytes);
    return insert(bytes, at, bytes.subarray(start, end));
  },
  // Two blocks in each other's place.
  (random, bytes) => {
    const [a, b] = [block(random, bytes), block(random, bytes)];
    const second = Buffer.from(bytes.subarray(b.start, b.end));
    const swapped = overwrite(bytes, b.start, bytes.subarray(a.start, a.end));
    return overwrite(swapped, a.start, second);
  },
  // A block that was never written, or is noise.
  (random, bytes) => {
    const { start, end } = block(random, bytes);
    return overwrite(bytes, start, Buffer.alloc(end - start, oneOf(random, [0, 0, 0xff])));
  },
  (random, bytes) => insert(bytes, place(random, bytes), randomBytes(random, 40)),
  // The head of one and the tail of another.
  (random, bytes, other) => {
    const at = place(random, bytes);
    const from = random.below(2) === 0 ? at : place(random, other);
    return Buffer.concat([bytes.subarray(0, at), other.subarray(from)]);
  },
  // A piece that comes very often.
  (random, bytes) => {
    const { start, end } = block(random, bytes);
    const piece = bytes.subarray(start, end);
    if (piece.length === 0) return Buffer.from(bytes);
    const times = 1 + random.below(Math.ceil(8192 / piece.length));
    return insert(bytes, end, Buffer.concat(Array.from({ length: times }, () => piece)));
  },
];
