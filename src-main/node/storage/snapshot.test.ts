import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CodedError } from '../../base/errors.ts';
import { seededRandom } from '../../base/prng.ts';
import { LmdbStateStore } from './lmdb-store.ts';
import { SNAPSHOT_CHUNK_BYTES } from './snapshot-format.ts';
import { TABLES } from './types.ts';

let root: string;
const opened: LmdbStateStore[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'raftdeck-snapshot-'));
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close().catch(() => {});
  await rm(root, { recursive: true, force: true });
});

async function open(name: string): Promise<LmdbStateStore> {
  const store = await LmdbStateStore.open(join(root, name));
  opened.push(store);
  return store;
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) {
    expect(chunk.length).toBeLessThanOrEqual(SNAPSHOT_CHUNK_BYTES);
    all.push(chunk);
  }
  return Buffer.concat(all);
}

async function* pieces(stream: Buffer, size: number): AsyncIterable<Buffer> {
  for (let at = 0; at < stream.length; at += size) yield stream.subarray(at, at + size);
}

function contents(store: LmdbStateStore): string[] {
  return TABLES.flatMap((table) =>
    [...store.range(table, {})].map(
      ({ key, value }) => `${table} ${key.length}:${crc32(key)} ${value.length}:${crc32(value)}`,
    ),
  );
}

function fill(store: LmdbStateStore, seed: number, rows: number): void {
  const random = seededRandom(seed);
  for (let i = 0; i < rows; i++) {
    const table = TABLES[random.below(TABLES.length)] ?? 'meta';
    const keyBytes = random.below(50) === 0 ? 5000 : random.below(40);
    const key = Buffer.alloc(keyBytes, `${random.below(1000)}-`);
    store.put(table, key, Buffer.alloc(random.below(600), random.below(256)));
  }
  store.endBatch();
}

async function refusal(promise: Promise<unknown>): Promise<CodedError> {
  return promise.then(
    () => expect.unreachable('it was not refused'),
    (error: CodedError) => error,
  );
}

/**
 * The bytes of the example in README.md: two-digit hex numbers up to the first double blank of each
 * line.
 */
