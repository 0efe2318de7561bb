import { expect, test } from 'vitest';
import type { KeyValue, KvOperation } from '../history.ts';
import { checkSerializableReads } from './serializable-reads.ts';
import { emptyHistory } from './testing/histories.ts';
import { Truth } from './truth.ts';

const put = (id: number, key: string, value: string, revision: number): KvOperation => ({
  ...{ id, kind: 'put', client: 0, member: 'm0', key, input: { value, lease: '0' } },
  ...{ invokedMs: 10 * revision, returnedMs: 10 * revision + 5 },
  outcome: { ok: true, output: { revision } },
});
const writes = [
  put(1, 'a', 'a1', 2),
  put(2, 'b', 'b1', 3),
  put(3, 'a', 'a2', 4),
  put(4, 'b', 'b2', 5),
];

const kv = (key: string, value: string, modRevision: number): KeyValue => ({
  ...{ key, value, createRevision: key === 'a' ? 2 : 3, modRevision },
  ...{ version: modRevision < 4 ? 1 : 2, lease: '0' },
});
const range = (atMs: number, revision: number, ...kvs: KeyValue[]): KvOperation => ({
  ...{ id: 9, kind: 'range', client: 1, member: 'm1', key: 'a', invokedMs: atMs },
  ...{ returnedMs: atMs + 1, input: { end: 'z', serializable: true, revision: 0 } },
  outcome: { ok: true, output: { revision, kvs, count: kvs.length } },
});
const rules = (...reads: KvOperation[]) => {
  const history = { ...emptyHistory(), operations: [...writes, ...reads] };
  return checkSerializableReads(history, new Truth(history)).map(({ rule }) => rule);
};

test('the state of any revision up to now, as a whole', () => {
  expect(rules(range(100, 5, kv('a', 'a2', 4), kv('b', 'b2', 5)))).toEqual([]);
  expect(rules(range(100, 3, kv('a', 'a1', 2), kv('b', 'b1', 3)))).toEqual([]);
  expect(rules(range(100, 1))).toEqual([]);
});

test('not two revisions mixed', () => {
  expect(rules(range(100, 5, kv('a', 'a1', 2), kv('b', 'b2', 5)))).toEqual(['mixed']);
  expect(rules(range(100, 4, kv('a', 'a2', 4)))).toEqual(['mixed']);
});

test('not another revision than its header says', () => {
  expect(rules(range(100, 5, kv('a', 'a2', 4), kv('b', 'b1', 3)))).toEqual(['header']);
  // Newer than its header is a mixture: no revision up to the header shows it.
  expect(rules(range(100, 3, kv('a', 'a2', 4), kv('b', 'b1', 3)))).toEqual(['mixed']);
});

test('not from before it was written', () => {
  expect(rules(range(35, 3, kv('a', 'a1', 2), kv('b', 'b1', 3)))).toEqual([]);
  expect(rules(range(35, 4, kv('a', 'a2', 4), kv('b', 'b1', 3)))).toEqual(['future']);
  // A write that is under way may already show.
  expect(rules(range(40, 4, kv('a', 'a2', 4), kv('b', 'b1', 3)))).toEqual([]);
});

test('not in disorder, twice, or with a wrong count', () => {
  expect(rules(range(100, 5, kv('b', 'b2', 5), kv('a', 'a2', 4)))).toEqual(['mixed']);
  const twice = range(100, 5, kv('a', 'a2', 4), kv('a', 'a2', 4), kv('b', 'b2', 5));
  expect(rules(twice)).toEqual(['mixed']);
  const miscounted = range(100, 5, kv('a', 'a2', 4), kv('b', 'b2', 5));
  if (miscounted.outcome.ok && 'count' in miscounted.outcome.output) {
    miscounted.outcome.output.count = 3;
  }
  expect(rules(miscounted)).toEqual(['mixed']);
});

test('a read of a past revision shows that one, whatever its header', () => {
  const get = (revision: number, shown: KeyValue | undefined): KvOperation => ({
    ...{ id: 9, kind: 'get', client: 1, member: 'm1', key: 'a', invokedMs: 100, returnedMs: 101 },
    ...{ input: { serializable: true, revision } },
    outcome: { ok: true, output: { revision: 5, kv: shown } },
  });
  expect(rules(get(3, kv('a', 'a1', 2)))).toEqual([]);
  expect(rules(get(3, kv('a', 'a2', 4)))).toHaveLength(1);
  expect(rules(get(1, undefined))).toEqual([]);
  expect(rules(get(2, undefined))).toHaveLength(1);
});
