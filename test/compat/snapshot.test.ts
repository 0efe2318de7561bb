import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  LeaseTimeToLiveRequest,
  RequestOp,
  SnapshotRequest,
  type SnapshotResponse,
} from '../../src-main/proto/etcd/rpc.ts';
import { onPath, removeDir, tempDir, until } from '../support/cluster.ts';
import { call, failure, type GrpcClients, WatchCall, withClients } from './support/grpc.ts';
import { mask } from './support/mask.ts';
import { saveSnapshot, snapshotStatus, startRestored } from './support/restored.ts';
import { startTarget, type Target } from './support/targets.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const putOp = (key: string, value: string): RequestOp =>
  RequestOp.fromPartial({
    request: { $case: 'requestPut', value: { key: bytes(key), value: bytes(value) } },
  });

let dir: string;
const running: Target[] = [];
beforeAll(() => {
  dir = tempDir();
});
afterEach(async () => {
  for (const target of running.splice(0)) await target.stop();
});
afterAll(() => removeDir(dir));

/** What was written for clients that save a snapshot and is still there. */
function leftovers(target: Target): string[] {
  return readdirSync(join(target.dataDir, 'member')).filter((name) => name.startsWith('client-'));
}

async function startOurs(): Promise<Target> {
  const target = await startTarget('raftdeck');
  running.push(target);
  return target;
}

/** Puts many keys, a hundred in a transaction. */
async function fill(clients: GrpcClients, keys: number, value: string): Promise<void> {
  for (let i = 0; i < keys; i += 100) {
    const success = Array.from({ length: 100 }, (_, k) => putOp(`/many/${i + k}`, value));
    await clients.txn({ success });
  }
}

/** All that a client can read: every revision that is left, leases with their keys, and the sums. */
async function everything(clients: GrpcClients, revisions: number[]): Promise<unknown> {
  const all = { key: Buffer.of(0), rangeEnd: Buffer.of(0) };
  const { header, count: keys } = await clients.range(all);
  const isEmpty = keys === 0;
  const ranges: unknown[] = [];
  for (const revision of revisions) {
    const { kvs, count } = await clients.range({ ...all, revision });
    const digest = createHash('sha256');
    for (const kv of kvs) digest.update(JSON.stringify(mask(kv, 0)));
    ranges.push({ revision, count, digest: digest.digest('hex') });
  }
  const { leases } = await call<{ leases: { ID: bigint }[] }>((...rest) =>
    clients.lease.leaseLeases({}, ...rest),
  );
  const ids = leases.map(({ ID }) => ID).sort((a, b) => (a < b ? -1 : 1));
  const held: unknown[] = [];
  for (const ID of ids) {
    const request = LeaseTimeToLiveRequest.fromPartial({ ID, keys: true });
    const { grantedTTL, keys } = await call<{ grantedTTL: number; keys: Buffer[] }>((...rest) =>
      clients.lease.leaseTimeToLive(request, ...rest),
    );
    held.push({ ID, grantedTTL, keys: keys.map((key) => key.toString('latin1')).sort() });
  }
  const { hash, compactRevision } = await clients.hashKv();
  const compacted = compactRevision < 2 ? [] : [await readAt(clients, compactRevision - 1)];
  // etcd before 3.4.34 counts a deletion at the compact revision if no key is left, and nowhere else.
  const sum = header?.revision === compactRevision && isEmpty ? undefined : hash;
  return { revision: header?.revision, ranges, held, sum, compactRevision, compacted };
}

const readAt = (clients: GrpcClients, revision: number) =>
  failure(clients.range({ key: bytes('a'), revision }));

/** The events from a revision on, as a watcher gets them. */
async function history(clients: GrpcClients, startRevision: number, count: number) {
  const watch = new WatchCall(clients);
  watch.send({
    requestUnion: {
      $case: 'createRequest',
      value: { key: Buffer.of(0), rangeEnd: Buffer.of(0), startRevision, prevKv: true },
    },
  });
  const events = await watch.events(count);
  watch.close();
  return events.map((event) => mask(event, 0));
}