function exampleBytes(): Buffer {
  const readme = readFileSync(fileURLToPath(new URL('./README.md', import.meta.url)), 'utf8');
  const block = /```hex\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const digits = block
    .split('\n')
    .map((line) => (line.split(/ {2,}/)[0] ?? '').replaceAll(' ', ''));
  return Buffer.from(digits.join(''), 'hex');
}

describe('the snapshot format', () => {
  it('is that of the worked example, both ways', async () => {
    const store = await open('a');
    store.put('current', Buffer.from('foo'), Buffer.from('bar'));
    store.put('meta', Buffer.from('m'), Buffer.alloc(0));
    expect((await collect(store.exportSnapshot())).toString('hex')).toBe(
      exampleBytes().toString('hex'),
    );
    const other = await open('b');
    await other.importSnapshot(pieces(exampleBytes(), 1000));
    expect(contents(other)).toEqual(contents(store));
  });
});

describe('export', () => {
  it('is the state of the call, whatever is written and flushed meanwhile', async () => {
    const store = await open('a');
    fill(store, 1, 3000);
    await store.flush();
    fill(store, 2, 2000);
    const before = contents(store);
    const snapshot = store.exportSnapshot();
    fill(store, 3, 2000);
    await store.flush();
    const chunks: Buffer[] = [];
    for await (const chunk of snapshot) {
      chunks.push(chunk);
      for (const table of TABLES) store.delete(table, Buffer.alloc(3, `${chunks.length}-`));
      store.put('meta', Buffer.from(`during${chunks.length}`), Buffer.alloc(100));
      await store.flush();
    }
    expect(chunks.length).toBeGreaterThan(3);
    const other = await open('b');
    await other.importSnapshot(pieces(Buffer.concat(chunks), 777));
    expect(contents(other)).toEqual(before);
  });

  it('runs the event loop between chunks', async () => {
    const store = await open('a');
    for (let i = 0; i < 30; i++) store.put('current', Buffer.from([i]), Buffer.alloc(100_000));
    let turns = 0;
    let chunks = 0;
    const timer = setInterval(() => turns++, 0);
    for await (const _ of store.exportSnapshot()) chunks++;
    clearInterval(timer);
    expect(chunks).toBe(12);
    expect(turns).toBeGreaterThan(0);
  });

  it('lets go of its view when it is given up, read or not', async () => {
    const store = await open('a');
    fill(store, 1, 3000);
    for (let i = 0; i < 20; i++) {
      const unread = store.exportSnapshot()[Symbol.asyncIterator]();
      await unread.return?.();
      for await (const _ of store.exportSnapshot()) break;
    }
    await collect(store.exportSnapshot());
  });

  it('has a limit', async () => {
    const store = await open('a');
    const exports = Array.from({ length: 8 }, () => store.exportSnapshot());
    expect(() => store.exportSnapshot()).toThrow(expect.objectContaining({ code: 'StateBusy' }));
    for (const one of exports) await collect(one);
    await collect(store.exportSnapshot());
  });

  it('ends with an error when the store is closed meanwhile', async () => {
    const store = await open('a');
    fill(store, 1, 5000);
    const chunks = store.exportSnapshot()[Symbol.asyncIterator]();
    await chunks.next();
    const closed = store.close();
    const rest = async () => {
      while (!(await chunks.next()).done);
    };
    expect((await refusal(rest())).code).toBe('StateClosed');
    await closed;
  });

  it('outlives a defragmentation and an import', async () => {
    const store = await open('a');
    fill(store, 1, 5000);
    const before = contents(store);
    const source = await open('b');
    fill(source, 9, 100);
    const first = store.exportSnapshot();
    await store.defragment();
    const second = store.exportSnapshot();
    await store.importSnapshot(source.exportSnapshot());
    expect(contents(store)).toEqual(contents(source));
    const other = await open('c');
    for (const snapshot of [first, second]) {
      await other.importSnapshot(snapshot);
      expect(contents(other)).toEqual(before);
    }
    await store.close();
    expect((await readdir(join(root, 'a'))).filter((file) => file.endsWith('.mdb'))).toHaveLength(
      1,
    );
  });
});

describe('import', () => {
  it('replaces everything, what is only in memory, too, and is durable', async () => {
    const source = await open('a');
    fill(source, 1, 4000);
    const target = await open('b');
    fill(target, 2, 1000);
    await target.flush();
    fill(target, 3, 1000);
    await target.importSnapshot(source.exportSnapshot());
    expect(contents(target)).toEqual(contents(source));
    target.put('meta', Buffer.from('later'), Buffer.from('x'));
    await target.close();
    const again = await open('b');
    expect(contents(again).length).toBe(contents(source).length + 1);
  });

  it('takes any chunking', async () => {
    const source = await open('a');
    fill(source, 1, 60);
    const stream = await collect(source.exportSnapshot());
    const target = await open('b');
    for (const size of [1, 7, 4096, stream.length]) {
      await target.importSnapshot(pieces(stream, size));
      expect(contents(target)).toEqual(contents(source));
    }
  });

  it('takes no writes while it runs', async () => {
    const source = await open('a');
    fill(source, 1, 100);
    const target = await open('b');
    fill(target, 2, 100);
    const before = contents(target);
    const stream = await collect(source.exportSnapshot());
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* slow(): AsyncIterable<Buffer> {
      yield stream.subarray(0, 1000);
      await gate;
      yield stream.subarray(1000);
    }
    const imported = target.importSnapshot(slow());
    const busy = expect.objectContaining({ code: 'StateBusy' });
    expect(() => target.put('meta', Buffer.from('k'), Buffer.from('v'))).toThrow(busy);
    expect((await refusal(target.importSnapshot(slow()))).code).toBe('StateBusy');
    expect(contents(target)).toEqual(before);
    release();
    await imported;
    expect(contents(target)).toEqual(contents(source));
    target.put('meta', Buffer.from('k'), Buffer.from('v'));
  });

  it('refuses torn, corrupt and foreign streams and keeps the old state', async () => {
    const source = await open('a');
    fill(source, 1, 40);
    const stream = await collect(source.exportSnapshot());
    const target = await open('b');
    fill(target, 2, 100);
    const before = contents(target);
    const random = seededRandom(5);
    const bad: Buffer[] = [Buffer.alloc(0), Buffer.from('Dear diary'), Buffer.alloc(1000, 0x20)];
    for (let i = 0; i < 40; i++) {
      bad.push(stream.subarray(0, random.below(stream.length)));
      const flipped = Buffer.from(stream);
      const at = random.below(stream.length);
      flipped[at] = (flipped[at] as number) ^ (1 << random.below(8));
      bad.push(flipped);
    }
    bad.push(Buffer.concat([stream, Buffer.from([0])]));
    const newer = Buffer.from(stream);
    newer.writeUInt32LE(2, 8);
    bad.push(newer);
    for (const one of bad) {
      const error = await refusal(target.importSnapshot(pieces(one, 500)));
      expect(error.code).toBe('SnapshotInvalid');
    }
    expect(contents(target)).toEqual(before);
    await target.close();
    const again = await open('b');
    expect(contents(again)).toEqual(before);
    expect((await readdir(join(root, 'b'))).filter((file) => file.endsWith('.mdb'))).toHaveLength(
      1,
    );
  });

  it('keeps the old state when the stream itself fails', async () => {
    const target = await open('b');
    fill(target, 2, 100);
    const before = contents(target);
    async function* broken(): AsyncIterable<Buffer> {
      yield Buffer.from('RDST');
      throw new Error('connection lost');
    }
    expect((await refusal(target.importSnapshot(broken()))).message).toBe('connection lost');
    expect(contents(target)).toEqual(before);
    fill(target, 3, 100);
    await target.flush();
  });
});
