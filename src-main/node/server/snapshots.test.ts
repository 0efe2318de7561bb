import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { Message, MessageType } from '../../proto/raftdeck/raft.ts';
import { Cluster } from '../raft/testing/cluster.ts';
import { LmdbStateStore } from '../storage/lmdb-store.ts';
import { Snapshots } from './snapshots.ts';
import { systemDisk } from './system-io.ts';

let dir: string;
let store: LmdbStateStore;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'raftdeck-snapshots-'));
  store = await LmdbStateStore.open(dir);
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

test('while clients hold every view a member that lags waits, and nothing fails', async () => {
  const cluster = new Cluster({ voters: 1 });
  cluster.elect(1);
  const raft = cluster.raft(1);
  const told: Message[] = [];
  const snapshots = new Snapshots({
    ...{ dir, disk: systemDisk, clock: systemClock, store, state: raft, raft },
    step: (messages) => told.push(...messages),
    logger: silentLogger,
  });
  const ask = Message.fromPartial({ type: MessageType.SNAPSHOT, from: 1n, to: 2n });
  const sent: bigint[] = [];
  const send = async (to: bigint, _header: unknown, chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) expect(chunk.length).toBeGreaterThan(0);
    sent.push(to);
  };
  const views = await Promise.all(Array.from({ length: 8 }, () => store.openView()));
  snapshots.send(ask, send);
  const failed = { type: MessageType.SNAPSHOT_STATUS, from: 2n, reject: true };
  expect(told.splice(0)).toMatchObject([failed]);
  for (const view of views) view.end();
  // As Raft does with its next heartbeat.
  await expect
    .poll(() => {
      snapshots.send(ask, send);
      return sent;
    })
    .toEqual([2n]);
  expect(told.at(-1)).toMatchObject({ ...failed, reject: false });
});