/** Saves, checks and restores ours, and compares what the real etcd then serves. */
async function proveRestored(
  ours: Target,
  revisions: number[],
  also: (clients: GrpcClients) => Promise<unknown> = async () => undefined,
): Promise<{ path: string; restored: Target }> {
  const path = await saveSnapshot(ours, dir);
  const status = await snapshotStatus(path);
  const expected = await withClients(ours, async (clients) => [
    await everything(clients, revisions),
    await also(clients),
  ]);
  const restored = await startRestored(path);
  running.push(restored);
  const actual = await withClients(restored, async (clients) => [
    await everything(clients, revisions),
    await also(clients),
  ]);
  expect(actual).toEqual(expected);
  expect(status.totalSize % 4096).toBe(0);
  const size = readFileSync(path).length;
  expect(size % 512).toBe(32);
  expect(leftovers(ours)).toEqual([]);
  return { path, restored };
}

const here = onPath('etcd') && onPath('etcdctl');
if (!here) console.warn('snapshots are not restored: there is no etcd or no etcdctl here');

describe.skipIf(!here)('a snapshot of ours, restored by etcdctl and served by etcd', () => {
  it('of an empty store', async () => {
    const ours = await startOurs();
    await proveRestored(ours, [0, 1]);
  });

  it('has keys of any bytes, old revisions, deletions, leases and large values', async () => {
    const ours = await startOurs();
    await withClients(ours, async (clients) => {
      await clients.grant(0x77n, 5_000); // no revision
      await clients.grant(0x7fff_ffff_ffff_ffffn, 600);
      await clients.set('a', '1'); // 2
      await clients.put({ key: bytes('a'), value: bytes('2'), lease: 0x77n });
      await clients.put({ key: bytes('\0'), value: bytes('\0\xff\0') });
      await clients.put({ key: bytes('\xff\xff'), value: Buffer.alloc(0), lease: 0x77n });
      await clients.set('k'.repeat(5_000), 'long key');
      await clients.set('large', 'v'.repeat(1024 * 1024)); // 7
      await clients.txn({ success: [putOp('x', '1'), putOp('y', '1'), putOp('a', '3')] });
      await clients.deleteRange({ key: bytes('x'), rangeEnd: bytes('z') }); // 9
      await clients.set('x', 'again');
      await clients.grant(0x5n, 600);
      await clients.revoke(0x5n);
      await clients.set('a', '4'); // 11
    });
    const revisions = [0, ...Array.from({ length: 11 }, (_, i) => i + 1)];
    const also = (clients: GrpcClients) => history(clients, 2, 13);
    const { restored } = await proveRestored(ours, revisions, also);
    // It goes on from there.
    await withClients(restored, async (clients) => {
      const { header, prevKv } = await clients.put({
        ...{ key: bytes('a'), value: bytes('5'), prevKv: true },
      });
      expect(header?.revision).toBe(12);
      expect(prevKv).toMatchObject({ version: 4, createRevision: 2 });
      await clients.revoke(0x77n);
      expect((await clients.range({ key: bytes('\xff\xff') })).kvs).toEqual([]);
    });
  });

  it('has what a compaction left, and refuses what it took', async () => {
    const ours = await startOurs();
    await withClients(ours, async (clients) => {
      for (let i = 0; i < 10; i++) await clients.set(`k${i % 4}`, `${i}`); // 2 to 11
      await clients.deleteRange({ key: bytes('k0') }); // 12
      await clients.deleteRange({ key: bytes('k1') }); // 13
      await clients.set('k0', 'back'); // 14
      await clients.compact(12, true);
      expect(await readAt(clients, 11)).toMatchObject({ message: /has been compacted/ });
    });
    await proveRestored(ours, [0, 12, 13, 14], (clients) => history(clients, 13, 2));
  });

  it('keeps the revision when all that is newest was compacted away', async () => {
    const ours = await startOurs();
    await withClients(ours, async (clients) => {
      await clients.set('a', '1');
      await clients.set('b', '1');
      await clients.deleteRange({ key: Buffer.of(0), rangeEnd: Buffer.of(0) }); // 4
      await clients.compact(4, true);
    });
    const { restored } = await proveRestored(ours, [0, 4]);
    await withClients(restored, async (clients) => {
      expect((await clients.set('c', '1')).header?.revision).toBe(5);
    });
  });

  it('of thousands of keys, while the removal of compacted revisions runs', async () => {
    const ours = await startOurs();
    const revisions = await withClients(ours, async (clients) => {
      for (const value of ['first', 'second', 'third']) await fill(clients, 20_000, value);
      const revision = await clients.revision();
      await clients.compact(revision - 50, false);
      return [0, revision - 50, revision - 1];
    });
    const { path, restored } = await proveRestored(ours, revisions);
    // 20,000 as of the compaction, of which 5,000 were overwritten since.
    const { totalKey } = await snapshotStatus(path);
    expect(totalKey).toBeGreaterThanOrEqual(25_000);
    expect(totalKey).toBeLessThan(25_020);
    await withClients(restored, async (clients) => {
      await clients.deleteRange({ key: bytes('/many/'), rangeEnd: bytes('/many0') });
      await clients.compact(await clients.revision(), true);
      await call((...rest) => clients.maintenance.defragment({}, ...rest));
      await fill(clients, 1_000, 'anew');
      expect((await clients.range({ key: Buffer.of(0), rangeEnd: Buffer.of(0) })).count).toBe(
        1_000,
      );
    });
  });

  it('is refused by etcdctl if one byte of it is wrong', async () => {
    const ours = await startOurs();
    await withClients(ours, (clients) => clients.set('a', '1'));
    const path = await saveSnapshot(ours, dir);
    const file = readFileSync(path);
    file[file.length - 100] = 1;
    writeFileSync(path, file);
    await expect(startRestored(path)).rejects.toThrow('expected sha256');
  });
});

