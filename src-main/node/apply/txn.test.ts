import { beforeEach, describe, expect, it } from 'vitest';
import {
  Compare,
  type Compare_CompareResult,
  type Compare_CompareTarget,
  type TxnRequest,
} from '../../proto/etcd/rpc.ts';
import {
  bytes,
  deleteOp,
  Machine,
  putOp,
  rangeOp,
  rangeRequest,
  text,
  txnOp,
  txnRequest,
} from './testing/machine.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { checkWrites } from './txn-check.ts';

let machine: Machine;
beforeEach(() => {
  machine = new Machine(new MemoryStore());
});

type Union = NonNullable<Compare['targetUnion']>;
const TARGETS = { version: 0, createRevision: 1, modRevision: 2, value: 3, lease: 4 } as const;
const RESULTS = { '=': 0, '>': 1, '<': 2, '!=': 3 } as const;

function compare(key: string, result: keyof typeof RESULTS, union: Union, rangeEnd = ''): Compare {
  return Compare.fromPartial({
    key: bytes(key),
    rangeEnd: bytes(rangeEnd),
    result: RESULTS[result] as Compare_CompareResult,
    target: TARGETS[union.$case] as Compare_CompareTarget,
    targetUnion: union,
  });
}

function succeeds(...compares: Compare[]): boolean {
  const { succeeded } = machine.txn({ compare: compares });
  expect(machine.state.readOnlyTxn(txnRequest({ compare: compares })).succeeded).toBe(succeeded);
  return succeeded;
}

describe('compares', () => {
  beforeEach(() => {
    machine.grant(5n);
    machine.put('a', 'x');
    machine.put('a', 'y', { lease: 5n });
    machine.put('b', 'y');
  });

  it.each([
    ['version', { $case: 'version', value: 2n }],
    ['createRevision', { $case: 'createRevision', value: 2n }],
    ['modRevision', { $case: 'modRevision', value: 3n }],
    ['lease', { $case: 'lease', value: 5n }],
    ['value', { $case: 'value', value: bytes('y') }],
  ] satisfies [string, Union][])('%s', (_, union) => {
    expect(succeeds(compare('a', '=', union))).toBe(true);
    expect(succeeds(compare('a', '!=', union))).toBe(false);
    expect(succeeds(compare('a', '>', union))).toBe(false);
    expect(succeeds(compare('a', '<', union))).toBe(false);
  });

  it('a missing key has zero numbers and no value', () => {
    for (const $case of ['version', 'createRevision', 'modRevision', 'lease'] as const) {
      expect(succeeds(compare('no', '=', { $case, value: 0n }))).toBe(true);
      expect(succeeds(compare('no', '<', { $case, value: 1n }))).toBe(true);
      expect(succeeds(compare('no', '>', { $case, value: 0n }))).toBe(false);
    }
    const empty: Union = { $case: 'value', value: bytes('') };
    for (const result of ['=', '!=', '<', '>'] as const) {
      expect(succeeds(compare('no', result, empty))).toBe(false);
    }
  });

  it('a range holds if every key in it does; one without keys is a missing key', () => {
    const y: Union = { $case: 'value', value: bytes('y') };
    expect(succeeds(compare('a', '=', y, 'c'))).toBe(true);
    expect(succeeds(compare('a', '=', { $case: 'version', value: 2n }, 'c'))).toBe(false);
    expect(succeeds(compare('a', '>', { $case: 'version', value: 0n }, '\0'))).toBe(true);
    expect(succeeds(compare('x', '=', { $case: 'version', value: 0n }, 'z'))).toBe(true);
    expect(succeeds(compare('x', '=', y, 'z'))).toBe(false);
    expect(succeeds(compare('c', '=', { $case: 'version', value: 0n }, 'a'))).toBe(true);
  });

  it('all must hold; none at all succeeds', () => {
    const yes = compare('a', '=', { $case: 'version', value: 2n });
    const no = compare('a', '=', { $case: 'version', value: 3n });
    expect(succeeds(yes, no)).toBe(false);
    expect(succeeds()).toBe(true);
  });
});

