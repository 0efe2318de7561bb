import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { Machine, putOp } from '../apply/testing/machine.ts';
import { BoltFile } from '../bolt/reader.ts';
import { LmdbStateStore } from '../storage/lmdb-store.ts';
import { systemFiles } from '../wal/files.ts';
import {
  ClientSnapshots,
  MAX_CLIENT_SNAPSHOTS,
  SNAPSHOT_MESSAGE_BYTES,
} from './client-snapshots.ts';
import { StateHashes } from './state-hashes.ts';

let root: string;
let dir: string;
let store: LmdbStateStore;
let machine: Machine;
let snapshots: ClientSnapshots;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'raftdeck-client-snapshots-'));
  dir = join(root, 'member');
  await mkdir(dir);
  store = await LmdbStateStore.open(join(root, 'state'));
  machine = new Machine(store);
  for (let i = 0; i < 3000; i++) machine.put(`key ${i}`, 'value'.repeat(20));
  snapshots = new ClientSnapshots({
    dir,
    store,
    files: systemFiles,
    schedule: setImmediate,
    logger: silentLogger,
  });
});
afterEach(async () => {
  await store.close();
  await rm(root, { recursive: true, force: true });
});

const never = new AbortController().signal;

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) {
    expect(chunk.length).toBeLessThanOrEqual(SNAPSHOT_MESSAGE_BYTES);
    all.push(chunk);
  }
  expect(all.slice(0, -1).every(({ length }) => length === SNAPSHOT_MESSAGE_BYTES)).toBe(true);
  return Buffer.concat(all);
}

describe('snapshots for clients', () => {
  it('are the state of one moment, while writes go on, and leave nothing behind', async () => {
    const opening = snapshots.open(never);
    let written = false;
    const finished = opening.then(() => {
      written = true;
    });
    while (!written) {
      machine.txn({ success: [putOp({ key: 'first' }), putOp({ key: 'second' })] });
      await new Promise(setImmediate);
    }
    await finished;
    const snapshot = await opening;
    expect(await readdir(dir)).toHaveLength(1);
    const bytes = await collect(snapshot.chunks);
    expect(bytes.length).toBe(snapshot.bytes);
    await snapshot.close();
    await snapshot.close();
    expect(await readdir(dir)).toEqual([]);
    const path = join(root, 'saved');
    await writeFile(path, bytes);
    const file = await BoltFile.open(path);
    const rows = { key: 0, first: 0, second: 0 };
    for await (const { value } of file.rows('key')) {
      if (value.includes('first')) rows.first++;
      else if (value.includes('second')) rows.second++;
      else rows.key++;
    }
    await file.close();
    expect(rows.key).toBe(3000);
    expect(rows.first).toBe(rows.second);
    expect(rows.first).toBeLessThan(machine.state.revision - 3001);
  });

  it('are limited in number, and closing one makes room', async () => {
    const opened = await Promise.all(
      Array.from({ length: MAX_CLIENT_SNAPSHOTS }, () => snapshots.open(never)),
    );
    await expect(snapshots.open(never)).rejects.toMatchObject({ code: 'TooManyRequests' });
    expect(await readdir(dir)).toHaveLength(MAX_CLIENT_SNAPSHOTS);
    await opened[0]?.close();
    await (await snapshots.open(never)).close();
    for (const one of opened) await one.close();
    expect(await readdir(dir)).toEqual([]);
  });

  it('are given up while they are written if the client goes away', async () => {
    for (let i = 0; i < 2 * MAX_CLIENT_SNAPSHOTS; i++) {
      const abort = new AbortController();
      const opening = snapshots.open(abort.signal);
      abort.abort(new Error('gone'));
      await expect(opening).rejects.toThrow('gone');
      expect(await readdir(dir)).toEqual([]);
    }
    // No view is held: the store would refuse after eight of them.
    for (let i = 0; i < 8; i++) await store.openView();
  });

  it('fail with what the disk or the store says, and do not use up their number', async () => {
    await rm(dir, { recursive: true });
    for (let i = 0; i <= MAX_CLIENT_SNAPSHOTS; i++) {
      await expect(snapshots.open(never)).rejects.toMatchObject({ code: 'ENOENT' });
    }
    await mkdir(dir);
    const views = await Promise.all(Array.from({ length: 8 }, () => store.openView()));
    await expect(snapshots.open(never)).rejects.toMatchObject({ code: 'TooManyRequests' });
    for (const view of views) view.end();
    const opening = snapshots.open(never);
    await store.close();
    await expect(opening).rejects.toMatchObject({ code: 'Stopped' });
    expect(await readdir(dir)).toEqual([]);
  });

  it('that a crash left are removed at the next start, and nothing else is', async () => {
    for (const name of ['client-snapshot-1.db', 'client-snapshot-7.db', 'incoming-9.snapshot']) {
      await writeFile(join(dir, name), 'left');
    }
    await snapshots.removeLeftovers();
    expect(await readdir(dir)).toEqual(['incoming-9.snapshot']);
  });
});

describe('sums over the state', () => {
  it('are formed one by one, up to a limit of those that wait', async () => {
    const hashes = new StateHashes(store, setImmediate);
    const asked = Array.from({ length: 60 }, () =>
      hashes.kv(0).catch((error: { code: string }) => error.code),
    );
    const answers = await Promise.all(asked);
    const refused = answers.filter((answer) => answer === 'TooManyRequests');
    const sums = new Set(
      answers.flatMap((answer) => (typeof answer === 'string' ? [] : answer.hash)),
    );
    expect(sums.size).toBe(1);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(60);
    expect((await hashes.kv(0)).hash).toBe([...sums][0]);
  });

  it('go on after one that failed or that nobody waits for', async () => {
    const hashes = new StateHashes(store, setImmediate);
    const gone = AbortSignal.abort(new Error('gone'));
    const results = await Promise.allSettled([
      hashes.kv(99_999),
      hashes.state(gone),
      hashes.kv(0, gone),
      hashes.kv(0),
      hashes.state(),
    ]);
    const reasons = results.map((one) => (one.status === 'rejected' ? String(one.reason) : 'sum'));
    expect(reasons.slice(1)).toEqual(['Error: gone', 'Error: gone', 'sum', 'sum']);
    expect(reasons[0]).toContain('FutureRev');
  });
});
