import { expect, test } from 'vitest';
import { seededRandom } from '../../base/prng.ts';
import type { KeyValue } from '../../proto/etcd/kv.ts';
import { PutRequest, PutResponse, RangeRequest, RangeResponse } from '../../proto/etcd/rpc.ts';
import { HeaderWriter } from './header-writer.ts';
import { decodePut, decodeRange, encodePutResponse, encodeRangeResponse } from './kv-codec.ts';

const random = seededRandom(11);
const SIZES = [0, 1, 16, 127, 128, 300, 16_383, 16_384];
const NUMBERS = [0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 35 + 1, 2 ** 53 - 1];

function pick<T>(list: readonly T[]): T {
  return list[random.below(list.length)] as T;
}

function bytes(length = pick(SIZES)): Buffer {
  return Buffer.alloc(length, Buffer.of(random.below(256), random.below(256), random.below(256)));
}

function pair(lease: bigint): KeyValue {
  return {
    key: bytes(),
    createRevision: pick(NUMBERS),
    modRevision: pick(NUMBERS),
    version: pick(NUMBERS),
    value: bytes(),
    lease,
  };
}

function header() {
  const clusterId = pick([0n, 5n, 2n ** 32n, 2n ** 64n - 1n]);
  const memberId = pick([0n, 127n, 2n ** 63n]);
  return { clusterId, memberId, revision: pick(NUMBERS), raftTerm: pick(NUMBERS) };
}

test('requests are read as the generated codec reads them', () => {
  for (let i = 0; i < 300; i++) {
    const put = PutRequest.fromPartial({
      key: bytes(),
      value: bytes(),
      lease: pick([0n, 0n, 0n, 9n]),
      prevKv: random.below(4) === 0,
      ignoreValue: random.below(6) === 0,
    });
    expect(printed(decodePut(Buffer.from(PutRequest.encode(put).finish())))).toBe(printed(put));
    const range = RangeRequest.fromPartial({
      key: bytes(),
      rangeEnd: pick([Buffer.alloc(0), Buffer.alloc(0), bytes()]),
      serializable: random.below(2) === 0,
      limit: pick([0, 0, 7]),
      countOnly: random.below(5) === 0,
    });
    const read = decodeRange(Buffer.from(RangeRequest.encode(range).finish()));
    expect(printed(read)).toBe(printed(range));
  }
});

test('answers are written as the generated codec writes them', () => {
  const headers = new HeaderWriter();
  for (let i = 0; i < 300; i++) {
    const put: PutResponse = {
      header: pick([header(), header(), undefined]),
      prevKv: pick([undefined, undefined, pair(0n)]),
    };
    expect(encodePutResponse(headers, put).equals(PutResponse.encode(put).finish())).toBe(true);
    const range: RangeResponse = {
      header: pick([header(), header(), undefined]),
      kvs: Array.from({ length: random.below(4) }, () => pair(pick([0n, 0n, 3n, -1n]))),
      more: random.below(2) === 0,
      count: pick(NUMBERS),
    };
    const encoded = encodeRangeResponse(headers, range);
    expect(encoded.equals(RangeResponse.encode(range).finish())).toBe(true);
  }
});

test('requests that are cut short are refused or read as the generated codec reads them', () => {
  const put = PutRequest.fromPartial({ key: bytes(130), value: bytes(300) });
  const range = RangeRequest.fromPartial({ key: bytes(130), serializable: true });
  const cases = [
    { whole: PutRequest.encode(put).finish(), mine: decodePut, theirs: PutRequest.decode },
    { whole: RangeRequest.encode(range).finish(), mine: decodeRange, theirs: RangeRequest.decode },
  ];
  for (const { whole, mine, theirs } of cases) {
    for (let end = 0; end <= whole.length; end++) {
      const cut = Buffer.from(whole.subarray(0, end));
      expect(outcome(() => mine(cut))).toBe(outcome(() => theirs(cut)));
    }
  }
});

test('an over-long length and a field that comes twice are read as the generated codec reads them', () => {
  const odd = [
    [0x0a, 0x81, 0x80, 0x80, 0x80, 0x00, 0x6b],
    [0x0a, 0x01, 0x6b, 0x12, 0x01, 0x76, 0x12, 0x01, 0x77],
    [0x0a, 0x01, 0x6b, 0x0a, 0x01, 0x6c],
    [0x0a, 0x01, 0x6b, 0x38, 0x00],
    [0x0a, 0x01, 0x6b, 0x38, 0x02],
    [0x12, 0x01, 0x76, 0x0a, 0x01, 0x6b],
    [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
  ].map((octets) => Buffer.from(octets));
  for (const one of odd) {
    expect(outcome(() => decodePut(one))).toBe(outcome(() => PutRequest.decode(one)));
    expect(outcome(() => decodeRange(one))).toBe(outcome(() => RangeRequest.decode(one)));
  }
});

/** Everything in it as text: comparing large buffers octet by octet takes a test's time. */
function printed(message: unknown): string {
  return JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
}

function outcome(read: () => unknown): string {
  try {
    return printed(read());
  } catch {
    return 'refused';
  }
}
