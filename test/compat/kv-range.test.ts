import { expect } from 'vitest';
import {
  RangeRequest_SortOrder as Order,
  RangeRequest_SortTarget as Sort,
} from '../../src-main/proto/etcd/rpc.ts';
import { compatSuite } from './support/compat.ts';
import { failure, type GrpcClients } from './support/grpc.ts';
import { bytes, type DefineCase, grpcCases, prefix } from './support/ops.ts';

compatSuite('Range over gRPC', [], (compat) => {
  defineSorts(grpcCases(compat));
  defineFilters(grpcCases(compat));
  defineBounds(grpcCases(compat));
});

/**
 * Eight keys whose orders by key, version, creation, modification and value all differ, and no two
 * of which are equal in any but the version.
 */
async function fill(clients: GrpcClients, at: string): Promise<void> {
  for (const [key, value] of [
    ['d', '5'],
    ['a', '7'],
    ['c', '1'],
    ['b', '3'],
    ['a', '2'],
    ['e', '9'],
    ['d', '8'],
    ['d', '4'],
  ] as const) {
    await clients.set(`${at}${key}`, value);
  }
}

const ORDERS = [Order.NONE, Order.ASCEND, Order.DESCEND];
const TARGETS = [Sort.KEY, Sort.VERSION, Sort.CREATE, Sort.MOD, Sort.VALUE];

function defineSorts(compat: DefineCase): void {
  compat('every sort target in every order, with and without a limit', async (clients) => {
    await fill(clients, 'so/');
    const answers = [];
    for (const sortTarget of TARGETS) {
      for (const sortOrder of ORDERS) {
        for (const limit of [0, 1, 3, 5, 6, -1]) {
          answers.push(await clients.range({ ...prefix('so/'), sortTarget, sortOrder, limit }));
        }
      }
    }
    expect(answers).toHaveLength(90);
    expect(answers.some(({ more }) => more)).toBe(true);
    return answers;
  });

  compat('every sort at every old revision', async (clients, base) => {
    await fill(clients, 'sr/');
    await clients.deleteRange({ key: bytes('sr/b') });
    await clients.set('sr/b', 'again');
    const now = await clients.revision();
    const answers = [];
    for (let revision = base; revision <= now; revision++) {
      for (const sortTarget of TARGETS) {
        for (const sortOrder of [Order.ASCEND, Order.DESCEND]) {
          const request = { ...prefix('sr/'), revision, sortTarget, sortOrder, limit: 3 };
          answers.push(await clients.range(request));
        }
      }
      answers.push(await clients.range({ ...prefix('sr/'), revision, limit: 2 }));
      answers.push(await clients.range({ ...prefix('sr/'), revision, countOnly: true }));
      answers.push(await clients.range({ key: bytes('sr/b'), revision }));
    }
    expect(answers.at(-2)).toMatchObject({ count: 5, kvs: [] });
    return answers;
  });

  compat('sorts leave out values where only keys are wanted', async (clients) => {
    await fill(clients, 'ko/');
    const answers = [];
    for (const sortTarget of TARGETS) {
      const request = { ...prefix('ko/'), keysOnly: true, sortTarget, sortOrder: Order.DESCEND };
      answers.push(await clients.range(request));
      answers.push(await clients.range({ ...request, limit: 2 }));
      answers.push(await clients.range({ ...request, countOnly: true }));
    }
    expect(answers.every(({ kvs }) => kvs.every(({ value }) => value.length === 0))).toBe(true);
    return answers;
  });
}

function defineFilters(compat: DefineCase): void {
  compat('revision filters alone, together, with limits and sorts', async (clients, base) => {
    await fill(clients, 'fi/');
    const names = [
      'minModRevision',
      'maxModRevision',
      'minCreateRevision',
      'maxCreateRevision',
    ] as const;
    const answers = [];
    for (const name of names) {
      for (let at = base; at <= base + 9; at++) {
        const filter = { ...prefix('fi/'), [name]: at };
        answers.push(await clients.range(filter));
        answers.push(await clients.range({ ...filter, limit: 2 }));
        answers.push(await clients.range({ ...filter, limit: 2, keysOnly: true }));
        answers.push(await clients.range({ ...filter, limit: 1, countOnly: true }));
        answers.push(await clients.range({ ...filter, limit: 2, sortTarget: Sort.VALUE }));
      }
    }
    for (const [min, max] of [
      [2, 6],
      [5, 5],
      [6, 2],
    ] as const) {
      const mod = { minModRevision: base + min, maxModRevision: base + max };
      const create = { minCreateRevision: base + min, maxCreateRevision: base + max };
      answers.push(await clients.range({ ...prefix('fi/'), ...mod }));
      answers.push(await clients.range({ ...prefix('fi/'), ...create, limit: 1 }));
      answers.push(await clients.range({ ...prefix('fi/'), ...mod, ...create }));
      answers.push(await clients.range({ ...prefix('fi/'), ...mod, revision: base + 7 }));
    }
    answers.push(await clients.range({ key: bytes('fi/a'), minModRevision: base + 9 }));
    expect(answers.at(-1)).toMatchObject({ kvs: [], count: 1, more: false });
    return answers;
  });

  compat('negative filters, limits and revisions', async (clients) => {
    await fill(clients, 'ne/');
    const answers = [];
    for (const request of [
      { revision: -1 },
      { revision: -5, limit: 2 },
      { limit: -3 },
      { minModRevision: -1 },
      { maxModRevision: -1 },
      { maxCreateRevision: -7, countOnly: true },
    ]) {
      answers.push(await clients.range({ ...prefix('ne/'), ...request }));
    }
    return answers;
  });

  compat('serializable reads answer as linearizable ones', async (clients, base) => {
    await fill(clients, 'se/');
    for (const request of [
      {},
      { limit: 2 },
      { revision: base + 3 },
      { countOnly: true },
      { keysOnly: true, sortTarget: Sort.VALUE, sortOrder: Order.DESCEND },
    ]) {
      const linear = await clients.range({ ...prefix('se/'), ...request });
      const local = await clients.range({ ...prefix('se/'), ...request, serializable: true });
      expect(local).toEqual(linear);
    }
    const future = { ...prefix('se/'), revision: base + 100, serializable: true };
    return failure(clients.range(future));
  });
}

