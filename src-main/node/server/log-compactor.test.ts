import { expect, test } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { Cluster } from '../raft/testing/cluster.ts';
import { LogCompactor } from './log-compactor.ts';
import type { Persist } from './wal-writer.ts';

/** One member that has applied all of its log, and what its compactor had written. */
function setup(limits: { snapshotCount: number; maxLogBytes: number }) {
  const cluster = new Cluster({ voters: 1 });
  cluster.elect(1);
  const raft = cluster.raft(1);
  const calls: string[] = [];
  const written: Persist[] = [];
  const compactor = new LogCompactor(
    {
      ...limits,
      raft,
      state: raft,
      store: { flush: async () => void calls.push('flush') },
      wal: { releaseSegments: async () => void calls.push('release') },
      persist: async (item) => {
        calls.push('persist');
        written.push(item);
      },
      logger: silentLogger,
    },
    raft.appliedIndex,
  );
  const put = (bytes: number) => {
    cluster.node(1).act((node) => node.propose([Buffer.alloc(bytes)]));
    cluster.settle();
    return compactor.applied(raft.appliedIndex);
  };
  const base = () => raft.status().firstIndex - 1;
  return { raft, compactor, calls, written, put, base };
}

test('many entries: all but the last go, once the state is on disk and the log says so', async () => {
  const { raft, calls, written, put, base } = setup({ snapshotCount: 5, maxLogBytes: 1 << 20 });
  const before = base();
  for (let i = 0; i < 4; i++) await put(1);
  expect(calls).toEqual([]);
  for (let i = 0; i < 9; i++) await put(1);
  expect(calls.join()).toMatch(/flush,persist,release$/);
  expect(base()).toBeGreaterThan(before);
  expect(written.at(-1)?.batch.snapshot).toMatchObject({ index: base() });
  expect(raft.appliedIndex - base()).toBeGreaterThanOrEqual(5);
});

test('few entries that weigh much go early, and no more of them than is needed', async () => {
  const { raft, calls, put } = setup({ snapshotCount: 1_000, maxLogBytes: 10_000 });
  for (let i = 0; i < 9; i++) await put(1_000);
  expect(calls).toEqual([]);
  for (let i = 0; i < 30; i++) {
    await put(1_000);
    expect(raft.logBytes).toBeLessThan(10_000 + 1_100);
    expect(raft.logBytes).toBeGreaterThan(3_000);
  }
  expect(calls.filter((call) => call === 'persist').length).toBeGreaterThan(3);
  expect(calls.filter((call) => call === 'persist').length).toBeLessThan(10);
});

test('one entry that is too heavy alone makes no compaction with every other', async () => {
  const { raft, calls, put } = setup({ snapshotCount: 1_000, maxLogBytes: 10_000 });
  await put(50_000);
  expect(raft.logBytes).toBe(0);
  for (let i = 0; i < 50; i++) await put(10);
  expect(calls.filter((call) => call === 'flush')).toHaveLength(1);
});
