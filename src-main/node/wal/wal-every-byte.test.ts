import { describe, expect, it } from 'vitest';
import type { CodedError } from '../../base/errors.ts';
import { recordEnd, SEGMENT_HEADER_BYTES } from './format.ts';
import { MemoryFiles } from './testing/memory-files.ts';
import { entry, mark, metadata, run } from './testing/support.ts';
import type { WalBatch, WalRecovery } from './types.ts';
import { createWal, openWal } from './wal.ts';

const DIR = '/wal';

interface Log {
  files: MemoryFiles;
  /** The segment that was written last, and where its last record begins. */
  name: string;
  content: Buffer;
  start: number;
  before: WalRecovery;
  after: WalRecovery;
}

const FIRST: WalBatch[] = [
  { entries: run(1, 4, 1), hardState: { term: 1, vote: 1n, commit: 2 } },
  { group: 1, entries: run(1, 2, 1), hardState: { term: 1, vote: 2n, commit: 0 } },
];

const MIXED: WalBatch[] = [
  { entries: run(5, 6, 2), hardState: { term: 2, vote: 1n, commit: 3 } },
  { group: 1, snapshot: mark(2, 1), entries: run(3, 3, 1) },
  { group: 7, hardState: { term: 1, vote: 3n, commit: 0 }, snapshot: mark(1, 1) },
];

/** What a record may hold, as the last one of a log that begins with FIRST. */
const LAST: Record<string, WalBatch[]> = {
  'an entry': [{ entries: run(5, 5, 1) }],
  'several entries, of which some replace others': [{ entries: run(3, 6, 2) }],
  'an entry without data': [{ entries: [{ ...entry(5, 2), data: Buffer.alloc(0) }] }],
  'a hard state': [{ hardState: { term: 3, vote: 0n, commit: 4 } }],
  'a snapshot mark': [{ snapshot: mark(3, 1) }],
  'a snapshot mark beyond the log': [{ snapshot: mark(9, 2) }],
  'several groups and kinds': MIXED,
};

async function recover(files: MemoryFiles): Promise<WalRecovery> {
  const { wal, recovery } = await openWal(DIR, { files });
  await wal.close();
  return recovery;
}

