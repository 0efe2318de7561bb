import { expect, it } from 'vitest';
import { clusterTone, monogram, quorumOf } from './health.ts';

it('stands for a cluster with two letters', () => {
  expect(['dev', 'prod-eu', 'raft lab', 'x', '集群一'].map(monogram)).toEqual([
    'De',
    'Pe',
    'Rl',
    'X',
    '集群',
  ]);
});

it('needs a majority', () => {
  expect([1, 2, 3, 4, 5, 7].map(quorumOf)).toEqual([1, 2, 2, 3, 3, 4]);
});

it('an alarm is trouble even where the members are well', () => {
  const cluster = {
    id: 'c',
    name: 'c',
    kind: 'remote',
    endpoints: [],
    nodeCount: 3,
    upCount: 3,
    health: 'healthy',
    alarms: ['NOSPACE'],
  } as const;
  expect(clusterTone({ ...cluster, endpoints: [], alarms: ['NOSPACE'] })).toBe('danger');
  expect(clusterTone({ ...cluster, endpoints: [], alarms: [] })).toBe('ok');
});
