import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/prng.ts';
import {
  type Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  TxnRequest,
} from '../../proto/etcd/rpc.ts';
import { MAX_TXN_DEPTH } from '../apply/txn-check.ts';
import {
  checkDeleteRangeSize,
  checkPut,
  checkPutSize,
  checkRange,
  checkTxn,
  checkTxnSize,
} from './checks.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

const put = (key: string): RequestOp => ({
  request: { $case: 'requestPut', value: PutRequest.fromPartial({ key: bytes(key) }) },
});
const del = (key: string, end = ''): RequestOp => ({
  request: {
    $case: 'requestDeleteRange',
    value: DeleteRangeRequest.fromPartial({ key: bytes(key), rangeEnd: bytes(end) }),
  },
});
const txn = (success: RequestOp[], failure: RequestOp[] = []): TxnRequest => ({
  compare: [],
  success,
  failure,
});
function deepTxn(depth: number): TxnRequest {
  let request = txn([]);
  for (let i = 1; i < depth; i++) {
    request = txn([{ request: { $case: 'requestTxn', value: request } }]);
  }
  return request;
}
const nested = (success: RequestOp[], failure: RequestOp[] = []): RequestOp => ({
  request: { $case: 'requestTxn', value: txn(success, failure) },
});

/** The code of what `check` throws; undefined if it passes. */
function codeOf(check: () => void): unknown {
  try {
    check();
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

describe('the form of requests', () => {
  it('wants keys and sort options that exist', () => {
    const range = (partial: object) => RangeRequest.fromPartial({ key: bytes('a'), ...partial });
    expect(codeOf(() => checkRange(range({})))).toBeUndefined();
    expect(codeOf(() => checkRange(range({ key: bytes('') })))).toBe('EmptyKey');
    expect(codeOf(() => checkRange(range({ sortOrder: 3 })))).toBe('InvalidSortOption');
    expect(codeOf(() => checkRange(range({ sortTarget: 5 })))).toBe('InvalidSortOption');
  });

  it('refuses what is given and ignored at once', () => {
    const check = (partial: object) =>
      codeOf(() => checkPut(PutRequest.fromPartial({ key: bytes('a'), ...partial })));
    expect(check({ ignoreValue: true, ignoreLease: true })).toBeUndefined();
    expect(check({ ignoreValue: true, value: bytes('x') })).toBe('ValueProvided');
    expect(check({ ignoreLease: true, lease: 1n })).toBe('LeaseProvided');
  });
});

describe('keys written twice by a transaction', () => {
  it.each([
    ['puts of different keys', txn([put('a'), put('b')]), undefined],
    ['a put in either branch', txn([put('a')], [put('a')]), undefined],
    ['two puts', txn([put('a'), put('a')]), 'DuplicateKey'],
    ['two puts in the other branch', txn([], [put('a'), put('a')]), 'DuplicateKey'],
    ['a put and a delete', txn([del('a'), put('a')]), 'DuplicateKey'],
    ['a put beside a delete', txn([del('a'), put('a\0')]), undefined],
    ['a put in a deleted range', txn([put('b'), del('a', 'c')]), 'DuplicateKey'],
    ['a put at the end of a deleted range', txn([put('c'), del('a', 'c')]), undefined],
    ['a put at the start of a deleted range', txn([put('a'), del('a', 'c')]), 'DuplicateKey'],
    ['a put in an open range is overlooked', txn([put('\xff'), del('a', '\0')]), undefined],
    ['a put below an open range', txn([put('A'), del('a', '\0')]), undefined],
    ['overlapping deletes', txn([del('a', 'c'), del('b')]), undefined],
    ['keys that differ in a high byte', txn([put('\xc3'), put('\xc4')]), undefined],
    ['as deep as it may be', deepTxn(MAX_TXN_DEPTH), undefined],
    ['deeper than an entry can be decoded', deepTxn(MAX_TXN_DEPTH + 1), 'TooManyOps'],
    ['a put in both branches of a nested one', txn([nested([put('a')], [put('a')])]), undefined],
    ['puts by two nested ones', txn([nested([put('a')]), nested([], [put('a')])]), 'DuplicateKey'],
    ['a put and a nested one', txn([put('a'), nested([], [put('a')])]), 'DuplicateKey'],
    ['a put and a nested delete', txn([put('a'), nested([del('a', 'b')])]), 'DuplicateKey'],
    ['a delete and a nested put', txn([del('a'), nested([], [put('a')])]), 'DuplicateKey'],
    [
      'a delete and a put in both branches of a nested one',
      txn([del('a'), nested([put('a')], [put('a')])]),
      'DuplicateKey',
    ],
    [
      'a nested delete and a later nested put',
      txn([nested([del('a')]), nested([put('a')])]),
      'DuplicateKey',
    ],
    ['deep down', txn([nested([nested([put('a')])]), put('a')]), 'DuplicateKey'],
  ])('%s', (_, request, expected) => {
    expect(codeOf(() => checkTxn(request, 128))).toBe(expected);
  });

  it('counts operations along a path, not over all', () => {
    const four = Array.from({ length: 4 }, (_, i) => put(`k${i}`));
    expect(codeOf(() => checkTxn(txn(four, four), 4))).toBeUndefined();
    expect(codeOf(() => checkTxn(txn(four), 3))).toBe('TooManyOps');
    expect(codeOf(() => checkTxn(txn([nested(four)]), 5))).toBeUndefined();
    expect(codeOf(() => checkTxn(txn([nested(four)]), 4))).toBe('TooManyOps');
    const compare = Array.from({ length: 5 }, () => ({ key: bytes('a') }) as Compare);
    expect(codeOf(() => checkTxn({ ...txn([]), compare }, 4))).toBe('TooManyOps');
  });
});

describe('the size of requests', () => {
  const encodedLimit = 4096;

  it('is exact near the limit', () => {
    const request = (length: number) =>
      PutRequest.fromPartial({ key: bytes('key'), value: Buffer.alloc(length) });
    const fits = (length: number) =>
      codeOf(() => checkPutSize(request(length), encodedLimit)) === undefined;
    let largest = 0;
    for (let length = encodedLimit - 200; length <= encodedLimit; length++) {
      if (fits(length)) largest = length;
    }
    const encoded = PutRequest.encode(request(largest)).finish().length;
    expect(encoded).toBeLessThanOrEqual(encodedLimit);
    expect(encoded).toBeGreaterThan(encodedLimit - 32);
  });

  it('is never underestimated', () => {
    const random = seededRandom(7);
    const text = () => Buffer.alloc(random.below(700));
    const op = (depth: number): RequestOp => {
      switch (random.below(depth > 2 ? 3 : 4)) {
        case 0:
          return { request: { $case: 'requestPut', value: randomPut() } };
        case 1:
          return { request: { $case: 'requestDeleteRange', value: randomDelete() } };
        case 2: {
          const value = RangeRequest.fromPartial({
            key: text(),
            rangeEnd: text(),
            limit: 2 ** 50,
            revision: 2 ** 50,
            serializable: true,
            minModRevision: 2 ** 50,
            maxModRevision: 2 ** 50,
            minCreateRevision: 2 ** 50,
            maxCreateRevision: 2 ** 50,
          });
          return { request: { $case: 'requestRange', value } };
        }
        default:
          return { request: { $case: 'requestTxn', value: randomTxn(depth + 1) } };
      }
    };
    const randomPut = () =>
      PutRequest.fromPartial({
        key: text(),
        value: text(),
        lease: -1n,
        prevKv: true,
        ignoreLease: true,
        ignoreValue: true,
      });
    const randomDelete = () =>
      DeleteRangeRequest.fromPartial({ key: text(), rangeEnd: text(), prevKv: true });
    const ops = (depth: number) => Array.from({ length: random.below(4) }, () => op(depth));
    const compares = () =>
      Array.from({ length: random.below(3) }, () => ({
        key: text(),
        rangeEnd: text(),
        target: 3 as const,
        result: 3 as const,
        targetUnion: { $case: 'value' as const, value: text() },
      }));
    const randomTxn = (depth: number): TxnRequest => ({
      compare: compares(),
      success: ops(depth),
      failure: ops(depth),
    });
    let refused = 0;
    for (let i = 0; i < 2000; i++) {
      const [request, size] = [randomTxn(0), checkTxnSize] as const;
      const bytesOf = TxnRequest.encode(request).finish().length;
      const answers = [
        [bytesOf, codeOf(() => size(request, encodedLimit))] as const,
        ...[randomPut()].map((value) => {
          const length = PutRequest.encode(value).finish().length;
          return [length, codeOf(() => checkPutSize(value, 700))] as const;
        }),
        ...[randomDelete()].map((value) => {
          const length = DeleteRangeRequest.encode(value).finish().length;
          return [length, codeOf(() => checkDeleteRangeSize(value, 700))] as const;
        }),
      ];
      answers.forEach(([length, code], index) => {
        const limit = index === 0 ? encodedLimit : 700;
        if (length > limit) expect(code).toBe('RequestTooLarge');
        if (length + 64 < limit) expect(code).toBeUndefined();
        if (code !== undefined) refused++;
      });
    }
    expect(refused).toBeGreaterThan(100);
  });
});