/** Comparing thousands of recoveries by their texts takes a tenth of the time. */
function textOf({ metadata: owner, groups, tornBytes }: WalRecovery): string {
  const plain = [...groups].map(([group, { hardState, snapshot, entries }]) => ({
    group,
    hardState,
    snapshot,
    entries: entries.map(({ index, term, type, data }) => `${index} ${term} ${type} ${data}`),
  }));
  return JSON.stringify({ owner, plain, tornBytes }, (_, value) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
}

/** `rollsOver`: a segment begins before the last append, with a record that repeats the state. */
async function logEndingWith(last: WalBatch[], rollsOver: boolean): Promise<Log> {
  const files = new MemoryFiles();
  const options = { files, segmentBytes: rollsOver ? 1 : 1e6 };
  const initial = [0, 1].map((group) => ({ group, snapshot: mark(0, 0) }));
  const wal = await createWal(DIR, metadata, initial, options);
  await wal.append(FIRST);
  const before = await recover(files.copy());
  const lengths = new Map(files.names(DIR).map((name) => [name, files.get(DIR, name).length]));
  await wal.append(last);
  await wal.close();
  const name = files.names(DIR).at(-1) as string;
  const content = files.get(DIR, name);
  const repeated = recordEnd(content, SEGMENT_HEADER_BYTES) as number;
  const start = rollsOver ? repeated : (lengths.get(name) as number);
  return { files, name, content, start, before, after: await recover(files.copy()) };
}

/**
 * What is found with other bytes in the last segment, as text; undefined if that is refused, with
 * the file and the offset and nothing changed.
 */
async function recoverWith(
  log: Pick<Log, 'files' | 'name'>,
  content: Buffer,
): Promise<string | undefined> {
  const files = log.files.copy();
  files.put(DIR, log.name, content);
  let recovery: WalRecovery;
  try {
    recovery = await recover(files);
  } catch (error) {
    const { code, message } = error as CodedError;
    const path = `${DIR}/${log.name}`;
    const isTold = message.includes(`${path} is corrupt at byte `) || code === 'WalForeign';
    const isUnchanged = files.get(DIR, log.name) === content;
    if (isTold && message.includes(path) && isUnchanged) return undefined;
    throw error;
  }
  return textOf(recovery);
}

function flipped(content: Buffer, bit: number): Buffer {
  const copy = Buffer.from(content);
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
}

/** What was found once is found from then on, and the log goes on behind it. */
async function goesOnAfter(log: Log, content: Buffer, index: number): Promise<void> {
  const files = log.files.copy();
  files.put(DIR, log.name, content);
  const found = textOf({ ...(await recover(files)), tornBytes: 0 });
  expect(textOf(await recover(files))).toBe(found);
  const { wal } = await openWal(DIR, { files });
  await wal.append([{ entries: run(index, index, 9) }]);
  await wal.close();
  expect((await recover(files)).groups.get(0)?.entries.at(-1)).toEqual(entry(index, 9));
}

describe.each(Object.entries(LAST))('a last record of %s', (_, last) => {
  describe.each([false, true])('the second of a segment: %s', (rollsOver) => {
    it('is torn as a whole wherever it is cut, and the log goes on before it', async () => {
      const log = await logEndingWith(last, rollsOver);
      expect(log.after.groups).not.toEqual(log.before.groups);
      for (let length = log.start; length < log.content.length; length++) {
        const content = log.content.subarray(0, length);
        const tornBytes = length - log.start;
        expect(await recoverWith(log, content)).toBe(textOf({ ...log.before, tornBytes }));
        if (length % 5 === 0) await goesOnAfter(log, content, 5);
      }
      expect(await recoverWith(log, log.content)).toBe(textOf(log.after));
    });

    it('is torn as a whole whichever of its bytes is damaged', async () => {
      const log = await logEndingWith(last, rollsOver);
      const torn = textOf({ ...log.before, tornBytes: log.content.length - log.start });
      // Every bit of the record that holds all there is, and one of each byte of the others.
      const step = last === MIXED ? 1 : 7;
      for (let bit = log.start * 8; bit < log.content.length * 8; bit += step) {
        expect(await recoverWith(log, flipped(log.content, bit))).toBe(torn);
      }
    });
  });
});

describe('what stands before the last record', () => {
  it('is refused for every bit, in the only segment and in one that repeats the state', async () => {
    for (const rollsOver of [false, true]) {
      const log = await logEndingWith(MIXED, rollsOver);
      for (let bit = 0; bit < log.start * 8; bit++) {
        expect(await recoverWith(log, flipped(log.content, bit))).toBeUndefined();
      }
    }
  });

  it('is refused for every bit of a segment that has a successor', async () => {
    const { files } = await logEndingWith(MIXED, true);
    const names = files.names(DIR);
    for (const name of names.slice(0, -1)) {
      const content = files.get(DIR, name);
      for (let bit = 0; bit < content.length * 8; bit++) {
        expect(await recoverWith({ files, name }, flipped(content, bit))).toBeUndefined();
      }
    }
  });
});

describe('the first record of a segment, with nothing behind it', () => {
  it('only repeats the state, so that nothing is lost with it', async () => {
    const log = await logEndingWith(MIXED, true);
    const content = log.content.subarray(0, log.start);
    const groups = textOf({ ...log.before, tornBytes: 0 });
    const found = async (bytes: Buffer) => {
      const text = await recoverWith(log, bytes);
      return text?.replace(/"tornBytes":\d+/, '"tornBytes":0');
    };
    for (let length = 0; length <= content.length; length++) {
      expect(await found(content.subarray(0, length)), `cut at ${length}`).toBe(groups);
    }
    let refused = 0;
    for (let bit = 0; bit < content.length * 8; bit++) {
      const text = await found(flipped(content, bit));
      if (text === undefined) refused++;
      else expect(text).toBe(groups);
    }
    // A header with another bit was no crash's doing.
    expect(refused).toBeGreaterThan(0);
  });

  it('is refused if it is the log', async () => {
    const files = new MemoryFiles();
    await (await createWal(DIR, metadata, [{ snapshot: mark(0, 0) }], { files })).close();
    const name = files.names(DIR)[0] as string;
    const content = files.get(DIR, name);
    for (let length = 0; length < content.length; length++) {
      expect(await recoverWith({ files, name }, content.subarray(0, length))).toBeUndefined();
    }
    for (let bit = 0; bit < content.length * 8; bit++) {
      expect(await recoverWith({ files, name }, flipped(content, bit))).toBeUndefined();
    }
  });
});
