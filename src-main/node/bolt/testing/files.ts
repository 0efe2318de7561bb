import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { BoltFile } from '../reader.ts';
import { type BoltBucket, type BoltRow, writeBoltFile } from '../writer.ts';

/** Writes the buckets into a new file. */
export async function writeFileOf(path: string, buckets: Iterable<BoltBucket>): Promise<number> {
  const file = await open(path, 'w+', 0o600);
  try {
    return await writeBoltFile(file, buckets);
  } finally {
    await file.close();
  }
}

/** One line for a row: enough to compare, cheaper than comparing large buffers. */
export function lineOf({ key, value }: BoltRow): string {
  const shortKey = key.length > 40 ? `${key.length}:${crc32(key)}` : key.toString('latin1');
  return `${shortKey} ${value.length}:${crc32(value)}`;
}

/** Everything that a file holds, by bucket, as lines. */
export async function contentsOf(path: string): Promise<[bucket: string, lines: string[]][]> {
  const file = await BoltFile.open(path);
  try {
    const contents: [string, string[]][] = [];
    for (const bucket of await file.buckets()) {
      const lines: string[] = [];
      for await (const row of file.rows(bucket)) lines.push(lineOf(row));
      contents.push([bucket, lines]);
    }
    return contents;
  } finally {
    await file.close();
  }
}
