import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import type { CodedError } from '../../base/errors.ts';
import { LmdbStateStore, type LmdbStoreOptions } from './lmdb-store.ts';
import { TABLES } from './types.ts';

let dir: string;
let store: LmdbStateStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-store-'));
});
afterEach(async () => {
  await store.close().catch(() => {});
  await rm(dir, { recursive: true, force: true });
});

async function open(options: LmdbStoreOptions = {}): Promise<void> {
  store = await LmdbStateStore.open(dir, options);
}

async function reopen(options: LmdbStoreOptions = {}): Promise<void> {
  await store.close();
  await open(options);
}

/** What a crash now would leave: a copy of the folder, opened. */
async function afterCrash<T>(look: (copy: LmdbStateStore) => T): Promise<T> {
  const copyDir = await mkdtemp(join(tmpdir(), 'raftdeck-crash-'));
  try {
    // In one turn: a flush that runs may commit meanwhile, but not two of them, which could reuse
    // pages.
    for (const name of readdirSync(dir)) {
      if (name.endsWith('-lock') || name === 'LOCK') continue;
      writeFileSync(join(copyDir, name), readFileSync(join(dir, name)));
    }
    const copy = await LmdbStateStore.open(copyDir);
    try {
      return look(copy);
    } finally {
      await copy.close();
    }
  } finally {
    await rm(copyDir, { recursive: true, force: true });
  }
}

const put = (key: string, value: string) =>
  store.put('current', Buffer.from(key), Buffer.from(value));
const get = (key: string, from = store) => from.get('current', Buffer.from(key))?.toString();
const all = (from = store) =>
  [...from.range('current', {})].map(({ key, value }) => `${key}=${value}`);

async function refusal(promise: Promise<unknown>): Promise<CodedError> {
  return promise.then(
    () => expect.unreachable('it was not refused'),
    (error: CodedError) => error,
  );
}

/** A clock whose timers fire when the test says so. */
function manualClock(): Clock & { fire(): void; readonly armed: number } {
  const timers = new Set<() => void>();
  return {
    nowMs: () => 0,
    setTimer(_delayMs, callback) {
      timers.add(callback);
      return () => timers.delete(callback);
    },
    fire() {
      for (const timer of [...timers]) {
        timers.delete(timer);
        timer();
      }
    },
    get armed() {
      return timers.size;
    },
  };
}

const eventually = <T>(check: () => Promise<T> | T) => expect.poll(check, { timeout: 10_000 });