describe('execution', () => {
  it('one revision for all writes, and reads see the writes before them', () => {
    const { responses, revision } = machine.txn({
      success: [
        rangeOp({ key: 'a' }),
        putOp({ key: 'a', value: '1' }),
        rangeOp({ key: 'a' }),
      ].concat([
        putOp({ key: 'b', value: '2' }),
        deleteOp({ key: 'c' }),
        rangeOp({ key: '\0', rangeEnd: '\0' }),
      ]),
    });
    expect(revision).toBe(2);
    const counts = responses.map(({ response }) =>
      response?.$case === 'responseRange' ? response.value.count : response?.$case,
    );
    expect(counts).toEqual([0, 'responsePut', 1, 'responsePut', 'responseDeleteRange', 2]);
    expect(machine.range('b').kvs[0]).toMatchObject({ createRevision: 2, modRevision: 2 });
  });

  it('one that writes nothing takes no revision', () => {
    machine.put('a');
    const nothing = { success: [rangeOp({ key: 'a' }), deleteOp({ key: 'no' })] };
    expect(machine.txn(nothing).revision).toBe(2);
    expect(machine.state.revision).toBe(2);
  });

  it('a read at a given revision does not see the writes', () => {
    machine.put('a', 'old');
    const { responses } = machine.txn({
      success: [putOp({ key: 'a', value: 'new' }), rangeOp({ key: 'a', revision: 2 })],
    });
    const read = responses[1]?.response;
    expect(read?.$case === 'responseRange' && text(read.value.kvs[0]?.value ?? bytes(''))).toBe(
      'old',
    );
  });

  it('nested compares look at the state before the first write', () => {
    const unborn = compare('a', '=', { $case: 'version', value: 0n });
    const { responses } = machine.txn({
      success: [
        putOp({ key: 'a', value: '1' }),
        txnOp({ compare: [unborn], success: [putOp({ key: 'b', value: 'then' })] }),
      ],
    });
    expect(responses[1]?.response).toMatchObject({
      $case: 'responseTxn',
      value: { succeeded: true },
    });
    expect(machine.read('\0', '\0')).toEqual(['a=1', 'b=then']);
    expect(machine.state.revision).toBe(2);
  });

  it('takes the failure branch', () => {
    const { succeeded } = machine.txn({
      compare: [compare('a', '>', { $case: 'version', value: 0n })],
      success: [putOp({ key: 'then' })],
      failure: [putOp({ key: 'else' })],
    });
    expect(succeeded).toBe(false);
    expect(machine.read('\0', '\0')).toEqual(['else=']);
  });
});

describe('what fails, fails before anything is written', () => {
  const first = putOp({ key: 'first' });
  beforeEach(() => {
    for (let i = 0; i < 4; i++) machine.put('a', `${i}`);
    machine.compact(4);
  });

  const cases: [string, string, Partial<TxnRequest>][] = [
    ['Compacted', 'a compacted read', { success: [first, rangeOp({ key: 'a', revision: 3 })] }],
    ['FutureRev', 'a future read', { success: [first, rangeOp({ key: 'a', revision: 6 })] }],
    [
      'FutureRev',
      'a nested read',
      { success: [first, txnOp({ success: [rangeOp({ key: 'a', revision: 9 })] })] },
    ],
    ['LeaseNotFound', 'a lease', { success: [first, putOp({ key: 'b', lease: 3n })] }],
    ['KeyNotFound', 'a key', { success: [first, putOp({ key: 'b', ignoreValue: true })] }],
    [
      'KeyNotFound',
      'the key before the lease',
      { success: [putOp({ key: 'b', ignoreValue: true, lease: 3n })] },
    ],
    [
      'LeaseNotFound',
      'puts before reads',
      { success: [rangeOp({ key: 'a', revision: 99 }), putOp({ key: 'b', lease: 3n })] },
    ],
    ['DuplicateKey', 'a key put twice', { success: [first, putOp({ key: 'first' })] }],
  ];
  it.each(cases)('%s: %s', (code, _, request) => {
    expect(machine.refused('txn', txnRequest(request))).toBe(code);
    expect(machine.state.revision).toBe(5);
    expect(machine.range('first').count).toBe(0);
  });

  it('the branch that is not taken is not looked at', () => {
    machine.txn({ success: [first], failure: [rangeOp({ key: 'a', revision: 99 })] });
    expect(machine.range('first').count).toBe(1);
  });

  it('a read-only transaction throws alike, and serves the revision that was compacted to', () => {
    const at = (revision: number) =>
      machine.state.readOnlyTxn(txnRequest({ success: [rangeOp({ key: 'a', revision })] }));
    expect(() => at(3)).toThrow(expect.objectContaining({ code: 'Compacted' }));
    expect(() => at(6)).toThrow(expect.objectContaining({ code: 'FutureRev' }));
    expect(at(4).responses).toHaveLength(1);
    expect(() => machine.state.readOnlyTxn(txnRequest({ success: [first] }))).toThrow(/only reads/);
  });
});

