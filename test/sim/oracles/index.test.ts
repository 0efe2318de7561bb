import { expect, test } from 'vitest';
import type { MemberObservation, Operation } from '../history.ts';
import { checkHistory } from './index.ts';
import { emptyHistory, legalHistory } from './testing/histories.ts';

test('nothing recorded is nothing to complain of', () => {
  expect(checkHistory(emptyHistory())).toEqual([]);
});

test('every oracle is asked', () => {
  const shape = { seed: 4, operations: 150, keys: 3, clients: 4, unknownPercent: 5 };
  const { history } = legalHistory({ ...shape, watched: true });
  expect(checkHistory(history)).toEqual([]);
  const spoil = (kind: string, change: (operation: Operation) => void) => {
    const isIt = (one: Operation) => one.kind === kind && one.outcome.ok;
    change(history.operations.findLast(isIt) as Operation);
  };
  spoil('put', ({ outcome }) => {
    if (outcome.ok) outcome.output.revision = 2;
  });
  spoil('range', ({ outcome }) => {
    if (outcome.ok && 'kvs' in outcome.output) outcome.output.kvs.pop();
  });
  const isLagging = (one: Operation) =>
    one.kind === 'get' && one.input.serializable && one.outcome.ok;
  const lagging = history.operations.findLast(isLagging) as Operation;
  if (lagging.outcome.ok) lagging.outcome.output.revision = 100_000;
  history.watches[0]?.items.splice(5, 1);
  const raised = [{ member: 'm0', alarm: 'NOSPACE' }];
  const seen = { atMs: 1, member: 'm0', role: 'follower', applied: 2, commit: 1, alarms: raised };
  history.observations = [seen as unknown as MemberObservation];
  history.final = {
    ...{ atMs: 9, revision: 2, leases: [], hashes: [] },
    kvs: [{ key: 'a', value: '', createRevision: 1, modRevision: 1, version: 1, lease: '7' }],
  };
  const oracles = new Set(checkHistory(history).map(({ oracle }) => oracle));
  const all = [
    'raft',
    'revisions',
    'linearizable',
    'serializable-reads',
    'watch',
    'lease',
    'quota',
  ];
  expect([...oracles].sort()).toEqual(all.sort());
});
