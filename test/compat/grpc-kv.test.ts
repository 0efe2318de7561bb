import { expect } from 'vitest';
import {
  Compare_CompareTarget as Of,
  RangeRequest_SortOrder as Order,
  Compare_CompareResult as Result,
  RangeRequest_SortTarget as Sort,
  type TxnRequest,
} from '../../src-main/proto/etcd/rpc.ts';
import { type CompatCase, compatSuite } from './support/compat.ts';
import { type GrpcClients, withClients } from './support/grpc.ts';
import { mask } from './support/mask.ts';
import type { Target } from './support/targets.ts';

compatSuite('KV over gRPC', [], (compat) => {
  defineRanges(kvCases(compat));
  defineWrites(kvCases(compat));
  defineTxns(kvCases(compat));
});

type KvCase = (clients: GrpcClients) => Promise<unknown[]>;
type Define = (name: string, run: KvCase) => void;

/** Cases that answer what they got; it is masked relative to the revision that they began with. */
function kvCases(compat: (name: string, run: CompatCase) => void): Define {
  return (name, run) =>
    compat(name, (target: Target) =>
      withClients(target, async (clients) => {
        const base = await clients.revision();
        return mask(await run(clients), base);
      }),
    );
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function defineRanges(compat: Define): void {
  compat('range: limits, counts, sorts and revision filters', async (clients) => {
    for (const [key, value] of [
      ['ra/c', '2'],
      ['ra/a', '3'],
      ['ra/b', '1'],
      ['ra/a', '4'],
    ] as const) {
      await clients.set(key, value);
    }
    const now = await clients.revision();
    const all = { key: bytes('ra/'), rangeEnd: bytes('ra0') };
    const answers = [];
    for (const request of [
      all,
      { ...all, limit: 2 },
      { ...all, limit: 3 },
      { ...all, countOnly: true },
      { ...all, countOnly: true, limit: 1 },
      { ...all, keysOnly: true },
      { ...all, sortOrder: Order.DESCEND, sortTarget: Sort.KEY },
      { ...all, sortOrder: Order.ASCEND, sortTarget: Sort.VALUE, limit: 1 },
      { ...all, sortOrder: Order.DESCEND, sortTarget: Sort.CREATE },
      { ...all, sortOrder: Order.NONE, sortTarget: Sort.MOD },
      { ...all, minModRevision: now - 1, limit: 1 },
      { ...all, maxModRevision: now - 1 },
      { ...all, minCreateRevision: now - 2, maxCreateRevision: now - 2 },
      { ...all, revision: now - 2 },
      { ...all, revision: now - 2, countOnly: true },
      { ...all, serializable: true },
      { key: bytes('ra/b') },
      { key: bytes('ra/b'), rangeEnd: bytes('\0'), limit: 2 },
      { key: bytes('ra/b'), rangeEnd: bytes('ra/a') },
      { key: bytes('ra/b'), rangeEnd: bytes('ra/b') },
      { key: bytes('ra/none') },
    ]) {
      answers.push(await clients.range(request));
    }
    expect(answers[1]).toMatchObject({ count: 3, more: true });
    expect(answers[3]).toMatchObject({ count: 3, more: false, kvs: [] });
    return answers;
  });

  compat('range: keys of every byte keep their order', async (clients) => {
    const prefix = 'by/';
    for (const suffix of ['\xff\xff', '\0', 'a', '\xff', '\x01', 'a\0', '']) {
      await clients.put({ key: bytes(prefix + suffix), value: bytes(suffix) });
    }
    const answer = await clients.range({ key: bytes(prefix), rangeEnd: bytes('by0') });
    expect(answer.kvs.map(({ key }) => key.toString('latin1').slice(3))).toEqual([
      '',
      '\0',
      '\x01',
      'a',
      'a\0',
      '\xff',
      '\xff\xff',
    ]);
    return [answer];
  });

  compat('range: long keys and values', async (clients) => {
    const key = bytes(`lo/${'k'.repeat(20_000)}`);
    await clients.put({ key, value: bytes('v'.repeat(500_000)) });
    await clients.put({ key: Buffer.concat([key, bytes('x')]), value: bytes('') });
    const answer = await clients.range({ key });
    expect(answer.kvs[0]?.value.length).toBe(500_000);
    return [await clients.range({ key, rangeEnd: bytes('lo0'), keysOnly: true })];
  });
}

function defineWrites(compat: Define): void {
  compat('put: versions, previous values, ignored value and lease', async (clients) => {
    await clients.grant(7001n, 600);
    const key = bytes('pu/a');
    const answers: unknown[] = [
      await clients.put({ key, value: bytes('1'), lease: 7001n, prevKv: true }),
      await clients.put({ key, value: bytes('2'), ignoreLease: true, prevKv: true }),
      await clients.put({ key, ignoreValue: true, prevKv: true }),
      await clients.range({ key }),
      await clients.deleteRange({ key, prevKv: true }),
      await clients.put({ key, value: bytes('3') }),
      await clients.range({ key }),
    ];
    expect(answers[6]).toMatchObject({ kvs: [{ version: 1 }] });
    await clients.revoke(7001n);
    return answers;
  });

  compat('deleteRange: one, many, none', async (clients) => {
    for (const key of ['de/a', 'de/b', 'de/c']) await clients.set(key, key);
    const answers = [
      await clients.deleteRange({ key: bytes('de/b') }),
      await clients.deleteRange({ key: bytes('de/b') }),
      await clients.deleteRange({ key: bytes('de/'), rangeEnd: bytes('de0'), prevKv: true }),
      await clients.deleteRange({ key: bytes('de/'), rangeEnd: bytes('de0') }),
      await clients.deleteRange({ key: bytes('zz/'), rangeEnd: bytes('\0') }),
    ];
    expect(answers.map(({ deleted }) => deleted)).toEqual([1, 0, 2, 0, 0]);
    return answers;
  });
}

type Ops = Parameters<GrpcClients['txn']>[0]['success'];

const put = (key: string, value: string, extra: object = {}) => ({
  request: {
    $case: 'requestPut' as const,
    value: { key: bytes(key), value: bytes(value), ...extra },
  },
});
const get = (key: string, end = '') => ({
  request: {
    $case: 'requestRange' as const,
    value: { key: bytes(key), rangeEnd: bytes(end) },
  },
});
const del = (key: string, end = '') => ({
  request: {
    $case: 'requestDeleteRange' as const,
    value: { key: bytes(key), rangeEnd: bytes(end), prevKv: true },
  },
});
const nested = (value: { compare?: object[]; success?: Ops; failure?: Ops }) => ({
  request: { $case: 'requestTxn' as const, value: value as Partial<TxnRequest> },
});

function defineTxns(compat: Define): void {
  compat('txn: each operation sees those before it, and its own revision', async (clients) => {
    await clients.set('tx/old', '0');
    const answers = [
      await clients.txn({
        success: [
          get('tx/a'),
          put('tx/a', '1', { prevKv: true }),
          get('tx/', 'tx0'),
          put('tx/b', '2'),
          del('tx/old'),
          del('tx/none'),
          get('tx/', 'tx0'),
        ],
      }),
      await clients.txn({ success: [get('tx/', 'tx0'), del('tx/none')] }),
      await clients.txn({ success: [del('tx/none')] }),
      await clients.txn({ success: [del('tx/a'), get('tx/', 'tx0')] }),
      await clients.txn({ success: [get('tx/', 'tx0')] }),
      await clients.txn({}),
    ];
    expect(answers[0]?.succeeded).toBe(true);
    expect(answers[0]?.responses).toHaveLength(7);
    return answers;
  });

  compat('txn: nested transactions', async (clients) => {
    await clients.set('ne/a', '1');
    const isOne = {
      result: Result.EQUAL,
      target: Of.VALUE,
      key: bytes('ne/a'),
      targetUnion: { $case: 'value' as const, value: bytes('1') },
    };
    const both = { success: [put('ne/y', 'then')], failure: [put('ne/y', 'else')] };
    return [
      await clients.txn({
        compare: [isOne],
        success: [
          put('ne/x', '1'),
          nested({ compare: [isOne], ...both }),
          nested({ success: [get('ne/', 'ne0'), del('ne/a')] }),
          get('ne/', 'ne0'),
        ],
      }),
      await clients.txn({ success: [nested({ compare: [isOne], ...both })] }),
      await clients.txn({ success: [nested({ success: [get('ne/', 'ne0')] })] }),
      await clients.range({ key: bytes('ne/'), rangeEnd: bytes('ne0') }),
    ];
  });

  compat('txn: compares of every target and result', async (clients) => {
    await clients.grant(7002n, 600);
    await clients.put({ key: bytes('cm/a'), value: bytes('m'), lease: 7002n });
    await clients.set('cm/b', 'n');
    await clients.set('cm/b', 'o');
    const now = await clients.revision();
    const succeeded: boolean[] = [];
    const targets = [
      { target: Of.VERSION, targetUnion: { $case: 'version', value: 1n } },
      { target: Of.CREATE, targetUnion: { $case: 'createRevision', value: BigInt(now - 1) } },
      { target: Of.MOD, targetUnion: { $case: 'modRevision', value: BigInt(now) } },
      { target: Of.VALUE, targetUnion: { $case: 'value', value: bytes('n') } },
      { target: Of.LEASE, targetUnion: { $case: 'lease', value: 7002n } },
    ] as const;
    const ranges = [
      { key: bytes('cm/a') },
      { key: bytes('cm/b') },
      { key: bytes('cm/none') },
      { key: bytes('cm/'), rangeEnd: bytes('cm0') },
      { key: bytes('cm/x'), rangeEnd: bytes('cm0') },
    ];
    for (const target of targets) {
      for (const range of ranges) {
        for (const result of Object.values(Result)) {
          const answer = await clients.txn({ compare: [{ ...target, ...range, result }] });
          succeeded.push(answer.succeeded);
        }
      }
    }
    expect(succeeded).toHaveLength(100);
    expect(succeeded).toContain(true);
    await clients.revoke(7002n);
    return succeeded;
  });
}
