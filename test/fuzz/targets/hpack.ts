import type { Random } from '../../../src-main/base/prng.ts';
import { ConnectionError, ErrorCode } from '../../../src-main/node/rpc/h2/frames.ts';
import { HpackDecoder } from '../../../src-main/node/rpc/h2/hpack/decoder.ts';
import { HpackEncoder } from '../../../src-main/node/rpc/h2/hpack/encoder.ts';
import {
  fieldBytes,
  type HeaderField,
  STATIC_TABLE,
} from '../../../src-main/node/rpc/h2/hpack/static-table.ts';
import { mutated, oneOf, randomBytes } from '../mutate.ts';
import { Finding, type Target } from '../target.ts';

const TABLE_BYTES = 4096;
const MAX_LIST_BYTES = 64 * 1024;

/** RFC 7541, appendix C: with and without Huffman coding, with entries of the dynamic table. */
const EXAMPLES = [
  '400a637573746f6d2d6b65790d637573746f6d2d686561646572',
  '828684410f7777772e6578616d706c652e636f6d',
  '828684be58086e6f2d6361636865',
  '828684418cf1e3c2e5f23a6ba0ab90f4ff828684be5886a8eb10649cbf',
  '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54',
  '3fe11f20828684',
].map((hex) => Buffer.from(hex, 'hex'));

function integer(pattern: number, prefixBits: number, value: number): Buffer {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return Buffer.from([pattern | value]);
  const octets = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 0x80);
  return Buffer.from([...octets, rest]);
}

const ODD_INTEGERS = [0, 1, 61, 62, 63, 127, 128, 4096, 4097, 2 ** 28, 2 ** 31, 2 ** 40, 2 ** 53];

function string(random: Random): Buffer {
  const octets = randomBytes(random, oneOf(random, [0, 10, 4000]));
  const huffman = random.below(2) === 0 ? 0x80 : 0;
  const length = random.below(8) === 0 ? oneOf(random, ODD_INTEGERS) : octets.length;
  return Buffer.concat([integer(huffman, 7, length), octets]);
}

/** One instruction of a block, its numbers often out of bounds. */
function instruction(random: Random): Buffer {
  const index = random.below(3) === 0 ? oneOf(random, ODD_INTEGERS) : random.below(70);
  switch (random.below(5)) {
    case 0:
      return integer(0x80, 7, index);
    case 1:
      return integer(0x20, 5, oneOf(random, ODD_INTEGERS));
    case 2: {
      const name = index === 0 ? string(random) : Buffer.alloc(0);
      return Buffer.concat([integer(0x40, 6, index), name, string(random)]);
    }
    case 3: {
      const name = index === 0 ? string(random) : Buffer.alloc(0);
      return Buffer.concat([integer(0x10, 4, index), name, string(random)]);
    }
    default: {
      // A bomb: a large entry, named very often.
      const value = Buffer.alloc(4000, 0x61);
      const entry = Buffer.concat([Buffer.from([0x41]), integer(0, 7, value.length), value]);
      return Buffer.concat([entry, Buffer.alloc(random.below(8_000), 0xbe)]);
    }
  }
}

function listBytes(fields: readonly HeaderField[]): number {
  return fields.reduce((sum, field) => sum + fieldBytes(field), 0);
}

function decodeAll(input: Buffer): void {
  const decoder = new HpackDecoder(TABLE_BYTES, MAX_LIST_BYTES);
  // The input as one block, and once more with the tables that it has left behind.
  for (let block = 0; block < 2; block++) {
    const { fields } = decoder.decode(input, 0, input.length);
    if (listBytes(fields) > MAX_LIST_BYTES) throw new Finding('more fields than are allowed');
    const again = new HpackEncoder(TABLE_BYTES).encode(fields);
    const back = new HpackDecoder(TABLE_BYTES, MAX_LIST_BYTES).decode(again, 0, again.length);
    if (JSON.stringify(back.fields) !== JSON.stringify(fields)) {
      throw new Finding('fields come back changed');
    }
  }
}

/** What a server and its client keep in step, whatever is sent and however the sizes change. */
function roundTrip(random: Random): void {
  const encoder = new HpackEncoder(TABLE_BYTES);
  const decoder = new HpackDecoder(TABLE_BYTES, 1e6);
  const constants = [1, 2, 3].map((n) => ({
    fields: [
      { name: `x-${n}`, value: 'v'.repeat(n * 500) },
      { name: ':status', value: '200' },
    ],
  }));
  for (let i = random.below(12); i >= 0; i--) {
    if (random.below(3) === 0) encoder.setPeerTableBytes(oneOf(random, [0, 100, 600, 4096, 1e9]));
    const constant = oneOf(random, constants);
    const other = [
      oneOf(random, STATIC_TABLE),
      { name: `y-${random.below(9)}`, value: randomBytes(random, 300).toString('latin1') },
    ];
    const isConstant = random.below(2) === 0;
    const fields = isConstant ? constant.fields : other;
    const block = isConstant ? encoder.encodeConstant(constant) : encoder.encode(other);
    const decoded = decoder.decode(block, 0, block.length).fields;
    if (JSON.stringify(decoded) !== JSON.stringify(fields)) {
      throw new Finding('encoder and decoder are out of step');
    }
  }
}

export function hpackTarget(): Target {
  return {
    seeds: EXAMPLES,
    generate(random) {
      const parts = Array.from({ length: 1 + random.below(8) }, () => instruction(random));
      return Buffer.concat(
        random.below(2) === 0 ? parts : [mutated(random, EXAMPLES, 400), ...parts],
      );
    },
    roundTrip,
    run(input) {
      try {
        decodeAll(input);
      } catch (error) {
        const isRefusal =
          error instanceof ConnectionError && error.code === ErrorCode.COMPRESSION_ERROR;
        if (!isRefusal) throw error;
      }
    },
  };
}
