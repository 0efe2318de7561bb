import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deleteOp, Machine, putOp } from '../apply/testing/machine.ts';
import { STORE_KINDS, type StoreHome } from '../apply/testing/stores.ts';
import type { StateStore, TableName } from '../storage/types.ts';
import { etcdBuckets } from './etcd-schema.ts';
import { restoreState } from './from-etcd.ts';
import { writeFileOf } from './testing/files.ts';

const LMDB = STORE_KINDS[1] as (typeof STORE_KINDS)[number];

let dir: string;
let path: string;
let source: StoreHome;
let target: StoreHome;
let machine: Machine;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-from-etcd-'));
  path = join(dir, 'db');
  source = await LMDB.home();
  target = await LMDB.home();
  machine = new Machine(await source.open());
});
afterEach(async () => {
  await source.dispose();
  await target.dispose();
  await rm(dir, { recursive: true, force: true });
});

async function save(): Promise<void> {
  await machine.store.flush();
  const view = await machine.store.openView();
  await writeFileOf(path, etcdBuckets(view, setImmediate)).finally(() => view.end());
}

const rows = (store: StateStore, table: TableName) =>
  Array.from(
    store.range(table, {}),
    ({ key, value }) => `${key.toString('hex')} ${value.toString('hex')}`,
  );

/** A life with everything in it: versions, deletions, several changes at a revision, leases. */
function live(): void {
  machine.grant(7n, 600);
  machine.grant(-8n, 60);
  machine.put('a', '1', { lease: 7n });
  machine.put('b\0c', 'zero', { lease: -8n });
  machine.put('a', '2');
  machine.put('gone', 'x', { lease: 7n });
  machine.delete('gone');
  machine.txn({ success: [putOp({ key: 'm1', value: 'v' }), putOp({ key: 'm2', value: 'v' })] });
  machine.txn({ success: [deleteOp({ key: 'm1' }), putOp({ key: 'm2', lease: 7n })] });
  machine.put('gone', 'again');
}

describe('restoring', () => {
  it('gives the very rows of the state that was saved', async () => {
    live();
    await save();
    const store = await target.open();
    const restored = await restoreState(store, path);
    expect(restored).toEqual({ revision: machine.put('later').revision - 1, keys: 4, leases: 2 });
    machine.delete('later');
    for (const table of ['leases', 'leaseKeys'] as const) {
      expect(rows(store, table)).toEqual(rows(machine.store, table));
    }
    // All but what was written after the snapshot.
    const before = (table: TableName) => rows(store, table).length;
    expect(rows(store, 'revisions')).toEqual(
      rows(machine.store, 'revisions').slice(0, before('revisions')),
    );
    expect(rows(store, 'current')).toEqual(rows(machine.store, 'current'));
  });

  it('goes on at the next revision, reads the past, and compacts', async () => {
    live();
    await save();
    const revision = 9;
    const store = await target.open();
    await restoreState(store, path);
    const again = new Machine(store);
    again.state.bootstrap(
      { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
      [],
      1,
      1,
    );
    expect(again.read('a', 'z')).toEqual(machine.read('a', 'z'));
    expect(again.read('a', '', { revision: 2 })).toEqual(['a=1']);
    expect(
      again.state
        .leases()
        .map(({ id }) => id)
        .sort(),
    ).toEqual([-8n, 7n].sort());
    expect(again.put('new').revision).toBe(revision + 1);
    again.compact(revision);
    again.compactAll();
    expect(again.read('a', 'z')).toEqual([...machine.read('a', 'z'), 'new=']);
    const versions = rows(store, 'revisions').length;
    // The four keys that are left, and what came after.
    expect(versions).toBe(5);
  });

  it('refuses reads below what was compacted before', async () => {
    live();
    machine.compact(5);
    machine.compactAll();
    await save();
    const store = await target.open();
    await restoreState(store, path);
    const again = new Machine(store);
    expect(() => again.read('a', '', { revision: 4 })).toThrow();
    expect(again.read('a', '', { revision: 5 })).toEqual(machine.read('a', '', { revision: 5 }));
  });

  it('takes an empty store', async () => {
    await save();
    const store = await target.open();
    expect(await restoreState(store, path)).toEqual({ revision: 1, keys: 0, leases: 0 });
  });

  it('refuses a wrong digest, a cut file, what is no database, and a half-filled state', async () => {
    live();
    await save();
    const whole = await readFile(path);
    const store = await target.open();
    await appendFile(path, Buffer.alloc(32));
    await expect(restoreState(store, path)).rejects.toMatchObject({ code: 'BoltInvalid' });
    await writeFile(path, whole.subarray(0, whole.length / 2));
    await expect(restoreState(store, path)).rejects.toMatchObject({ code: 'BoltInvalid' });
    await writeFile(path, 'no database');
    await expect(restoreState(store, path)).rejects.toMatchObject({ code: 'BoltInvalid' });
    expect(rows(store, 'meta')).toEqual([]);
    await writeFile(path, whole);
    await restoreState(store, path);
    await expect(restoreState(store, path)).rejects.toMatchObject({ code: 'RestoreCutShort' });
  });
});
