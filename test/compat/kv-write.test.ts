import { expect } from 'vitest';
import {
  Compare_CompareTarget as Of,
  Compare_CompareResult as Result,
} from '../../src-main/proto/etcd/rpc.ts';
import { compatSuite } from './support/compat.ts';
import { failure, type GrpcClients, outcome, WatchCall } from './support/grpc.ts';
import {
  bytes,
  type DefineCase,
  del,
  get,
  grpcCases,
  nested,
  type Op,
  prefix,
  put,
  versionIs,
} from './support/ops.ts';

compatSuite('writes over gRPC', [], (compat) => {
  defineSingle(grpcCases(compat));
  defineTxns(grpcCases(compat));
  defineCompares(grpcCases(compat));
  defineDuplicates(grpcCases(compat));
});

function defineSingle(compat: DefineCase): void {
  compat('put: each flag on a missing, a plain and a leased key', async (clients) => {
    await clients.grant(7201n, 600);
    await clients.grant(7202n, 600);
    const answers: unknown[] = [];
    for (const state of ['missing', 'plain', 'leased']) {
      for (const [i, flags] of [
        {},
        { prevKv: true },
        { ignoreValue: true, value: bytes('') },
        { ignoreLease: true },
        { ignoreValue: true, ignoreLease: true, value: bytes(''), prevKv: true },
        { lease: 7202n, prevKv: true },
        { lease: 7202n, ignoreValue: true, value: bytes('') },
        { ignoreValue: true },
        { ignoreLease: true, lease: 7202n },
        { lease: 4712n },
        { lease: 4712n, ignoreValue: true, value: bytes('') },
        { lease: -1n },
      ].entries()) {
        const key = bytes(`fl/${state}/${i}`);
        const lease = state === 'leased' ? 7201n : 0n;
        if (state !== 'missing') await clients.put({ key, value: bytes('old'), lease });
        answers.push(await outcome(clients.put({ key, value: bytes('new'), ...flags })));
        answers.push(await clients.range({ key }));
      }
    }
    for (const lease of [7201n, 7202n]) await clients.revoke(lease);
    answers.push(await clients.range({ ...prefix('fl/'), keysOnly: true }));
    return answers;
  });

  compat('put: an empty value is a value', async (clients) => [
    await clients.put({ key: bytes('em/a') }),
    await clients.put({ key: bytes('em/a'), prevKv: true }),
    await clients.put({ key: bytes('em/a'), ignoreValue: true, prevKv: true }),
    await clients.range({ key: bytes('em/a') }),
  ]);

  compat('delete: over ranges, with what was there before', async (clients) => {
    const answers: unknown[] = [];
    for (const [key, end] of [
      ['de/b', ''],
      ['de/b', 'de/d'],
      ['de/d', 'de/b'],
      ['de/b', 'de/b'],
      ['de/', 'de0'],
      ['de/c', '\0'],
      ['\0', '\0'],
      ['\0', 'de/b'],
    ] as const) {
      for (const name of ['d', 'b', 'c', 'a']) await clients.set(`de/${name}`, name);
      const range = { key: bytes(key), rangeEnd: bytes(end) };
      answers.push(await clients.deleteRange({ ...range, prevKv: true }));
      answers.push(await clients.deleteRange(range));
      answers.push(await clients.range({ ...prefix('de/'), keysOnly: true }));
    }
    return answers;
  });

  compat('delete: a deleted key begins anew', async (clients, base) => {
    await clients.grant(7203n, 600);
    await clients.put({ key: bytes('an/a'), value: bytes('1'), lease: 7203n });
    await clients.set('an/a', '2');
    await clients.deleteRange({ key: bytes('an/a') });
    await clients.set('an/a', '3');
    await clients.revoke(7203n);
    const answers = [];
    for (let revision = base; revision <= base + 4; revision++) {
      answers.push(await clients.range({ key: bytes('an/a'), revision }));
    }
    expect(answers[4]).toMatchObject({ kvs: [{ version: 1 }] });
    return answers;
  });
}