describe('checkWrites', () => {
  const code = (loose: Partial<TxnRequest>): string | undefined => {
    try {
      checkWrites(txnRequest(loose));
      return undefined;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  const a = putOp({ key: 'a' });

  it('refuses a key that is written twice', () => {
    expect(code({ success: [a, a] })).toBe('DuplicateKey');
    expect(code({ success: [a], failure: [a] })).toBeUndefined();
    expect(code({ success: [a, deleteOp({ key: 'a' })] })).toBe('DuplicateKey');
    expect(code({ success: [a, deleteOp({ key: '0', rangeEnd: 'b' })] })).toBe('DuplicateKey');
    // etcd overlooks a delete to the end of the key space.
    expect(code({ success: [a, deleteOp({ key: 'a', rangeEnd: '\0' })] })).toBeUndefined();
    const deletes = [deleteOp({ key: 'a', rangeEnd: 'c' }), deleteOp({ key: 'b' })];
    expect(code({ success: deletes })).toBeUndefined();
    expect(code({ success: [a, txnOp({ success: [a] })] })).toBe('DuplicateKey');
    expect(code({ success: [txnOp({ success: [a], failure: [a] })] })).toBeUndefined();
    expect(code({ success: [deleteOp({ key: 'a' }), txnOp({ failure: [a] })] })).toBe(
      'DuplicateKey',
    );
  });
});

it('a put that keeps a value which its transaction deletes is refused before any write', () => {
  machine.put('a', 'old');
  const keep = putOp({ key: 'a', ignoreValue: true });
  const wipe = deleteOp({ key: '\0', rangeEnd: '\0' });
  for (const success of [
    [wipe, keep],
    [wipe, txnOp({ success: [keep] })],
    [txnOp({ success: [wipe] }), keep],
    [txnOp({ success: [wipe] }), txnOp({ success: [keep] })],
  ]) {
    expect(machine.refused('txn', txnRequest({ success }))).toBe('KeyNotFound');
  }
  expect(machine.read('a')).toEqual(['a=old']);
  machine.txn({ success: [txnOp({ success: [keep] }), txnOp({ success: [wipe] })] });
  expect(machine.range('a').count).toBe(0);
});

it('a put after a delete to the end creates its key anew within the revision', () => {
  machine.put('a', 'old');
  machine.put('a', 'older');
  const wipe = deleteOp({ key: '\0', rangeEnd: '\0' });
  const { revision } = machine.txn({ success: [wipe, putOp({ key: 'a', value: 'new' })] });
  expect(machine.range('a').kvs[0]).toMatchObject({
    createRevision: revision,
    modRevision: revision,
    version: 1,
  });
  machine.put('a', 'newer');
  expect(machine.range('a', '', { revision }).kvs[0]?.value.toString()).toBe('new');
  machine.compact(revision + 1);
  machine.compactAll();
  expect(machine.range('a').kvs[0]).toMatchObject({ createRevision: revision, version: 2 });
});

it('a key that two nested transactions change keeps its last change', () => {
  machine.put('a', 'old');
  machine.txn({
    success: [txnOp({ success: [putOp({ key: 'a', value: 'new' })] })].concat([
      txnOp({ success: [deleteOp({ key: 'a' })] }),
    ]),
  });
  expect(machine.range('a').count).toBe(0);
  expect(machine.state.range(rangeRequest({ key: 'a', revision: 2 })).count).toBe(1);
  machine.put('b');
  expect(machine.range('a', '', { revision: 3 }).count).toBe(0);
  expect(machine.range('a', 'b', { revision: 3 }).count).toBe(0);
});
