import { expect, test } from 'vitest';
import { AlarmType } from '../../proto/etcd/rpc.ts';
import { nodeStatus } from './node-status.ts';

const raft = { leader: 2n, term: 9, commit: 12 };

test('commit and applied index are what Raft and the state say', () => {
  expect(nodeStatus(raft, { appliedIndex: 10, alarms: [] }, true)).toEqual({
    ...{ leader: 2n, raftTerm: 9, commitIndex: 12, appliedIndex: 10, isLearner: true, errors: [] },
  });
});

test('while a snapshot is in place that Raft has not heard of, what it holds counts as committed', () => {
  const joined = { ...raft, commit: 0 };
  const status = nodeStatus(joined, { appliedIndex: 493, alarms: [] }, false);
  expect(status).toMatchObject({ commitIndex: 493, appliedIndex: 493 });
});

test('alarms and the lack of a leader are worded as etcd does', () => {
  const alarms = [
    { memberID: 26n, alarm: AlarmType.NOSPACE },
    { memberID: 27n, alarm: AlarmType.CORRUPT },
  ];
  expect(nodeStatus({ ...raft, leader: 0n }, { appliedIndex: 1, alarms }, false).errors).toEqual([
    'etcdserver: no leader',
    'memberID:26 alarm:NOSPACE ',
    'memberID:27 alarm:CORRUPT ',
  ]);
});
