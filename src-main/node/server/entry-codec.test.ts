import { expect, test } from 'vitest';
import { seededRandom } from '../../base/prng.ts';
import { PutRequest } from '../../proto/etcd/rpc.ts';
import { InternalRequest } from '../../proto/raftdeck/internal.ts';
import type { InternalRequestBody } from '../apply/types.ts';
import { decodeEntry, encodeEntry } from './entry-codec.ts';

const random = seededRandom(7);
const SIZES = [0, 1, 16, 127, 128, 300, 16_383, 16_384];

function bytes(length: number): Buffer {
  return Buffer.alloc(length, Buffer.of(random.below(256), random.below(256), random.below(256)));
}

function id(): bigint {
  const bits = BigInt(random.below(65));
  const value = (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));
  return BigInt.asUintN(Number(bits), value) || 1n;
}

function put(fields: Partial<PutRequest>): InternalRequestBody {
  return { $case: 'put', value: PutRequest.fromPartial(fields) };
}

test('a put is written and read as the generated codec does it', () => {
  for (const keyBytes of SIZES) {
    for (const valueBytes of SIZES) {
      const request = put({ key: bytes(keyBytes), value: bytes(valueBytes) });
      const one = { id: id(), request };
      const data = encodeEntry(one.id, request);
      expect(data.equals(InternalRequest.encode(one).finish())).toBe(true);
      expect(printed(decodeEntry(data))).toBe(printed(InternalRequest.decode(data)));
      expect(printed(decodeEntry(data))).toBe(printed(one));
    }
  }
});

test('ids of any width survive', () => {
  for (const one of [1n, 127n, 128n, 2n ** 28n, 2n ** 31n, 2n ** 32n, 2n ** 35n, 2n ** 64n - 1n]) {
    for (const near of [one, one - 1n || 1n]) {
      const data = encodeEntry(near, put({ key: Buffer.from('k'), value: Buffer.from('v') }));
      expect(decodeEntry(data).id).toBe(near);
      expect(InternalRequest.decode(data).id).toBe(near);
    }
  }
});

test('a put with more to it, and other requests, keep everything', () => {
  const [key, value] = [Buffer.from('k'), Buffer.from('v')];
  const requests: InternalRequestBody[] = [
    put({ key, value, lease: -5n }),
    put({ key, value, prevKv: true }),
    put({ key, ignoreValue: true }),
    put({ key, value, ignoreLease: true }),
    { $case: 'compaction', value: { revision: 9, physical: true } },
    { $case: 'leaseRevoke', value: { ID: 77n } },
  ];
  for (const request of requests) {
    const data = encodeEntry(12n, request);
    expect(decodeEntry(data)).toEqual({ id: 12n, request });
  }
});

test('bytes that are cut short are refused, wherever the cut is', () => {
  const data = encodeEntry(300n, put({ key: bytes(200), value: bytes(200) }));
  for (let end = 4; end < data.length; end++) {
    expect(() => decodeEntry(data.subarray(0, end))).toThrow();
  }
});

test('fields that this version does not know are skipped', () => {
  const plain = encodeEntry(3n, put({ key: Buffer.from('k'), value: Buffer.from('v') }));
  // Field 15 of the request, a varint.
  const data = Buffer.concat([plain, Buffer.from([0x78, 0x01])]);
  expect(decodeEntry(data)).toEqual(decodeEntry(plain));
});

/** Everything in it as text: comparing large buffers octet by octet takes a test's time. */
function printed(message: unknown): string {
  return JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
}
