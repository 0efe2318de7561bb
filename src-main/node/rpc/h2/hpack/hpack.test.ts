import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../base/prng.ts';
import { ConnectionError, ErrorCode } from '../frames.ts';
import { HpackDecoder } from './decoder.ts';
import { HpackEncoder } from './encoder.ts';
import { huffmanDecode } from './huffman.ts';
import type { HeaderField } from './static-table.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** ["name: value"] */
function decode(decoder: HpackDecoder, block: Buffer): string[] {
  const { fields } = decoder.decode(block, 0, block.length);
  return fields.map(({ name, value }) => `${name}: ${value}`);
}

const REQUESTS = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [
    ':method: GET',
    ':scheme: http',
    ':path: /',
    ':authority: www.example.com',
    'cache-control: no-cache',
  ],
  [
    ':method: GET',
    ':scheme: https',
    ':path: /index.html',
    ':authority: www.example.com',
    'custom-key: custom-value',
  ],
];
const RESPONSES = [
  [
    ':status: 302',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 307',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ],
];

describe('the examples of RFC 7541, appendix C', () => {
  it.each([
    [
      'C.2.1',
      '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      'custom-key: custom-header',
    ],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path'],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret'],
    ['C.2.4', '82', ':method: GET'],
  ])('%s, one field', (_section, block, field) => {
    expect(decode(new HpackDecoder(4096, 65_536), hex(block))).toEqual([field]);
  });

  const sequences: [string, number, string[], string[][]][] = [
    [
      'C.3, requests',
      4096,
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
      REQUESTS,
    ],
    [
      'C.4, requests with Huffman',
      4096,
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
      REQUESTS,
    ],
    [
      'C.5, responses that evict',
      256,
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a
        3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04
        677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49
        553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
      ],
      RESPONSES,
    ],
    [
      'C.6, responses that evict, with Huffman',
      256,
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e
        919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
        '4883 640e ffc1 c0bf',
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7
        821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed
        4ee5 b106 3d50 07`,
      ],
      RESPONSES,
    ],
  ];
  it.each(sequences)('%s', (_section, tableBytes, blocks, lists) => {
    const decoder = new HpackDecoder(tableBytes, 65_536);
    const flat = blocks.map((block) => hex(block));
    expect(flat.map((block) => decode(decoder, block))).toEqual(lists);
  });
});

describe('decoder', () => {
  const refuses = (block: string): void => {
    const bytes = hex(block);
    const decoding = () => new HpackDecoder(4096, 65_536).decode(bytes, 0, bytes.length);
    expect(decoding).toThrow(ConnectionError);
    expect(decoding).toThrow(expect.objectContaining({ code: ErrorCode.COMPRESSION_ERROR }));
  };
  it.each([
    ['index 0', '80'],
    ['an index beyond the tables', 'be'],
    ['a string beyond the block', '0003 6162'],
    ['a block that ends within an integer', 'ff80'],
    ['an endless integer', 'ff80 8080 8080 8080 8080 8080 00'],
    ['an integer that is too large', 'ffff ffff ffff 7f'],
    ['a table larger than announced', '3fe2 1f'],
    ['a table size after a field', '8220'],
    ['the end-of-string symbol', '0084 ffff ffff 00'],
    ['Huffman padding of more than 7 bits', '0082 1fff 00'],
    ['Huffman padding of zeroes', '0081 18 00'],
  ])('refuses %s', (_what, block) => refuses(block));

  it('stops collecting at the limit and keeps its table in step', () => {
    const decoder = new HpackDecoder(4096, 100);
    const encoder = new HpackEncoder(4096);
    const fields = ['a', 'b', 'c'].map((name) => ({ name, value: 'v'.repeat(10) }));
    const first = encoder.encodeConstant({ fields });
    const { fields: seen, truncated } = decoder.decode(first, 0, first.length);
    expect({ seen, truncated }).toEqual({ seen: fields.slice(0, 2), truncated: true });
    // The third is in the table nevertheless: 62 is the newest.
    expect(decode(decoder, hex('be'))).toEqual(['c: vvvvvvvvvv']);
  });

  it('does not grow by references to a large entry', () => {
    const decoder = new HpackDecoder(4096, 65_536);
    const insert = new HpackEncoder(4096).encodeConstant({
      fields: [{ name: 'bomb', value: 'x'.repeat(4000) }],
    });
    const bomb = Buffer.concat([insert, Buffer.alloc(16_000, 0xbe)]);
    const { fields, truncated } = decoder.decode(bomb, 0, bomb.length);
    expect(truncated).toBe(true);
    expect(fields.length).toBeLessThan(17);
  });
});

describe('huffman', () => {
  it('decodes nothing to nothing', () => {
    expect(huffmanDecode(Buffer.alloc(0), 0, 0)).toBe('');
  });
});

describe('encoder', () => {
  it('sends constant headers by index from the second time on', () => {
    const encoder = new HpackEncoder(4096);
    const headers = {
      fields: [
        { name: ':status', value: '200' },
        { name: 'content-type', value: 'application/grpc' },
      ],
    };
    expect(encoder.encodeConstant(headers).length).toBeGreaterThan(10);
    expect(encoder.encodeConstant(headers)).toEqual(hex('88be'));
    expect(encoder.encodeConstant(headers)).toBe(encoder.encodeConstant(headers));
  });

  it('honours a peer without a table, and one that gets it back', () => {
    const encoder = new HpackEncoder(4096);
    const decoder = new HpackDecoder(4096, 65_536);
    const headers = { fields: [{ name: 'grpc-status', value: '0' }] };
    const send = (): number => {
      const block = encoder.encodeConstant(headers);
      expect(decode(decoder, block)).toEqual(['grpc-status: 0']);
      return block.length;
    };
    send();
    expect(send()).toBe(1);
    encoder.setPeerTableBytes(0);
    for (let i = 0; i < 3; i++) expect(send()).toBeGreaterThan(10);
    encoder.setPeerTableBytes(0);
    encoder.setPeerTableBytes(1_000_000);
    for (let i = 0; i < 3; i++) send();
    expect(send()).toBe(1);
  });

  it('is understood by the decoder, whatever is sent (random)', () => {
    const random = seededRandom(7541);
    const encoder = new HpackEncoder(4096);
    const decoder = new HpackDecoder(4096, 10_000_000);
    const pick = <T>(items: readonly T[]): T => items[random.below(items.length)] as T;
    const text = (): string => {
      const octets = Array.from({ length: random.below(300) }, () => random.below(256));
      return Buffer.from(octets).toString('latin1');
    };
    const names = [':status', ':path', 'content-type', 'x-one', 'x-two', 'grpc-status'];
    const values = ['200', '/', 'application/grpc', '0', ''];
    const constants: { fields: HeaderField[] }[] = Array.from({ length: 30 }, () => ({
      fields: Array.from({ length: 1 + random.below(4) }, () => ({
        name: pick(names),
        value: random.below(3) === 0 ? text() : pick(values),
      })),
    }));
    for (let round = 0; round < 3000; round++) {
      if (random.below(50) === 0) encoder.setPeerTableBytes(random.below(5000));
      const literal = [{ name: `n${random.below(9)}`, value: text() }];
      const constant = pick(constants);
      const isConstant = random.below(2) === 0;
      const block = isConstant ? encoder.encodeConstant(constant) : encoder.encode(literal);
      const { fields } = decoder.decode(block, 0, block.length);
      expect(fields).toEqual(isConstant ? constant.fields : literal);
    }
  });
});