describe('the stream of a snapshot', () => {
  async function large(): Promise<Target> {
    const ours = await startOurs();
    await withClients(ours, async (clients) => {
      for (let i = 0; i < 24; i++) await clients.set(`large ${i}`, 'v'.repeat(1024 * 1024));
    });
    return ours;
  }

  it('counts down in chunks of 32 KiB and ends with its digest', async () => {
    const ours = await startOurs();
    await withClients(ours, async (clients) => {
      await clients.set('large', 'v'.repeat(300_000));
      const messages: SnapshotResponse[] = [];
      const stream = clients.maintenance.snapshot(SnapshotRequest.create());
      for await (const message of stream) messages.push(message as SnapshotResponse);
      const digest = messages.pop() as SnapshotResponse;
      const sizes = messages.map(({ blob }) => blob.length);
      expect(sizes.slice(0, -1).every((size) => size === 32 * 1024)).toBe(true);
      let left = sizes.reduce((sum, size) => sum + size, 0);
      for (const [i, { remainingBytes }] of messages.entries()) {
        left -= sizes[i] as number;
        expect(remainingBytes).toBe(left);
      }
      const hash = createHash('sha256');
      for (const { blob } of messages) hash.update(blob);
      expect(digest).toMatchObject({ remainingBytes: 0, blob: hash.digest() });
    });
    expect(leftovers(ours)).toEqual([]);
  });

  it('waits for a slow client, refuses a third one, and cleans up behind those that go away', async () => {
    const ours = await large();
    await withClients(ours, async (clients) => {
      const streams = [0, 1].map(() => {
        const stream = clients.maintenance.snapshot(SnapshotRequest.create());
        stream.on('error', () => {});
        stream.pause();
        return stream;
      });
      await until('two snapshots', () => (leftovers(ours).length === 2 ? true : undefined));
      const third = clients.maintenance.snapshot(SnapshotRequest.create());
      const refused = await new Promise((resolve) => {
        third.on('error', resolve);
        third.resume();
      });
      expect(refused).toMatchObject({ code: 2, details: 'etcdserver: too many requests' });
      // The node serves others while they stand still.
      await clients.set('meanwhile', '1');
      for (const stream of streams) stream.cancel();
      await until('nothing left', () => (leftovers(ours).length === 0 ? true : undefined));
    });
  });

  it('leaves nothing for good if the node is killed in the middle of it', async () => {
    const ours = await large();
    await withClients(ours, async (clients) => {
      const stream = clients.maintenance.snapshot(SnapshotRequest.create());
      stream.on('error', () => {});
      stream.pause();
      await until('a snapshot', () => (leftovers(ours).length === 1 ? true : undefined));
      await ours.killAndRestart();
    });
    expect(leftovers(ours)).toEqual([]);
  });
});
