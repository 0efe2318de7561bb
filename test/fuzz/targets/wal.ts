import { crc32 } from 'node:zlib';
import type { Random } from '../../../src-main/base/prng.ts';
import {
  ALIGNMENT_BYTES,
  headerCrc,
  RECORD_HEADER_BYTES,
  recordEnd,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  segmentName,
} from '../../../src-main/node/wal/format.ts';
import { MemoryFiles } from '../../../src-main/node/wal/testing/memory-files.ts';
import { entry, mark, metadata, run } from '../../../src-main/node/wal/testing/support.ts';
import type { WalRecovery } from '../../../src-main/node/wal/types.ts';
import { createWal, openWal } from '../../../src-main/node/wal/wal.ts';
import type { Entry } from '../../../src-main/proto/raftdeck/raft.ts';
import { mutated, oneOf } from '../mutate.ts';
import { Finding, refusedBy, type Target } from '../target.ts';

const DIR = '/wal';
const REFUSALS = ['WalCorrupt', 'WalForeign', 'WalMissing'];

/** The files of a log one behind the other: each begins with its magic. */
async function seedLog(random: Random): Promise<Buffer> {
  const files = new MemoryFiles();
  const segmentBytes = oneOf(random, [200, 400, 1e6]);
  const initial = [{ snapshot: mark(0, 0) }];
  const wal = await createWal(DIR, metadata, initial, { files, segmentBytes });
  const appends = 1 + random.below(8);
  for (let i = 1; i <= appends; i++) {
    await wal.append([
      { entries: run(3 * i - 2, 3 * i, i), hardState: { term: i, vote: 1n, commit: 3 * i - 3 } },
      ...(i % 3 === 0 ? [{ group: 1, snapshot: mark(i, 1), entries: run(i + 1, i + 1, 1) }] : []),
      ...(i % 4 === 0 ? [{ snapshot: mark(3 * i - 2, i) }] : []),
    ]);
  }
  await wal.close();
  return Buffer.concat(files.names(DIR).map((name) => files.get(DIR, name)));
}

function folderOf(input: Buffer): MemoryFiles {
  const files = new MemoryFiles();
  let sequence = 0;
  for (let at = 0; at < input.length || sequence === 0; ) {
    const found = input.indexOf(SEGMENT_MAGIC, at + 1);
    const end = found < 0 ? input.length : found;
    files.put(DIR, segmentName(++sequence, 0), input.subarray(at, end));
    at = end;
  }
  return files;
}

/** Nothing that comes out may be anything but what went in: entries tell their index and term. */
function checkEntries({ groups }: WalRecovery): void {
  for (const { entries, snapshot } of groups.values()) {
    for (const [i, found] of entries.entries()) {
      const expected = entry(snapshot.index + 1 + i, found.term);
      if (!isSame(found, expected)) throw new Finding(`entry ${expected.index} is another one`);
    }
  }
}

function isSame(a: Entry, b: Entry): boolean {
  return a.index === b.index && a.term === b.term && a.data.equals(b.data) && a.type === b.type;
}

async function recoverOnce(files: MemoryFiles): Promise<WalRecovery | undefined> {
  try {
    const { wal, recovery } = await openWal(DIR, { files });
    await wal.close();
    return recovery;
  } catch (error) {
    refusedBy(REFUSALS, error);
    return undefined;
  }
}

function checkSame(first: WalRecovery, second: WalRecovery | undefined): void {
  const plain = (recovery: WalRecovery | undefined) =>
    JSON.stringify([...(recovery?.groups ?? [])], (_, v) => (typeof v === 'bigint' ? `${v}` : v));
  if (plain(first) !== plain(second)) throw new Finding('a second recovery finds something else');
  if (second?.tornBytes !== 0) throw new Finding('a torn tail is found again');
}

/** Damaged logs: whatever was done to one, it gives a part of what was written or is refused. */
export async function walTarget(random: Random): Promise<Target> {
  const seeds: Buffer[] = [];
  for (let i = 0; i < 8; i++) seeds.push(await seedLog(random));
  return {
    seeds,
    async run(input) {
      const files = folderOf(input);
      const before = files.copy();
      const recovery = await recoverOnce(files);
      if (recovery === undefined) {
        const isUnchanged = (name: string) => files.get(DIR, name).equals(before.get(DIR, name));
        if (!before.names(DIR).every(isUnchanged)) throw new Finding('a refused log changed');
        return;
      }
      checkEntries(recovery);
      checkSame(recovery, await recoverOnce(files));
    },
  };
}

/** Sums a record up anew after its items were changed: what only a defect or another program writes. */
function resealed(segment: Buffer): Buffer {
  for (let at = SEGMENT_HEADER_BYTES; at < segment.length; ) {
    const end = recordEnd(segment, at);
    if (end === undefined) break;
    const body = at + RECORD_HEADER_BYTES;
    const sum = crc32(segment.subarray(body, end), headerCrc(segment.subarray(at, body), 1, at));
    segment.writeUInt32LE(sum, at + 12);
    at = end;
  }
  return segment;
}

/** Logs whose sums are right and whose items are not. */
export async function walItemsTarget(random: Random): Promise<Target> {
  const seeds: Buffer[] = [];
  while (seeds.length < 4) {
    const log = await seedLog(random);
    if (log.indexOf(SEGMENT_MAGIC, 1) < 0) seeds.push(log);
  }
  const first = SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + ALIGNMENT_BYTES;
  const bodies = seeds.map((seed) => seed.subarray(first));
  return {
    seeds,
    generate: (chance) => {
      const head = oneOf(chance, seeds).subarray(0, first);
      return Buffer.concat([head, mutated(chance, bodies, 4096)]);
    },
    async run(input) {
      const files = new MemoryFiles();
      files.put(DIR, segmentName(1, 0), resealed(Buffer.from(input)));
      const recovery = await recoverOnce(files);
      if (recovery !== undefined) checkSame(recovery, await recoverOnce(files));
    },
  };
}
