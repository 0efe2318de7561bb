import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../base/prng.ts';
import { LmdbStateStore } from './lmdb-store.ts';
import { CHUNK_BYTES } from './physical-keys.ts';
import { type RangeBounds, type Row, TABLES, type TableName } from './types.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-store-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** The plain model: one sorted array per table. */
class Model {
  readonly #rows = new Map<TableName, Row[]>();

  #table(table: TableName): Row[] {
    const rows = this.#rows.get(table) ?? [];
    this.#rows.set(table, rows);
    return rows;
  }

  set(table: TableName, key: Buffer, value: Buffer | undefined): void {
    const rows = this.#table(table);
    const at = rows.findIndex((row) => row.key.equals(key));
    if (at >= 0) rows.splice(at, 1);
    if (value !== undefined) rows.push({ key, value });
    rows.sort((a, b) => Buffer.compare(a.key, b.key));
  }

  get(table: TableName, key: Buffer): Buffer | undefined {
    return this.#table(table).find((row) => row.key.equals(key))?.value;
  }

  range(table: TableName, { gte, gt, lt, lte, reverse }: RangeBounds): Row[] {
    const rows = this.#table(table).filter(
      ({ key }) =>
        (gte === undefined || Buffer.compare(key, gte) >= 0) &&
        (gt === undefined || Buffer.compare(key, gt) > 0) &&
        (lt === undefined || Buffer.compare(key, lt) < 0) &&
        (lte === undefined || Buffer.compare(key, lte) <= 0),
    );
    return reverse ? rows.reverse() : rows;
  }
}

const LENGTHS = [0, 1, 2, 3, 8, 1977, 1978, 1979, 1980, 6000].concat(
  [1, 2, 3].flatMap((chunks) => [-1, 0, 1].map((off) => chunks * CHUNK_BYTES + off)),
);
const BYTES = [0x00, 0x01, 0x61, 0xfe, 0xff];

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

/** Keys of few different bytes: they share long prefixes, and one is often the start of another. */
function randomKey(random: Random): Buffer {
  const key = Buffer.alloc(pick(random, LENGTHS), pick(random, BYTES));
  for (let changes = random.below(3); changes > 0 && key.length > 0; changes--) {
    const fromEnd = random.below(2) === 0;
    const at = random.below(Math.min(4, key.length));
    key[fromEnd ? key.length - 1 - at : at] = pick(random, BYTES);
  }
  return key;
}

function randomBounds(random: Random): RangeBounds {
  const bounds: RangeBounds = { reverse: random.below(2) === 0 };
  const lower = random.below(3);
  const upper = random.below(3);
  if (lower === 1) bounds.gte = randomKey(random);
  if (lower === 2) bounds.gt = randomKey(random);
  if (upper === 1) bounds.lt = randomKey(random);
  if (upper === 2) bounds.lte = randomKey(random);
  return bounds;
}

const hex = (key: Buffer) => `${key.length}:${key.toString('hex').replace(/(..)\1{15,}/g, '$1*')}`;
const shown = (rows: Iterable<Row>) =>
  [...rows].map(({ key, value }) => `${hex(key)}=${value.toString('latin1')}`);

function compare(store: LmdbStateStore, model: Model, random: Random): void {
  const table = pick(random, TABLES.slice(0, 2));
  const bounds = randomBounds(random);
  expect(shown(store.range(table, bounds))).toEqual(shown(model.range(table, bounds)));
  expect([...store.keys(table, bounds)].map(hex)).toEqual(
    model.range(table, bounds).map(({ key }) => hex(key)),
  );
  const key = randomKey(random);
  expect(store.get(table, key)?.toString('latin1')).toBe(model.get(table, key)?.toString('latin1'));
}

const options = { flushRows: 7, flushDelayMs: 1 };

async function run(seed: number, steps: number): Promise<void> {
  const random = seededRandom(seed);
  const model = new Model();
  let store = await LmdbStateStore.open(dir, options);
  for (let step = 0; step < steps; step++) {
    const action = random.below(100);
    const table = pick(random, TABLES.slice(0, 2));
    if (action < 40) {
      const key = randomKey(random);
      const value = Buffer.from(`v${step}`);
      store.put(table, key, value);
      model.set(table, key, value);
    } else if (action < 60) {
      const rows = model.range(table, {});
      const key =
        random.below(3) > 0 && rows.length > 0 ? pick(random, rows).key : randomKey(random);
      store.delete(table, key);
      model.set(table, key, undefined);
    } else if (action < 80) compare(store, model, random);
    else if (action < 90) store.endBatch();
    else if (action < 93) await new Promise((resolve) => setImmediate(resolve));
    else if (action < 96) await store.flush();
    else if (action < 97) void store.flush();
    else if (action < 98) await store.defragment();
    else {
      await store.close();
      store = await LmdbStateStore.open(dir, options);
    }
  }
  for (let i = 0; i < 50; i++) compare(store, model, random);
  // Everything deleted leaves nothing behind: the pointers of long keys go, too.
  for (const table of TABLES) {
    for (const key of [...store.keys(table, {})]) store.delete(table, key);
  }
  await store.close();
  store = await LmdbStateStore.open(dir, options);
  for (const table of TABLES) expect([...store.range(table, {})]).toEqual([]);
  await store.close();
}

describe('overlay and LMDB as one ordered view', () => {
  for (let seed = 1; seed <= 8; seed++) {
    it(`agrees with a sorted array (seed ${seed})`, () => run(seed, 500));
  }
});
