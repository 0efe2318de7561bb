import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compareBytes } from '../../base/bytes.ts';
import { seededRandom } from '../../base/prng.ts';
import {
  BRANCH_PAGE,
  decodeMetaPage,
  FREELIST_PAGE,
  LEAF_PAGE,
  PAGE_BYTES,
  readPageHeader,
} from './format.ts';
import { contentsOf, lineOf, writeFileOf } from './testing/files.ts';
import type { BoltRow } from './writer.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-bolt-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const row = (key: string, value: string): BoltRow => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
});

/** Bytes of one block in README.md: two-digit hex numbers up to the first triple blank of each line. */
function example(name: string): Buffer {
  const readme = readFileSync(fileURLToPath(new URL('./README.md', import.meta.url)), 'utf8');
  const block = readme.split(`\`\`\`hex ${name}\n`)[1]?.split('```')[0];
  if (block === undefined) throw new Error(`no example ${name}`);
  const digits = block.split('\n').map((line) => line.split('   ')[0]);
  return Buffer.from(digits.join('').replace(/ /g, ''), 'hex');
}

/** Children of every branch page. */
async function branchSizes(path: string): Promise<number[]> {
  const bytes = await readFile(path);
  const sizes: number[] = [];
  const pages = decodeMetaPage(bytes)?.pages ?? 0;
  for (let id = 2; id < pages; ) {
    const { flags, count, overflow } = readPageHeader(bytes.subarray(id * PAGE_BYTES));
    expect([BRANCH_PAGE, LEAF_PAGE, FREELIST_PAGE]).toContain(flags);
    if (flags === BRANCH_PAGE) sizes.push(count);
    id += overflow + 1;
  }
  return sizes;
}

describe('a bbolt file', () => {
  it('is laid out as README.md shows', async () => {
    const path = join(dir, 'example.db');
    expect(await writeFileOf(path, [{ name: 'b', rows: [row('k', 'hi')] }])).toBe(5 * PAGE_BYTES);
    const bytes = await readFile(path);
    expect(bytes.length).toBe(5 * PAGE_BYTES);
    for (let id = 0; id < 5; id++) {
      const expected = Buffer.alloc(PAGE_BYTES);
      example(`page ${id}`).copy(expected);
      const page = bytes.subarray(id * PAGE_BYTES, (id + 1) * PAGE_BYTES);
      expect(page.equals(expected), page.subarray(0, 96).toString('hex')).toBe(true);
    }
  });

  it('may hold no bucket, and a bucket no row', async () => {
    const path = join(dir, 'empty.db');
    await writeFileOf(path, []);
    expect(await contentsOf(path)).toEqual([]);
    await writeFileOf(
      path,
      ['a', 'b'].map((name) => ({ name, rows: [] })),
    );
    expect(await contentsOf(path)).toEqual([
      ['a', []],
      ['b', []],
    ]);
  });

  it('takes values and keys that are larger than a page', async () => {
    const path = join(dir, 'large.db');
    const rows = [1, 4079, 4080, 4081, 9000, 3_000_000].map((bytes, i) => ({
      key: Buffer.from(`key ${i}`),
      value: Buffer.alloc(bytes, i + 1),
    }));
    const keys = Array.from({ length: 40 }, (_, i) => ({
      key: Buffer.alloc(30_000, i + 1),
      value: Buffer.alloc(0),
    }));
    await writeFileOf(path, [
      { name: 'keys', rows: keys },
      { name: 'values', rows },
    ]);
    expect(await contentsOf(path)).toEqual([
      ['keys', keys.map(lineOf)],
      ['values', rows.map(lineOf)],
    ]);
    expect(Math.min(...(await branchSizes(path)))).toBeGreaterThanOrEqual(2);
  });

  it.each([1, 2, 3])('gives back what was written, seed %i', async (seed) => {
    const random = seededRandom(seed);
    const path = join(dir, 'random.db');
    const buckets = Array.from({ length: 4 }, (_, bucket) => {
      const keys = new Map<string, Buffer>();
      const count = random.below([2, 20, 700, 12_000][bucket] as number);
      const longest = 1 + random.below(bucket < 2 ? 3000 : 40);
      for (let i = 0; i < count; i++) {
        const key = Buffer.from(`${random.below(1_000_000)}`.padEnd(1 + random.below(longest)));
        keys.set(key.toString('latin1'), key);
      }
      const rows = [...keys.values()]
        .sort(compareBytes)
        .map((key) => ({ key, value: Buffer.alloc(random.below(300), random.below(256)) }));
      return { name: `bucket ${bucket}`, rows };
    });
    await writeFileOf(path, buckets);
    const expected = buckets.map(({ name, rows }) => [name, rows.map(lineOf)]);
    expect(await contentsOf(path)).toEqual(expected);
    for (const size of await branchSizes(path)) expect(size).toBeGreaterThanOrEqual(2);
  });

  it('never has a branch of one child, whatever the number of leaves', async () => {
    const path = join(dir, 'branches.db');
    // One row fills a leaf, and about 20 such keys a branch.
    const rowsOf = (leaves: number) =>
      Array.from({ length: leaves }, (_, i) => ({
        key: Buffer.from(`${i}`.padStart(180, '0')),
        value: Buffer.alloc(3900),
      }));
    for (const leaves of [1, 2, 3, 19, 20, 21, 22, 23, 40, 41, 42, 43, 399, 400, 401, 441]) {
      await writeFileOf(path, [{ name: 'b', rows: rowsOf(leaves) }]);
      const sizes = await branchSizes(path);
      expect(Math.min(2, ...sizes), `${leaves} leaves: ${sizes}`).toBe(2);
      expect((await contentsOf(path))[0]?.[1]).toHaveLength(leaves);
    }
  });

  it('refuses rows and buckets out of order, and keys that bbolt cannot hold', async () => {
    const path = join(dir, 'refused.db');
    const write = (rows: BoltRow[]) => writeFileOf(path, [{ name: 'b', rows }]);
    await expect(write([row('b', ''), row('a', '')])).rejects.toThrow('out of order');
    await expect(write([row('a', ''), row('a', '')])).rejects.toThrow('out of order');
    await expect(write([row('', '')])).rejects.toThrow('a key of 0 bytes');
    await expect(write([row('k'.repeat(32_769), '')])).rejects.toThrow('a key of 32769 bytes');
    const buckets = ['b', 'a'].map((name) => ({ name, rows: [] }));
    await expect(writeFileOf(path, buckets)).rejects.toThrow('out of order');
  });

  it('lets the failure of a source through', async () => {
    async function* rows(): AsyncGenerator<BoltRow> {
      yield row('a', '');
      throw new Error('the source failed');
    }
    const buckets = [{ name: 'b', rows: rows() }];
    await expect(writeFileOf(join(dir, 'x.db'), buckets)).rejects.toThrow('the source failed');
  });
});
