import { expect, test } from 'vitest';
import type { History, KvOperation, MemberObservation, Operation } from '../history.ts';
import { checkRevisions } from './revisions.ts';
import { emptyHistory } from './testing/histories.ts';
import { Truth } from './truth.ts';

const rules = (parts: Partial<History>) => {
  const history = { ...emptyHistory(), ...parts };
  return checkRevisions(history, new Truth(history)).map(({ rule }) => rule);
};

const seen = (atMs: number, over: Partial<MemberObservation>) =>
  ({
    ...{ atMs, member: 'm0', memberId: 'a0', incarnation: 1, applied: 10 + atMs },
    ...{ revision: 5, compactRevision: 2 },
    ...over,
  }) as MemberObservation;

test.each<[string, Partial<MemberObservation>, string[]]>([
  ['goes on', { revision: 6, compactRevision: 3 }, []],
  ['goes back', { revision: 4 }, ['member']],
  ['goes back over a restart', { revision: 4, incarnation: 2 }, ['member']],
  ['is behind as long as it has not caught up', { revision: 4, incarnation: 2, applied: 3 }, []],
  ['is another member', { revision: 1, compactRevision: 0, memberId: 'b0' }, []],
  ['forgets a compaction', { compactRevision: 1 }, ['compaction']],
  ['compacts what is not there', { compactRevision: 6 }, ['compaction']],
])('a member %s', (_, over, expected) => {
  expect(rules({ observations: [seen(0, {}), seen(1, over)] })).toEqual(expected);
});

test('a member that has caught up is held to what it had before its restart', () => {
  const behind = seen(1, { revision: 4, incarnation: 2, applied: 3 });
  const observations = [seen(0, {}), behind, seen(2, { revision: 4, incarnation: 2 })];
  expect(rules({ observations })).toEqual(['member']);
});

const put = (id: number, atMs: number, revision: number, client = 0): KvOperation => ({
  ...{ id, kind: 'put', client, member: 'm0', key: 'a', input: { value: `v${id}`, lease: '0' } },
  ...{ invokedMs: atMs, returnedMs: atMs + 1, outcome: { ok: true, output: { revision } } },
});
const get = (id: number, atMs: number, revision: number, serializable: boolean): KvOperation => ({
  ...{ id, kind: 'get', client: 0, member: 'm0', key: 'a', input: { serializable, revision: 0 } },
  ...{ invokedMs: atMs, returnedMs: atMs + 1 },
  outcome: { ok: true, output: { revision, kv: undefined } },
});

test('a client never sees a revision before one that it saw, unless its read may lag', () => {
  const writes = [put(1, 0, 2), put(2, 10, 3)];
  expect(rules({ operations: [...writes, get(3, 20, 3, false)] })).toEqual([]);
  expect(rules({ operations: [...writes, get(3, 20, 2, true)] })).toEqual([]);
  expect(rules({ operations: [...writes, get(3, 20, 2, false)] })).toEqual(['client']);
  expect(rules({ operations: [put(1, 0, 3), put(2, 10, 2)] })).toEqual(['client']);
  expect(rules({ operations: [put(1, 0, 3), put(2, 10, 2, 1)] })).toEqual([]);
});

test('every write has a revision of its own, and none is left out', () => {
  expect(rules({ operations: [put(1, 0, 2), put(2, 0, 2, 1)] })).toEqual(['one per write']);
  expect(rules({ operations: [put(1, 0, 2), put(2, 10, 4)] })).toEqual(['dense']);
  const lost: KvOperation = {
    ...put(3, 0, 0, 1),
    outcome: { ok: false, error: 'unknown', code: 'Crashed' },
  } as KvOperation;
  expect(rules({ operations: [put(1, 0, 2), put(2, 10, 4), lost] })).toEqual([]);
});

test('what was compacted is not read any more, in a transaction neither', () => {
  const at = (id: number, atMs: number, revision: number, serializable = false) =>
    ({ ...get(id, atMs, 9, serializable), input: { serializable, revision } }) as KvOperation;
  const found = (...operations: Operation[]) =>
    rules({ operations }).filter((rule) => rule !== 'dense');
  const compact = {
    ...{ id: 1, kind: 'compact', client: 3, member: 'm0', key: '', invokedMs: 10, returnedMs: 11 },
    ...{ input: { revision: 5, physical: false }, outcome: { ok: true, output: { revision: 9 } } },
  } as Operation;
  const txn = {
    ...{ id: 2, kind: 'txn', client: 0, member: 'm0', key: '', invokedMs: 20, returnedMs: 21 },
    input: { compares: [], success: [{ kind: 'get', key: 'a', revision: 4 }], failure: [] },
    outcome: {
      ok: true,
      output: { revision: 9, succeeded: true, steps: [{ kind: 'get', kv: undefined }] },
    },
  } as Operation;
  expect(found(compact, at(2, 20, 5))).toEqual([]);
  expect(found(compact, at(2, 20, 4))).toEqual(['compacted']);
  expect(found(compact, at(2, 10.5, 4))).toEqual([]);
  expect(found(compact, at(2, 20, 4, true))).toEqual([]);
  expect(found(compact, txn)).toEqual(['compacted']);
});