/** Two of them in one request are just below what the wire takes. */
const HUGE_KEY_BYTES = 1_000_000;

function defineBounds(compat: DefineCase): void {
  compat('one key, from a key on, up to a key, the whole space', async (clients) => {
    await clients.deleteRange({ key: bytes('\0'), rangeEnd: bytes('\0') });
    const keys = ['\0', '\0\0', 'a', 'a\0', 'a\xff', 'b', '\xff', '\xff\xff'];
    for (const key of keys) await clients.put({ key: bytes(key), value: bytes(`v${key}`) });
    const answers = [];
    for (const key of ['\0', '\0\0', '\x01', 'a', 'a\0', 'b\0', '\xff', '\xff\xff', '\xff\xff\0']) {
      for (const rangeEnd of ['', '\0', '\0\0', 'a', 'a\0', 'b', '\xff', '\xff\xff']) {
        const range = { key: bytes(key), rangeEnd: bytes(rangeEnd) };
        answers.push(await clients.range(range));
        answers.push((await clients.range({ ...range, countOnly: true })).count);
      }
    }
    const whole = await clients.range({ key: bytes('\0'), rangeEnd: bytes('\0') });
    expect(whole.kvs.map(({ key }) => key.toString('latin1'))).toEqual(keys);
    return answers;
  });

  compat('a prefix of bytes 0xff ends where the key space does', async (clients) => {
    for (const key of ['\xfe\xff', '\xff', '\xff\xff', '\xff\xffx', '\xff\xff\xff']) {
      await clients.put({ key: bytes(key) });
    }
    // What etcd's own clients send for such a prefix: there is nothing behind it.
    const answers = [
      await clients.range({ key: bytes('\xff'), rangeEnd: bytes('\0') }),
      await clients.range({ key: bytes('\xff\xff'), rangeEnd: bytes('\0'), keysOnly: true }),
      await clients.range({ key: bytes('\xfe\xff'), rangeEnd: bytes('\xff') }),
      await clients.deleteRange({ key: bytes('\xff\xff'), rangeEnd: bytes('\0'), prevKv: true }),
      await clients.range({ key: bytes('\xfe'), rangeEnd: bytes('\0') }),
    ];
    expect(answers[3]).toMatchObject({ deleted: 3 });
    return answers;
  });

  compat('a key of all 256 bytes, and its neighbours', async (clients) => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const under = Buffer.concat([bytes('al/'), all]);
    for (const last of ['', '\0', '\x01', '\xff']) {
      await clients.put({ key: Buffer.concat([under, bytes(last)]), value: all });
    }
    const reverse = Buffer.concat([bytes('al/'), Buffer.from(all).reverse()]);
    await clients.put({ key: reverse, value: Buffer.from(all).reverse() });
    const answers = [
      await clients.range({ key: under }),
      await clients.range({ key: reverse }),
      await clients.range({ ...prefix('al/'), sortOrder: Order.DESCEND }),
      await clients.range({ key: under, rangeEnd: reverse }),
      await clients.deleteRange({ key: under, prevKv: true }),
    ];
    expect(answers[2]).toMatchObject({ count: 5 });
    return answers;
  });

  compat('keys of a megabyte', async (clients) => {
    const long = (last: string) =>
      Buffer.concat([bytes(`hu/${'k'.repeat(HUGE_KEY_BYTES)}`), bytes(last)]);
    await clients.set('hv/z', 'behind it');
    for (const last of ['b', 'a', '\xff']) {
      await clients.put({ key: long(last), value: bytes(last) });
    }
    await clients.put({ key: long('a'), value: bytes('2') });
    const revision = await clients.revision();
    const answers = [
      await clients.range({ key: long('a') }),
      await clients.range({ key: long('a'), revision: revision - 1 }),
      await clients.range({ ...prefix('hu/'), sortOrder: Order.DESCEND, limit: 2 }),
      await clients.range({ key: long(''), rangeEnd: long('b') }),
      await clients.range({ ...prefix('hu/'), revision: revision - 2, countOnly: true }),
      await clients.deleteRange({ key: long('a'), rangeEnd: bytes('hul') }),
      await clients.range({ key: bytes('hu/'), rangeEnd: bytes('hv0') }),
    ];
    expect(answers[5]).toMatchObject({ deleted: 3 });
    // The keys themselves are compared by length and end.
    const short = (kv: { key: Buffer }) => ({ ...kv, key: kv.key.subarray(-3), at: kv.key.length });
    return answers.map((answer) =>
      'kvs' in answer ? { ...answer, kvs: answer.kvs.map(short) } : answer,
    );
  });
}
