import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Random } from '../../../src-main/base/prng.ts';
import { BoltFile } from '../../../src-main/node/bolt/reader.ts';
import { writeFileOf } from '../../../src-main/node/bolt/testing/files.ts';
import { SnapshotReader, SnapshotWriter } from '../../../src-main/node/storage/snapshot-format.ts';
import { TABLES } from '../../../src-main/node/storage/types.ts';
import { mutated, oneOf, randomBytes } from '../mutate.ts';
import { Finding, refusedBy, type Target } from '../target.ts';

interface Rows {
  table: (typeof TABLES)[number];
  key: Buffer;
  value: Buffer;
}

function someRows(random: Random): Rows[] {
  return TABLES.flatMap((table) =>
    Array.from({ length: random.below(5) }, (_, i) => ({
      table,
      key: Buffer.concat([Buffer.from([i]), randomBytes(random, 30)]),
      value: randomBytes(random, oneOf(random, [0, 10, 1000])),
    })),
  );
}

function streamOf(rows: readonly Rows[]): Buffer {
  const writer = new SnapshotWriter();
  for (const { table, key, value } of rows) writer.row(table, { key, value });
  return Buffer.concat(writer.finish());
}

/** Reads a stream that comes in chunks of this size. */
function rowsOf(stream: Buffer, chunkBytes: number): Rows[] {
  const reader = new SnapshotReader();
  const rows: Rows[] = [];
  for (let at = 0; at < stream.length; at += chunkBytes) {
    reader.push(stream.subarray(at, at + chunkBytes));
    for (let row = reader.next(); row !== undefined; row = reader.next()) rows.push(row);
  }
  reader.finish();
  return rows;
}

const asText = (rows: readonly Rows[]) =>
  rows.map(({ table, key, value }) => `${table} ${key.toString('hex')} ${value.toString('hex')}`);

/** The last four bytes made the sum of the rest: what is wrong then is not the stream's damage. */
function resummed(stream: Buffer): Buffer {
  const copy = Buffer.from(stream);
  if (copy.length >= 4) copy.writeUInt32LE(crc32(copy.subarray(0, -4)), copy.length - 4);
  return copy;
}

/** A member's state as another one sends it. */
export function stateSnapshotTarget(random: Random): Target {
  const seeds = Array.from({ length: 6 }, () => streamOf(someRows(random)));
  const sound = new Set(seeds.map((seed) => asText(rowsOf(seed, seed.length)).join('\n')));
  return {
    seeds,
    generate: (chance) => resummed(mutated(chance, seeds, 8192)),
    roundTrip(chance) {
      const rows = someRows(chance);
      const back = rowsOf(streamOf(rows), 1 + chance.below(300));
      if (asText(back).join() !== asText(rows).join()) throw new Finding('rows come back changed');
    },
    run(input) {
      const results = [1, 7, 1000, Math.max(1, input.length)].map((chunkBytes) => {
        try {
          return asText(rowsOf(input, chunkBytes)).join('\n');
        } catch (error) {
          refusedBy(['SnapshotInvalid'], error);
          return undefined;
        }
      });
      if (new Set(results).size > 1) throw new Finding('it depends on how the stream is cut');
      const [result] = results;
      const isResummed = resummed(input).equals(input);
      if (result !== undefined && !isResummed && !sound.has(result)) {
        throw new Finding('rows of a stream whose sum is wrong');
      }
    },
  };
}

const BOLT_REFUSALS = ['BoltInvalid', 'BoltNoBucket'];

async function readBolt(path: string): Promise<void> {
  const file = await BoltFile.open(path);
  try {
    if (file.hasDigest) await file.checkDigest().catch((e) => refusedBy(BOLT_REFUSALS, e));
    for (const bucket of [...(await file.buckets()), 'nowhere']) {
      for await (const { key, value } of file.rows(bucket)) {
        if (key.length + value.length < 1) throw new Finding('a row without a key');
      }
    }
  } finally {
    await file.close();
  }
}

/** Files of bbolt as a user hands them in. */
export async function boltTarget(random: Random): Promise<Target> {
  const dir = await mkdtemp(join(tmpdir(), 'raftdeck-fuzz-'));
  const path = join(dir, 'db');
  const seeds: Buffer[] = [];
  for (const rows of [0, 3, 40]) {
    await rm(path, { force: true });
    const bucket = (name: string, count: number) => ({
      name,
      rows: Array.from({ length: count }, (_, i) => ({
        key: Buffer.from(`key ${i}`.padStart(oneOf(random, [10, 900]))),
        value: randomBytes(random, 200),
      })).sort((a, b) => Buffer.compare(a.key, b.key)),
    });
    await writeFileOf(path, [bucket('key', rows), bucket('meta', 1)]);
    seeds.push(await readFile(path));
  }
  return {
    seeds,
    maxInputBytes: 256 * 1024,
    async run(input) {
      await writeFile(path, input);
      await readBolt(path).catch((error) => refusedBy(BOLT_REFUSALS, error));
    },
    close: () => rm(dir, { recursive: true, force: true }),
  };
}