describe('flushing', () => {
  it('makes everything durable when flush resolves', async () => {
    await open({ clock: manualClock() });
    put('a', '1');
    store.put('meta', Buffer.from('applied'), Buffer.from('7'));
    store.endBatch();
    expect(await afterCrash((copy) => all(copy))).toEqual([]);
    await store.flush();
    expect(await afterCrash((copy) => all(copy))).toEqual(['a=1']);
    store.delete('current', Buffer.from('a'));
    await store.flush();
    expect(await afterCrash((copy) => all(copy))).toEqual([]);
    expect(await afterCrash((copy) => copy.get('meta', Buffer.from('applied'))?.toString())).toBe(
      '7',
    );
  });

  it('flushes by itself after enough rows, without the half batch behind them', async () => {
    await open({ clock: manualClock(), flushRows: 10 });
    for (let i = 0; i < 10; i++) put(`a${i}`, 'x');
    store.endBatch();
    put('half', 'x');
    await eventually(() => afterCrash((copy) => all(copy).length)).toBe(10);
    // Ten more rows, but no end of a batch: nothing of them may reach the disk.
    for (let i = 0; i < 10; i++) put(`b${i}`, 'x');
    await new Promise((resolve) => setImmediate(resolve));
    expect(await afterCrash((copy) => all(copy).length)).toBe(10);
    store.endBatch();
    await eventually(() => afterCrash((copy) => all(copy).length)).toBe(21);
  });

  it('leaves a half batch alone when a flush ends in its midst', async () => {
    await open({ clock: manualClock(), flushRows: 10 });
    for (let i = 0; i < 10; i++) put(`a${i}`, 'x');
    store.endBatch();
    // The flush runs; this batch is due for the next one, and another one begins before that.
    for (let i = 0; i < 10; i++) put(`b${i}`, 'x');
    store.endBatch();
    put('half', 'x');
    await eventually(() => afterCrash((copy) => all(copy).length)).toBe(10);
    for (let turn = 0; turn < 20; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(await afterCrash((copy) => all(copy).length)).toBe(10);
    }
    store.endBatch();
    await eventually(() => afterCrash((copy) => all(copy).length)).toBe(21);
  });

  it('flushes a small overlay when its time is up, at the end of a batch', async () => {
    const clock = manualClock();
    await open({ clock });
    put('a', '1');
    expect(clock.armed).toBe(0);
    store.endBatch();
    put('b', '2');
    clock.fire();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await afterCrash((copy) => all(copy))).toEqual([]);
    store.endBatch();
    await eventually(() => afterCrash((copy) => all(copy))).toEqual(['a=1', 'b=2']);
  });

  it('never shows a half batch after a crash', async () => {
    await open({ flushRows: 5, flushDelayMs: 1 });
    for (let batch = 1; batch <= 60; batch++) {
      for (const table of TABLES) {
        store.put(table, Buffer.from('batch'), Buffer.from(String(batch)));
      }
      store.endBatch();
      if (batch % 6 === 0) {
        const seen = await afterCrash((copy) =>
          TABLES.map((table) => copy.get(table, Buffer.from('batch'))?.toString()),
        );
        expect(new Set(seen).size).toBe(1);
      }
    }
  });

  it('takes many flushes at once', async () => {
    await open({ clock: manualClock() });
    const flushes = Array.from({ length: 50 }, (_, i) => {
      put(`k${String(i).padStart(2, '0')}`, 'v');
      return store.flush();
    });
    await Promise.all(flushes);
    expect(await afterCrash((copy) => all(copy).length)).toBe(50);
  });

  it('reads the newest of active layer, flushing layer and LMDB', async () => {
    await open({ clock: manualClock() });
    for (const key of ['a', 'b', 'c', 'd']) put(key, 'lmdb');
    await store.flush();
    for (const key of ['b', 'c']) put(key, 'flushing');
    store.delete('current', Buffer.from('d'));
    const flushed = store.flush();
    put('c', 'active');
    store.delete('current', Buffer.from('a'));
    put('e', 'active');
    expect(all()).toEqual(['b=flushing', 'c=active', 'e=active']);
    expect([get('a'), get('b'), get('c'), get('d')]).toEqual([
      undefined,
      'flushing',
      'active',
      undefined,
    ]);
    await flushed;
    expect(all()).toEqual(['b=flushing', 'c=active', 'e=active']);
  });

  it('asks to wait while the overlays hold too much', async () => {
    await open({ clock: manualClock(), overlayLimitBytes: 100_000 });
    store.put('current', Buffer.from('big'), Buffer.alloc(50_000));
    store.endBatch();
    expect(store.pressure).toBeUndefined();
    store.put('current', Buffer.from('big2'), Buffer.alloc(60_000));
    store.endBatch();
    expect(store.pressure).toBeDefined();
    await store.pressure;
    expect(store.pressure).toBeUndefined();
    expect(await afterCrash((copy) => copy.get('current', Buffer.from('big'))?.length)).toBe(
      50_000,
    );
  });

  it('catches a range that is read after a write', async () => {
    await open();
    put('a', '1');
    put('b', '2');
    const rows = store.range('current', {})[Symbol.iterator]();
    rows.next();
    put('c', '3');
    expect(() => rows.next()).toThrow('written to during a range');
    rows.return?.();
  });
});

describe('keys and values of any size', () => {
  it('takes keys and values above LMDB’s limits and the request limit', async () => {
    await open();
    const long = Buffer.alloc(1_600_000, 'k');
    const longer = Buffer.concat([long, Buffer.from([0])]);
    const value = Buffer.alloc(5_000_000, 'v');
    store.put('current', longer, Buffer.from('longer'));
    store.put('current', long, value);
    store.put('current', Buffer.alloc(0), Buffer.alloc(0));
    await reopen();
    expect(store.get('current', long)?.equals(value)).toBe(true);
    expect(store.get('current', longer)?.toString()).toBe('longer');
    expect(store.get('current', Buffer.alloc(0))).toEqual(Buffer.alloc(0));
    expect([...store.keys('current', {})].map((key) => key.length)).toEqual([
      0, 1_600_000, 1_600_001,
    ]);
    expect([...store.keys('current', { gt: long })].map((key) => key.length)).toEqual([1_600_001]);
    store.delete('current', long);
    await reopen();
    expect(store.get('current', long)).toBeUndefined();
    expect(store.get('current', longer)?.toString()).toBe('longer');
  });

  it('hands out buffers that stay as they are', async () => {
    await open();
    put('a', 'one');
    put('b', 'two');
    await store.flush();
    const a = store.get('current', Buffer.from('a'));
    const rows = [...store.range('current', {})];
    store.get('current', Buffer.from('b'));
    put('a', 'xxx');
    await store.flush();
    expect(a?.toString()).toBe('one');
    expect(rows.map(({ value }) => value.toString())).toEqual(['one', 'two']);
  });
});

