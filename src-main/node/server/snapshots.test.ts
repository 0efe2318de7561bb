import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { Message, MessageType } from '../../proto/raftdeck/raft.ts';
import { Cluster } from '../raft/testing/cluster.ts';
import { LmdbStateStore, MAX_VIEWS } from '../storage/lmdb-store.ts';
import { RaftEvents } from './raft-events.ts';
import { type SnapshotSender, Snapshots } from './snapshots.ts';
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

interface Setup {
  snapshots: Snapshots;
  told: Message[];
  events: RaftEvents;
  /** Raft asks for a snapshot for another member. */
  ask(way: SnapshotSender): void;
}

/** `pendingSnapshot`: the index of what Raft is said to have taken. */
function setup(pendingSnapshot?: number): Setup {
  const cluster = new Cluster({ voters: 1 });
  cluster.elect(1);
  const raft = cluster.raft(1);
  const told: Message[] = [];
  const events = new RaftEvents(() => 0);
  const snapshots = new Snapshots({
    ...{ dir, disk: systemDisk, clock: systemClock, store, state: raft },
    raft: { pendingSnapshot, snapshotMeta: (index) => raft.snapshotMeta(index) },
    step: (messages) => told.push(...messages),
    logger: silentLogger,
    events,
  });
  const message = Message.fromPartial({ type: MessageType.SNAPSHOT, from: 1n, to: 2n });
  return { snapshots, told, events, ask: (way) => snapshots.send(message, way) };
}

async function openViews(count: number): Promise<void> {
  const views = await Promise.all(Array.from({ length: count }, () => store.openView()));
  for (const view of views) view.end();
}

test('the view of the state ends with the sending, also where there is no way to the member', async () => {
  const { told, ask } = setup();
  const ways: SnapshotSender[] = [
    () => Promise.reject(new Error('refused')),
    async (_to, _header, chunks) => {
      for await (const chunk of chunks) throw new Error(`lost after ${chunk.length} bytes`);
    },
  ];
  for (const way of ways) {
    for (let times = 1; times <= MAX_VIEWS; times++) {
      ask(way);
      await expect.poll(() => told.length).toBe(1);
      expect(told.pop()).toMatchObject({ reject: true });
    }
    await expect.poll(() => openViews(MAX_VIEWS).then(() => 'all', String)).toBe('all');
  }
});

test('while clients hold every view a member that lags waits, and nothing fails', async () => {
  const { told, ask } = setup();
  const sent: bigint[] = [];
  const send: SnapshotSender = async (to, _header, chunks) => {
    for await (const chunk of chunks) expect(chunk.length).toBeGreaterThan(0);
    sent.push(to);
  };
  const views = await Promise.all(Array.from({ length: MAX_VIEWS }, () => store.openView()));
  ask(send);
  const failed = { type: MessageType.SNAPSHOT_STATUS, from: 2n, reject: true };
  expect(told.splice(0)).toMatchObject([failed]);
  for (const view of views) view.end();
  // As Raft does with its next heartbeat.
  await expect
    .poll(() => {
      ask(send);
      return sent;
    })
    .toEqual([2n]);
  expect(told.at(-1)).toMatchObject({ ...failed, reject: false });
});

test('nobody reads the new state before all know that it is replaced', async () => {
  const { snapshots, told } = setup(9);
  const source = await LmdbStateStore.open(join(dir, 'source'));
  const key = Buffer.from('k');
  source.put('meta', key, Buffer.from('new'));
  store.put('meta', key, Buffer.from('old'));
  // Enough that closing and removing the old file takes its time.
  for (let i = 0; i < 2_000; i++) store.put('meta', Buffer.from(`fill${i}`), Buffer.alloc(1_000));
  await Promise.all([source.flush(), store.flush()]);
  const meta = { index: 9, term: 2, confState: undefined };
  const message = Message.fromPartial({ type: MessageType.SNAPSHOT, from: 2n, snapshot: meta });
  const received = snapshots.receive(2n, { group: 0, message }, source.exportSnapshot());
  await expect.poll(() => told.length).toBe(1);
  let isReplaced = false;
  let isOver = false;
  const seen = new Set<string>();
  const look = () => {
    seen.add(`${store.get('meta', key)}, ${isReplaced ? 'known' : 'not known'}`);
    if (!isOver) setImmediate(look);
  };
  look();
  await snapshots.install(meta, () => {
    isReplaced = true;
  });
  isOver = true;
  await received;
  look();
  expect([...seen]).toEqual(['old, not known', 'new, known']);
  await source.close();
});
