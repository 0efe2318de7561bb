import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BRANCH_PAGE,
  BUCKET_FLAG,
  encodeMetaPage,
  FREELIST_PAGE,
  LEAF_PAGE,
  PAGE_BYTES,
  writePageHeader,
} from './format.ts';
import { BoltFile } from './reader.ts';
import { contentsOf, lineOf, writeFileOf } from './testing/files.ts';

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-bolt-'));
  path = join(dir, 'db');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const invalid = { code: 'BoltInvalid' };

/** 600 rows on three levels; answers the file's bytes. */
async function sample(): Promise<Buffer> {
  const rows = Array.from({ length: 600 }, (_, i) => ({
    key: Buffer.from(`key ${i}`.padStart(200)),
    value: Buffer.alloc(i === 300 ? 10_000 : 1500, i),
  }));
  await writeFileOf(path, [
    { name: 'a', rows },
    { name: 'b', rows: [] },
  ]);
  return readFile(path);
}

async function readAll(bytes: Buffer): Promise<[string, string[]][]> {
  await writeFile(path, bytes);
  return contentsOf(path);
}

describe('reading a bbolt file', () => {
  it('refuses one that is cut short, empty, or something else', async () => {
    const bytes = await sample();
    for (const length of [0, 10, 79, PAGE_BYTES, bytes.length - 1]) {
      await expect(readAll(bytes.subarray(0, length))).rejects.toMatchObject(invalid);
    }
    await expect(readAll(Buffer.alloc(bytes.length))).rejects.toMatchObject(invalid);
    await expect(readAll(Buffer.alloc(bytes.length, 'text '))).rejects.toThrow('bbolt database');
    await expect(BoltFile.open(join(dir, 'missing'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('goes on with the other meta page if one is torn, and takes the newer one', async () => {
    const bytes = await sample();
    const whole = await readAll(bytes);
    for (const page of [0, 1]) {
      const torn = Buffer.from(bytes);
      torn.fill(0, page * PAGE_BYTES + 40, page * PAGE_BYTES + 60);
      expect(await readAll(torn)).toEqual(whole);
    }
    const both = Buffer.from(bytes);
    both[30] = 1;
    both[PAGE_BYTES + 30] = 1;
    await expect(readAll(both)).rejects.toMatchObject(invalid);
    // A newer meta whose root is a page that holds no tree.
    const newer = Buffer.from(bytes);
    const pages = bytes.length / PAGE_BYTES;
    const meta = { pageBytes: PAGE_BYTES, rootPage: 2, freelistPage: 2, pages, transaction: 7 };
    encodeMetaPage(1, meta).copy(newer, PAGE_BYTES);
    await expect(readAll(newer)).rejects.toThrow('page 2 is not what it should be');
  });

  it('finds damage to the head of any page, and never reads beyond one', async () => {
    const bytes = await sample();
    const pages = bytes.length / PAGE_BYTES;
    // Some leaves, and the branches, which come last.
    const chosen = Array.from({ length: pages }, (_, i) => i).filter((page) => {
      const start = page * PAGE_BYTES;
      const isHead = bytes.readBigUInt64LE(start) === BigInt(page);
      return isHead && bytes.readUInt16LE(start + 10) > 0 && (page % 61 === 3 || page > pages - 9);
    });
    expect(chosen.length).toBeGreaterThan(8);
    for (const page of chosen) {
      const start = page * PAGE_BYTES;
      for (const at of [0, 8, 11, 15, 16, 19, 23, 27, 31]) {
        const damaged = Buffer.from(bytes);
        damaged[start + at] = (damaged[start + at] as number) ^ 0xff;
        const failure = await readAll(damaged).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure !== undefined) expect(failure).toMatchObject(invalid);
        // Flags of an element may be anything; the rest would name bytes beyond the page.
        if (at !== 16 && at !== 19) expect(failure, `page ${page}, byte ${at}`).toBeDefined();
      }
    }
  });

  it('does not follow a tree in circles', async () => {
    const bytes = await sample();
    const root = bytes.readBigUInt64LE(32);
    const value = Number(root) * PAGE_BYTES + 16 + 32 + 1;
    const tree = Number(bytes.readBigUInt64LE(value));
    // The first child of the bucket's root is the root itself.
    bytes.writeBigUInt64LE(BigInt(tree), tree * PAGE_BYTES + 16 + 8);
    await expect(readAll(bytes)).rejects.toThrow('a tree without end');
  });

  it('names a bucket that is missing', async () => {
    await sample();
    const file = await BoltFile.open(path);
    expect(await file.buckets()).toEqual(['a', 'b']);
    await expect(file.rows('key').next()).rejects.toMatchObject({ code: 'BoltNoBucket' });
    await file.close();
  });

  it('reads small buckets that stand in their own value, and pages of another size', async () => {
    const size = 16_384;
    const inner = Buffer.alloc(16 + 16 + 16 + 2);
    writePageHeader(inner.subarray(16), { id: 0, flags: LEAF_PAGE, count: 1, overflow: 0 });
    for (const [i, field] of [0, 16, 1, 1].entries()) inner.writeUInt32LE(field, 32 + 4 * i);
    inner.write('kv', 48);
    const root = Buffer.alloc(size);
    writePageHeader(root, { id: 3, flags: LEAF_PAGE, count: 1, overflow: 0 });
    for (const [i, n] of [BUCKET_FLAG, 16, 1, inner.length].entries()) {
      root.writeUInt32LE(n, 16 + 4 * i);
    }
    root.write('b', 32);
    inner.copy(root, 33);
    const freelist = Buffer.alloc(size);
    writePageHeader(freelist, { id: 2, flags: FREELIST_PAGE, count: 0, overflow: 0 });
    const meta = (page: number) =>
      encodeMetaPage(page, {
        ...{ pageBytes: size, rootPage: 3, freelistPage: 2, pages: 4 },
        transaction: page,
      });
    const read = await readAll(Buffer.concat([meta(0), meta(1), freelist, root]));
    const row = { key: Buffer.from('k'), value: Buffer.from('v') };
    expect(read).toEqual([['b', [lineOf(row)]]]);
  });
});

describe('the digest behind a snapshot', () => {
  const check = async (bytes: Buffer): Promise<void> => {
    await writeFile(path, bytes);
    const file = await BoltFile.open(path);
    await file.checkDigest().finally(() => file.close());
  };

  it('is found and checked', async () => {
    const bytes = await sample();
    const digest = createHash('sha256').update(bytes).digest();
    await check(Buffer.concat([bytes, digest]));
    await expect(check(bytes)).rejects.toThrow('no digest');
    const wrong = Buffer.concat([bytes, digest]);
    wrong[PAGE_BYTES * 3 + 2000] = 0xff;
    await expect(check(wrong)).rejects.toThrow('digest does not match');
  });

  it('refuses a few pages that stand for more than anybody could walk', async () => {
    // Each page has two children, both the next one: 2^28 ways to the leaf, which has no rows.
    const levels = 28;
    const root = 2;
    const pages = root + levels + 1;
    const bytes = Buffer.alloc(pages * PAGE_BYTES);
    const meta = { pageBytes: PAGE_BYTES, rootPage: root, freelistPage: 0, pages, transaction: 1 };
    for (const page of [0, 1]) encodeMetaPage(page, meta).copy(bytes, page * PAGE_BYTES);
    for (let id = root; id < root + levels; id++) {
      const page = bytes.subarray(id * PAGE_BYTES, (id + 1) * PAGE_BYTES);
      writePageHeader(page, { id, flags: BRANCH_PAGE, count: 2, overflow: 0 });
      for (const at of [16, 32]) {
        page.writeUInt32LE(48 - at, at);
        page.writeUInt32LE(1, at + 4);
        page.writeBigUInt64LE(BigInt(id + 1), at + 8);
      }
    }
    const leaf = { id: root + levels, flags: LEAF_PAGE, count: 0, overflow: 0 };
    writePageHeader(bytes.subarray(leaf.id * PAGE_BYTES), leaf);
    await expect(readAll(bytes)).rejects.toThrow(/a page that comes twice/);
  });
});