describe('size and defragment', () => {
  async function fill(rows: number): Promise<void> {
    for (let i = 0; i < rows; i++) {
      store.put('current', Buffer.from(`key${i}`), Buffer.alloc(1000, i));
    }
    await store.flush();
  }

  it('counts the overlay at once, and pages when they are written', async () => {
    await open({ clock: manualClock() });
    const empty = store.size();
    store.put('current', Buffer.from('a'), Buffer.alloc(1_000_000));
    expect(store.size().inUseBytes).toBeGreaterThanOrEqual(empty.inUseBytes + 1_000_000);
    expect(store.size().fileBytes).toBeGreaterThanOrEqual(1_000_000);
    await store.flush();
    const { fileBytes, inUseBytes } = store.size();
    expect(inUseBytes).toBeGreaterThanOrEqual(1_000_000);
    expect(inUseBytes).toBeLessThan(1_200_000);
    expect(fileBytes).toBeGreaterThanOrEqual(inUseBytes);
  });

  it('frees pages by deletes and gives them back when defragmented', async () => {
    await open({ clock: manualClock() });
    await fill(3000);
    const full = store.size();
    for (let i = 10; i < 3000; i++) store.delete('current', Buffer.from(`key${i}`));
    await store.flush();
    const emptied = store.size();
    expect(emptied.fileBytes).toBeGreaterThanOrEqual(full.fileBytes);
    expect(emptied.inUseBytes).toBeLessThan(full.inUseBytes / 10);
    await store.defragment();
    expect(store.size().fileBytes).toBeLessThan(full.fileBytes / 10);
    expect(all()).toHaveLength(10);
    put('after', 'x');
    await reopen();
    expect(all()).toHaveLength(11);
    expect((await readdir(dir)).filter((name) => name.endsWith('.mdb'))).toEqual([
      'state-000002.mdb',
    ]);
  });

  // The package's LMDB ended the process here: in a compacted copy no page is free.
  it.each(['at once', 'after a restart'])('frees several large values %s', async (when) => {
    await open({ clock: manualClock() });
    for (let i = 0; i < 6; i++) {
      store.put('current', Buffer.from(`large${i}`), Buffer.alloc(500_000, i));
      await store.flush();
    }
    put('small', 'x');
    await store.flush();
    await store.defragment();
    if (when === 'after a restart') await reopen({ clock: manualClock() });
    for (let i = 0; i < 6; i++) store.delete('current', Buffer.from(`large${i}`));
    await store.flush();
    for (let i = 0; i < 20; i++) {
      put(`after${i}`, 'y'.repeat(300));
      await store.flush();
    }
    await reopen();
    expect(all()).toHaveLength(21);
  });

  it('takes reads and writes while it defragments', async () => {
    await open({ flushRows: 100 });
    await fill(2000);
    let done = false;
    const defragmented = store.defragment().then(() => {
      done = true;
    });
    for (let i = 0; !done; i++) {
      put(`during${i}`, String(i));
      store.endBatch();
      expect(get('during0')).toBe('0');
      expect(all().length).toBe(2001 + i);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await defragmented;
    const expected = all();
    await reopen();
    expect(all()).toEqual(expected);
  });

  it('leaves the old state or the new if it is cut short', async () => {
    await open({ clock: manualClock() });
    await fill(100);
    await store.close();
    const old = await readFile(join(dir, 'state-000001.mdb'));
    // Before the new file is in force.
    await writeFile(join(dir, 'state-000002.mdb'), old.subarray(0, 5000));
    await writeFile(join(dir, 'CURRENT.tmp'), 'state-0000');
    await open();
    expect(all()).toHaveLength(100);
    expect(await readdir(dir)).not.toContain('state-000002.mdb');
    // After that, before the old one is removed.
    await store.defragment();
    await store.close();
    await writeFile(join(dir, 'state-000001.mdb'), 'old');
    await open();
    expect(all()).toHaveLength(100);
    expect(await readdir(dir)).not.toContain('state-000001.mdb');
  });
});

describe('opening', () => {
  it('takes up a first start that was cut short', async () => {
    await writeFile(join(dir, 'state-000001.mdb'), '');
    await open();
    put('a', '1');
    await reopen();
    expect(all()).toEqual(['a=1']);
  });

  it('refuses what is no state', async () => {
    await open();
    await store.close();
    await writeFile(join(dir, 'state-000001.mdb'), Buffer.alloc(20_000, 'x'));
    expect((await refusal(LmdbStateStore.open(dir))).code).toBe('StateCorrupt');
    await rm(join(dir, 'state-000001.mdb'));
    expect((await refusal(LmdbStateStore.open(dir))).code).toBe('StateCorrupt');
    await rm(join(dir, 'CURRENT'));
    await writeFile(join(dir, 'state-000004.mdb'), '');
    expect((await refusal(LmdbStateStore.open(dir))).code).toBe('StateCorrupt');
    expect(await readdir(dir)).toContain('state-000004.mdb');
  });

  it('outlives a file that was cut short', async () => {
    await open({ clock: manualClock() });
    for (let i = 0; i < 500; i++) put(`key${i}`, 'v'.repeat(500));
    await store.flush();
    await store.close();
    const path = join(dir, 'state-000001.mdb');
    const content = await readFile(path);
    for (const part of [0.1, 0.5, 0.9]) {
      await writeFile(path, content.subarray(0, Math.floor(content.length * part)));
      // Where the damage shows depends on the page. It must be an error, never the end of the
      // process.
      const read = async () => {
        await open({ clock: manualClock() });
        return all().length;
      };
      await expect(read()).rejects.toThrow();
      await store.close().catch(() => {});
    }
  });

  it('refuses everything after it was closed', async () => {
    await open();
    await store.close();
    await store.close();
    expect(() => put('a', '1')).toThrow('closed');
    expect(() => get('a')).toThrow('closed');
    expect((await refusal(store.flush())).code).toBe('StateClosed');
  });
});

/**
 * Sets the largest file this process may write; the kernel then fails writes as a full disk would.
 */
function limitFileSize(limit: string): boolean {
  try {
    execFileSync('prlimit', [`--pid=${process.pid}`, `--fsize=${limit}:`]);
    return true;
  } catch {
    return false;
  }
}

describe('a disk that fails', () => {
  it.skipIf(process.platform !== 'linux')('gives up at a failed flush and says so', async () => {
    const failures: Error[] = [];
    await open({ clock: manualClock(), onFailure: (error) => failures.push(error) });
    put('safe', '1');
    await store.flush();
    expect(limitFileSize('300000')).toBe(true);
    try {
      store.put('current', Buffer.from('big'), Buffer.alloc(3_000_000));
      const error = await refusal(store.flush());
      expect(error.code).toBe('StateWriteFailed');
      expect(error.message).toContain(dir);
      expect(failures).toEqual([error]);
      expect(() => put('more', '2')).toThrow(error);
      expect(() => store.endBatch()).toThrow(error);
      expect(await refusal(store.flush())).toBe(error);
      expect(await refusal(store.defragment())).toBe(error);
      // Reads still see what was written.
      expect(get('safe')).toBe('1');
      expect(store.get('current', Buffer.from('big'))?.length).toBe(3_000_000);
      await store.close();
    } finally {
      limitFileSize('unlimited');
    }
    await open();
    expect(all()).toEqual(['safe=1']);
  });

  it.skipIf(process.platform !== 'linux')('keeps the old state when an import fails', async () => {
    await open({ clock: manualClock() });
    store.put('current', Buffer.from('big'), Buffer.alloc(3_000_000));
    const chunks: Buffer[] = [];
    for await (const chunk of store.exportSnapshot()) chunks.push(chunk);
    put('a', '1');
    const stream = async function* () {
      yield* chunks;
    };
    expect(limitFileSize('300000')).toBe(true);
    try {
      expect((await refusal(store.importSnapshot(stream()))).code).toBe('ImportFailed');
    } finally {
      limitFileSize('unlimited');
    }
    put('b', '2');
    await reopen();
    expect([...store.keys('current', {})].map(String)).toEqual(['a', 'b', 'big']);
  });

  it.skipIf(process.platform !== 'linux')(
    'keeps the old file when defragmenting fails',
    async () => {
      await open({ clock: manualClock() });
      store.put('current', Buffer.from('big'), Buffer.alloc(3_000_000));
      await store.flush();
      expect(limitFileSize('300000')).toBe(true);
      try {
        expect((await refusal(store.defragment())).code).toBe('DefragmentFailed');
      } finally {
        limitFileSize('unlimited');
      }
      put('a', '1');
      await reopen();
      expect(get('a')).toBe('1');
      expect(store.get('current', Buffer.from('big'))?.length).toBe(3_000_000);
    },
  );
});