/** Runs the transactions in turn while a watcher with previous values looks on. */
async function watched(clients: GrpcClients, at: string, txns: Op[][], events: number) {
  const watch = new WatchCall(clients);
  const value = { ...prefix(at), prevKv: true };
  watch.send({ requestUnion: { $case: 'createRequest', value } });
  await watch.responses(1);
  const answers: unknown[] = [];
  const base = await clients.revision();
  for (const success of txns) answers.push(await outcome(clients.txn({ success })));
  const live = await watch.events(events);
  watch.close();
  // What the disk says of them must be the same.
  const replay = new WatchCall(clients);
  replay.send({
    requestUnion: { $case: 'createRequest', value: { ...value, startRevision: base + 1 } },
  });
  const past = await replay.events(events);
  replay.close();
  expect(past).toEqual(live);
  return [answers, live];
}

function defineTxns(compat: DefineCase): void {
  compat('txn: sub-revisions come in order, to watchers and from history', (clients) =>
    watched(
      clients,
      'su/',
      [
        [put('su/c', '1'), put('su/a', '1'), put('su/b', '1')],
        [put('su/a', '2'), del('su/b'), del('su/none'), put('su/d', '2')],
        [del('su/', 'su0', true), put('other', '')],
        [
          put('su/a', '3'),
          nested({ success: [put('su/b', '3'), nested({ success: [put('su/c')] })] }),
        ],
        // The nested delete comes behind the nested put, which etcd allows.
        [nested({ success: [put('su/x', '4')] }), nested({ success: [del('su/x', '', true)] })],
        [nested({ success: [put('su/a', '5')] }), nested({ success: [del('su/', 'su0', true)] })],
      ],
      3 + 3 + 3 + 3 + 2 + 4,
    ),
  );

  compat(
    'txn: reads between the writes, with limits, sorts and old revisions',
    async (clients, base) => {
      for (const key of ['b', 'a', 'c']) await clients.set(`be/${key}`, key);
      const all = (extra = {}) => get('be/', 'be0', extra);
      return [
        await clients.txn({
          success: [
            all({ limit: 1 }),
            put('be/d', 'new'),
            all({ limit: 2 }),
            all({ revision: base + 1 }),
            all({ revision: base + 3, countOnly: true }),
            del('be/a', '', true),
            all({ sortTarget: 3, sortOrder: 2 }),
            put('be/b', 'again', { prevKv: true }),
            all({ keysOnly: true }),
            all({ minModRevision: base + 4 }),
          ],
        }),
        // The revision that the transaction makes is in the future until it has begun.
        await failure(clients.txn({ success: [put('be/z'), all({ revision: base + 5 })] })),
        await clients.range({ key: bytes('be/z') }),
      ];
    },
  );

  compat('txn: one that reads alone, local or not', async (clients, base) => {
    await clients.set('ro/a', '1');
    return [
      await clients.txn({ success: [get('ro/a'), get('ro/', 'ro0', { countOnly: true })] }),
      await clients.txn({ success: [get('ro/a', '', { serializable: true })] }),
      await clients.txn({ compare: [versionIs('ro/a', 2)], failure: [get('ro/a')] }),
      await clients.txn({ compare: [versionIs('ro/a', 1)] }),
      await clients.txn({}),
      await failure(clients.txn({ success: [get('ro/a', '', { revision: base + 9 })] })),
      await clients.txn({ success: [get('ro/a', '', { revision: -1 })] }),
    ];
  });

  compat('txn: a branch that is not taken is checked for its form alone', async (clients, base) => {
    const bad = [
      get('nt/a', '', { revision: base + 99 }),
      put('nt/none', '', { ignoreValue: true }),
      put('nt/a', '', { lease: 4713n }),
    ];
    return [
      await clients.txn({ success: [put('nt/a', '1')], failure: bad }),
      await clients.txn({ compare: [versionIs('nt/a', 9)], success: bad, failure: [put('nt/b')] }),
      await clients.txn({ success: [nested({ failure: bad, success: [put('nt/c')] })] }),
      await failure(clients.txn({ success: [nested({ success: bad })] })),
      await failure(clients.txn({ success: [put('nt/d')], failure: [put('')] })),
      await clients.range({ ...prefix('nt/') }),
    ];
  });

  compat(
    'txn: the first fault along the path decides, and nothing is written',
    async (clients, base) => {
      await clients.set('ff/a', '1');
      const future = get('ff/a', '', { revision: base + 99 });
      const missing = put('ff/none', '', { ignoreValue: true });
      const leased = put('ff/b', '', { lease: 4714n });
      const both = put('ff/none', '', { ignoreValue: true, lease: 4714n });
      const answers: unknown[] = [];
      for (const success of [
        [put('ff/x'), future],
        [put('ff/x'), missing],
        [put('ff/x'), leased],
        [future, leased, missing],
        [leased, missing],
        [missing, leased],
        [both],
        [put('ff/x'), nested({ success: [future, leased] }), missing],
        [nested({ success: [put('ff/x'), nested({ success: [missing] })] })],
        // The key that an earlier operation makes does not count: all is checked beforehand.
        [put('ff/new', '1'), nested({ success: [get('ff/new', '', { revision: base + 2 })] })],
      ]) {
        answers.push(await failure(clients.txn({ success })));
      }
      answers.push(await clients.range({ ...prefix('ff/') }));
      expect(answers.at(-1)).toMatchObject({ count: 1, header: { revision: base + 1 } });
      return answers;
    },
  );

  compat('txn: nested ones compare the state before the first write', async (clients) => {
    const then = (name: string): Op[] => [put(`nc/${name}`, 'then')];
    const otherwise = (name: string): Op[] => [put(`nc/${name}`, 'else')];
    const branch = (name: string, version: number) =>
      nested({
        compare: [versionIs('nc/a', version)],
        success: then(name),
        failure: otherwise(name),
      });
    return [
      await clients.txn({ success: [put('nc/a', '1'), branch('x', 0), branch('y', 1)] }),
      await clients.txn({
        compare: [versionIs('nc/a', 1)],
        success: [
          branch('p', 1),
          nested({ success: [branch('q', 2), nested({ failure: then('r') })] }),
          nested({ compare: [versionIs('nc/a', 5)], success: then('s') }),
        ],
      }),
      await clients.range({ ...prefix('nc/') }),
    ];
  });
}

