import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/prng.ts';
import { encodeRecord } from './format.ts';
import { nextRecord, RangeSums } from './record-search.ts';
import { run } from './testing/support.ts';

const record = (offset: number, last = 3) =>
  encodeRecord([{ entries: run(1, last, 1) }], 1, offset, Buffer.alloc(4096));

describe('RangeSums', () => {
  it('gives what zlib gives, for any range and beginning', () => {
    const random = seededRandom(1);
    const bytes = Buffer.from(Array.from({ length: 20_000 }, () => random.below(256)));
    const sums = new RangeSums(bytes);
    for (let i = 0; i < 2000; i++) {
      const start = random.below(bytes.length + 1);
      const end = start + random.below(bytes.length - start + 1);
      const previous = random.below(2 ** 32);
      const expected = crc32(bytes.subarray(start, end), previous);
      expect(sums.crc(start, end, previous)).toBe(expected);
    }
  });
});

describe('nextRecord', () => {
  it('finds a sound record at its own place only', () => {
    const damaged = Buffer.alloc(64, 0xff);
    const content = Buffer.concat([damaged, Buffer.from(record(64))]);
    expect(nextRecord(content, 0, 1)).toBe(64);
    expect(nextRecord(content, 72, 1)).toBeUndefined();
    expect(nextRecord(content, 0, 2)).toBeUndefined();
    expect(nextRecord(Buffer.concat([content, Buffer.alloc(8)]), 0, 1)).toBe(64);
    expect(nextRecord(content.subarray(0, -8), 0, 1)).toBeUndefined();
    const moved = Buffer.concat([Buffer.alloc(8), content]);
    expect(nextRecord(moved, 0, 1)).toBeUndefined();
  });

  it('takes no hours over data that is headers from end to end', () => {
    const bytes = 1024 * 1024;
    const content = Buffer.alloc(bytes);
    for (let at = 0; at + 16 <= bytes; at += 16) {
      content.write('RDRE', at, 'latin1');
      content.writeUInt32LE(bytes - at - 16, at + 4);
      content.writeUInt32LE(at, at + 12);
    }
    const before = process.cpuUsage();
    expect(nextRecord(content, 0, 1)).toBeUndefined();
    const { user, system } = process.cpuUsage(before);
    // One by one it is 34 GB to sum up.
    expect((user + system) / 1e6).toBeLessThan(6);
  });
});
