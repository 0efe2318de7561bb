import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LmdbStateStore } from './lmdb-store.ts';
import type { StateView } from './types.ts';

let dir: string;
let store: LmdbStateStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-view-'));
  store = await LmdbStateStore.open(dir);
});
afterEach(async () => {
  await store.close().catch(() => {});
  await rm(dir, { recursive: true, force: true });
});

const LONG = Buffer.alloc(5000, 'long');

function write(value: string): void {
  for (const key of ['a', 'b', 'c']) store.put('current', Buffer.from(key), Buffer.from(value));
  store.put('current', LONG, Buffer.from(value));
  store.endBatch();
}

const values = (view: StateView): string[] =>
  Array.from(view.range('current', {}), ({ value }) => value.toString());

describe('a view', () => {
  it('stays as it was at the call, while writes and flushes go on', async () => {
    write('old');
    const opening = store.openView();
    write('new');
    store.delete('current', Buffer.from('b'));
    store.put('meta', Buffer.from('m'), Buffer.from('new'));
    const view = await opening;
    await store.flush();
    expect(values(view)).toEqual(['old', 'old', 'old', 'old']);
    expect(view.get('current', Buffer.from('b'))?.toString()).toBe('old');
    expect(view.get('current', LONG)?.toString()).toBe('old');
    expect(view.get('meta', Buffer.from('m'))).toBeUndefined();
    expect(view.get('current', Buffer.from('x'))).toBeUndefined();
    view.end();
    const next = await store.openView();
    expect(values(next)).toEqual(['new', 'new', 'new']);
    next.end();
    next.end();
  });

  it('can be read by several ranges at a time, over many turns, with bounds', async () => {
    write('v');
    const view = await store.openView();
    let pairs = 0;
    for (const outer of view.range('current', { gte: Buffer.from('b') })) {
      await new Promise(setImmediate);
      for (const inner of view.range('current', { gt: outer.key, reverse: true })) {
        expect(Buffer.compare(inner.key, outer.key)).toBe(1);
        pairs++;
        break;
      }
    }
    expect(pairs).toBe(2);
    view.end();
    expect(() => view.get('current', LONG)).toThrow('let go');
  });

  it('outlives a defragmentation, and the old file goes with it', async () => {
    write('v');
    const view = await store.openView();
    const rows = view.range('current', {})[Symbol.iterator]();
    rows.next();
    await store.defragment();
    expect(rows.next().value?.key.toString()).toBe('b');
    expect(values(view)).toHaveLength(4);
    view.end();
    await store.close();
    expect((await readdir(dir)).filter((name) => name.endsWith('.mdb'))).toHaveLength(1);
  });

  it('says so when the store is closed under it, and never more than eight are open', async () => {
    write('v');
    const views = await Promise.all(Array.from({ length: 8 }, () => store.openView()));
    await expect(store.openView()).rejects.toMatchObject({ code: 'StateBusy' });
    views[0]?.end();
    (await store.openView()).end();
    await store.close();
    expect(() => values(views[1] as StateView)).toThrow(
      expect.objectContaining({ code: 'StateClosed' }),
    );
  });
});