const TARGETS = {
  version: Of.VERSION,
  createRevision: Of.CREATE,
  modRevision: Of.MOD,
  value: Of.VALUE,
  lease: Of.LEASE,
} as const;

function defineCompares(compat: DefineCase): void {
  compat('compares of the target with nothing, or with another kind', async (clients) => {
    await clients.set('co/a', '');
    const answers = [];
    for (const target of Object.values(TARGETS)) {
      for (const $case of [undefined, ...(Object.keys(TARGETS) as (keyof typeof TARGETS)[])]) {
        for (const key of ['co/a', 'co/none']) {
          for (const result of Object.values(Result)) {
            const targetUnion =
              $case === 'value' ? { $case, value: bytes('1') } : $case && { $case, value: 1n };
            const compare = {
              key: bytes(key),
              target,
              result,
              ...(targetUnion && { targetUnion }),
            };
            answers.push((await clients.txn({ compare: [compare] })).succeeded);
          }
        }
      }
    }
    expect(new Set(answers).size).toBe(2);
    return answers.map((held) => (held ? 1 : 0)).join('');
  });

  compat(
    'compares below, at and above, over one key, ranges and nothing',
    async (clients, base) => {
      await clients.grant(7204n, 600);
      await clients.put({ key: bytes('cr/a'), value: bytes('m'), lease: 7204n });
      await clients.put({ key: bytes('cr/b'), value: bytes('m'), lease: 7204n });
      await clients.set('cr/c', 'm');
      await clients.set('cr/c', 'n');
      const around = {
        version: [0n, 1n, 2n, -1n],
        createRevision: [0n, 1n, 2n, 3n].map((n) => BigInt(base) + n),
        modRevision: [0n, 1n, 2n, 4n].map((n) => BigInt(base) + n),
        lease: [0n, 7203n, 7204n, 7205n],
        value: ['', 'l', 'm', 'mm'].map(bytes),
      };
      const ranges = [
        ['cr/a', ''],
        ['cr/a', 'cr/c'],
        ['cr/a', 'cr/d'],
        ['cr/b', '\0'],
        ['cr/d', 'cr/x'],
        ['cr/c', 'cr/a'],
        ['cr/none', ''],
      ] as const;
      const held: string[] = [];
      for (const [$case, values] of Object.entries(around)) {
        for (const [key, rangeEnd] of ranges) {
          const compares = values.flatMap((value) =>
            Object.values(Result).map((result) => ({
              key: bytes(key),
              rangeEnd: bytes(rangeEnd),
              target: TARGETS[$case as keyof typeof TARGETS],
              result,
              targetUnion: { $case, value } as never,
            })),
          );
          const answers = await Promise.all(compares.map((one) => clients.txn({ compare: [one] })));
          held.push(
            `${$case} ${key} ${rangeEnd}: ${answers.map((a) => Number(a.succeeded)).join('')}`,
          );
        }
      }
      expect(held).toHaveLength(35);
      await clients.revoke(7204n);
      return held;
    },
  );
}

