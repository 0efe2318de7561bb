import { status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import { type CompatCase, compatSuite } from './support/compat.ts';
import { failure, type GrpcClients, type GrpcFailure, withClients } from './support/grpc.ts';

const MAX_TXN_OPS = 16;
const MAX_REQUEST_BYTES = 100_000;

const bytes = (text: string): Buffer => Buffer.from(text);
const put = (key: string, extra: object = {}) => ({
  request: { $case: 'requestPut' as const, value: { key: bytes(key), ...extra } },
});
const del = (key: string, end = '') => ({
  request: {
    $case: 'requestDeleteRange' as const,
    value: { key: bytes(key), rangeEnd: bytes(end) },
  },
});
const get = (key: string) => ({
  request: { $case: 'requestRange' as const, value: { key: bytes(key) } },
});
const nested = (success: object[], failed: object[] = []) => ({
  request: { $case: 'requestTxn' as const, value: { success, failure: failed } },
});

/** What every row expects is what etcd's clients match on, word by word. */
const EMPTY_KEY = { code: status.INVALID_ARGUMENT, message: 'etcdserver: key is not provided' };
const DUPLICATE = {
  code: status.INVALID_ARGUMENT,
  message: 'etcdserver: duplicate key given in txn request',
};
const TOO_MANY_OPS = {
  code: status.INVALID_ARGUMENT,
  message: 'etcdserver: too many operations in txn request',
};
const KEY_NOT_FOUND = { code: status.INVALID_ARGUMENT, message: 'etcdserver: key not found' };
const NO_LEASE = { code: status.NOT_FOUND, message: 'etcdserver: requested lease not found' };
const COMPACTED = {
  code: status.OUT_OF_RANGE,
  message: 'etcdserver: mvcc: required revision has been compacted',
};
const FUTURE = {
  code: status.OUT_OF_RANGE,
  message: 'etcdserver: mvcc: required revision is a future revision',
};

const failures: [string, GrpcFailure, (clients: GrpcClients) => Promise<unknown>][] = [
  ['range: empty key', EMPTY_KEY, (c) => c.range({})],
  ['put: empty key', EMPTY_KEY, (c) => c.put({ value: bytes('x') })],
  ['deleteRange: empty key', EMPTY_KEY, (c) => c.deleteRange({ rangeEnd: bytes('a') })],
  ['txn: empty key of a compare', EMPTY_KEY, (c) => c.txn({ compare: [{}] })],
  ['txn: empty key of an operation', EMPTY_KEY, (c) => c.txn({ failure: [put('')] })],
  ['txn: empty nested key', EMPTY_KEY, (c) => c.txn({ success: [nested([get('')])] })],
  ['txn: operation of no kind', KEY_NOT_FOUND, (c) => c.txn({ success: [{}] })],
  [
    'put: value given and ignored',
    { code: status.INVALID_ARGUMENT, message: 'etcdserver: value is provided' },
    (c) => c.put({ key: bytes('a'), value: bytes('x'), ignoreValue: true }),
  ],
  [
    'put: lease given and ignored',
    { code: status.INVALID_ARGUMENT, message: 'etcdserver: lease is provided' },
    (c) => c.put({ key: bytes('a'), lease: 1n, ignoreLease: true }),
  ],
  [
    'put: the ignored value of no key',
    KEY_NOT_FOUND,
    (c) => c.put({ key: bytes('none'), ignoreValue: true }),
  ],
  [
    'txn: the ignored lease of no key',
    KEY_NOT_FOUND,
    (c) => c.txn({ success: [put('none', { ignoreLease: true })] }),
  ],
  ['put: unknown lease', NO_LEASE, (c) => c.put({ key: bytes('a'), lease: 4711n })],
  ['txn: unknown lease', NO_LEASE, (c) => c.txn({ success: [put('a', { lease: 4711n })] })],
  ['lease: revoke of an unknown one', NO_LEASE, (c) => c.revoke(4711n)],
  [
    'lease: grant of one that exists',
    { code: status.FAILED_PRECONDITION, message: 'etcdserver: lease already exists' },
    async (c) => {
      await c.grant(7100n, 600);
      return c.grant(7100n, 600);
    },
  ],
  [
    'lease: a TTL beyond all bounds',
    { code: status.OUT_OF_RANGE, message: 'etcdserver: too large lease TTL' },
    (c) => c.grant(0n, 9_000_000_001),
  ],
  ['txn: one key put twice', DUPLICATE, (c) => c.txn({ success: [put('a'), put('a')] })],
  ['txn: a key put and deleted', DUPLICATE, (c) => c.txn({ failure: [put('a'), del('a')] })],
  [
    'txn: a key put and deleted by a range',
    DUPLICATE,
    (c) => c.txn({ success: [del('a', 'c'), put('b')] }),
  ],
  [
    'txn: a key put by two nested ones',
    DUPLICATE,
    (c) => c.txn({ success: [nested([put('a')]), nested([], [put('a')])] }),
  ],
  [
    'txn: a key put here and deleted by a nested one',
    DUPLICATE,
    (c) => c.txn({ success: [put('a'), nested([], [del('a')])] }),
  ],
  [
    'txn: too many compares',
    TOO_MANY_OPS,
    (c) => c.txn({ compare: Array.from({ length: MAX_TXN_OPS + 1 }, () => ({ key: bytes('a') })) }),
  ],
  [
    'txn: too many operations',
    TOO_MANY_OPS,
    (c) => c.txn({ success: Array.from({ length: MAX_TXN_OPS + 1 }, (_, i) => put(`k${i}`)) }),
  ],
  [
    'txn: too many nested operations',
    TOO_MANY_OPS,
    (c) => {
      const inner = Array.from({ length: MAX_TXN_OPS }, (_, i) => put(`k${i}`));
      return c.txn({ success: [nested(inner)] });
    },
  ],
  [
    'range: a future revision',
    FUTURE,
    async (c) => c.range({ key: bytes('a'), revision: (await c.revision()) + 1 }),
  ],
  [
    'txn: a future revision',
    FUTURE,
    async (c) => {
      const value = { key: bytes('a'), revision: (await c.revision()) + 1 };
      return c.txn({ success: [{ request: { $case: 'requestRange', value } }] });
    },
  ],
  ['compact: a future revision', FUTURE, async (c) => c.compact((await c.revision()) + 1)],
  [
    'compact: twice',
    COMPACTED,
    async (c) => {
      await c.set('a', '1');
      await c.set('a', '2');
      const revision = await c.revision();
      await c.compact(revision, true);
      return c.compact(revision);
    },
  ],
  [
    'range: a compacted revision',
    COMPACTED,
    async (c) => {
      await c.set('a', '3');
      const revision = await c.revision();
      await c.compact(revision);
      return c.range({ key: bytes('a'), revision: revision - 1 });
    },
  ],
  [
    'txn: a compacted revision',
    COMPACTED,
    async (c) => {
      await c.set('a', '4');
      const revision = await c.revision();
      await c.compact(revision);
      const value = { key: bytes('a'), revision: revision - 1 };
      return c.txn({ success: [{ request: { $case: 'requestRange', value } }] });
    },
  ],
];

function failing(
  expected: GrpcFailure,
  run: (clients: GrpcClients) => Promise<unknown>,
): CompatCase {
  return (target) =>
    withClients(target, async (clients) => {
      const got = await failure(run(clients));
      expect(got).toEqual(expected);
      return got;
    });
}

/**
 * Sizes near the limit differ by some bytes of framing, so only what is clearly below and above is
 * asked.
 */
const sizes: CompatCase = (target) =>
  withClients(target, async (clients) => {
    const value = (length: number) => bytes('x'.repeat(length));
    const outcome = async (length: number): Promise<GrpcFailure | 'taken'> => {
      const answer = clients.put({ key: bytes('si'), value: value(length) });
      return answer.then(
        () => 'taken' as const,
        () => failure(answer),
      );
    };
    const overhead = 512 * 1024;
    const results = [
      await outcome(MAX_REQUEST_BYTES - 200),
      await outcome(MAX_REQUEST_BYTES + 200),
      await outcome(MAX_REQUEST_BYTES + overhead - 1_000),
      await outcome(MAX_REQUEST_BYTES + overhead + 1_000),
      // Reads are limited by the wire alone.
      (await clients.range({ key: value(MAX_REQUEST_BYTES + 200) })).count,
    ];
    const tooLarge = {
      code: status.INVALID_ARGUMENT,
      message: 'etcdserver: request is too large',
    };
    expect(results.slice(0, 3)).toEqual(['taken', tooLarge, tooLarge]);
    expect(results[3]).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    // The last message is the transport's own and names sizes.
    return results.map((result) =>
      typeof result === 'object' && result.code === status.RESOURCE_EXHAUSTED ? 'cut' : result,
    );
  });

compatSuite(
  'errors over gRPC',
  ['--max-txn-ops', String(MAX_TXN_OPS), '--max-request-bytes', String(MAX_REQUEST_BYTES)],
  (compat) => {
    for (const [name, expected, run] of failures) compat(name, failing(expected, run));
    compat('a request at the limit is taken, one beyond is not, and one far beyond is cut', sizes);
  },
);