function defineDuplicates(compat: DefineCase): void {
  compat('a key may be written once on any path, by etcd’s reckoning', async (clients) => {
    const p = (key = 'du/a') => put(key, 'v');
    const answers: unknown[] = [];
    for (const success of [
      [p(), p()],
      [p(), del('du/a')],
      [del('du/a'), p()],
      [p(), del('du/', 'du0')],
      [p('du/b'), del('du/a', 'du/b')],
      [p(), del('du/b', 'du/a')],
      [p(), del('du/a', 'du/a')],
      // A delete to the end is overlooked.
      [p(), del('du/a', '\0', true)],
      [del('du/a', '\0', true), p()],
      [p(), del('\0', '\0', true)],
      [del('\0', '\0'), p(), del('du/a')],
      [del('du/a'), del('du/a', 'du/c'), del('du/', 'du0')],
      [p(), get('du/a'), get('du/', 'du0')],
      [p(), nested({ success: [p()] })],
      [p(), nested({ failure: [p()] })],
      [nested({ success: [p()], failure: [p()] })],
      [nested({ success: [p()], failure: [p()] }), p()],
      [nested({ success: [p()] }), nested({ failure: [p()] })],
      [nested({ success: [p()] }), nested({ success: [p('du/b')] })],
      [nested({ success: [p()] }), del('du/a')],
      [del('du/a'), nested({ success: [p()] })],
      [nested({ success: [p()] }), nested({ success: [del('du/a')] })],
      [nested({ success: [del('du/a')] }), nested({ success: [p()] })],
      [nested({ success: [del('du/', 'du0')] }), p()],
      [nested({ success: [nested({ failure: [del('du/a')] })] }), p()],
      [nested({ success: [nested({ failure: [p()] })], failure: [nested({ success: [p()] })] })],
      [nested({ success: [p(), del('du/a')] })],
      [nested({ success: [del('du/a', '\0')] }), nested({ success: [p()] }), p('du/b')],
    ]) {
      for (const request of [{ success }, { failure: success }]) {
        answers.push(await outcome(clients.txn(request)));
        answers.push(await clients.range({ ...prefix('du/') }));
      }
    }
    expect(answers[0]).toMatchObject({
      message: 'etcdserver: duplicate key given in txn request',
    });
    return answers;
  });
}
