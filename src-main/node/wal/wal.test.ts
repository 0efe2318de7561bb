import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/prng.ts';
import { type Entry, EntryType } from '../../proto/raftdeck/raft.ts';
import {
  entry,
  listSegments,
  makeFolder,
  mark,
  metadata,
  recoverGroup,
  recoverLog,
  refusal,
  run,
} from './testing/support.ts';
import type { WalBatch, WalGroupState } from './types.ts';
import { createWal, openWal, walExists } from './wal.ts';

let dir: string;
beforeEach(async () => {
  dir = await makeFolder();
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const recover = () => recoverLog(dir);
const group = (id = 0) => recoverGroup(dir, id);
const segments = () => listSegments(dir);

describe('round trips', () => {
  it('gives back what was appended', async () => {
    expect(await walExists(dir)).toBe(false);
    const wal = await createWal(dir, metadata, [{ snapshot: mark(0, 0) }]);
    expect(await walExists(dir)).toBe(true);
    const conf = { ...entry(2, 2 ** 40), type: EntryType.CONF_CHANGE, data: Buffer.alloc(0) };
    const big = { ...entry(3, 2 ** 40), data: Buffer.alloc(300_001, 0xab) };
    await wal.append([
      { hardState: { term: 1, vote: 2n ** 64n - 1n, commit: 0 }, entries: run(1, 1, 1) },
    ]);
    await wal.append([{ entries: [conf, big] }, { hardState: { term: 9, vote: 0n, commit: 3 } }]);
    await wal.close();
    expect(await recover()).toEqual({
      metadata,
      tornBytes: 0,
      groups: new Map([
        [
          0,
          {
            hardState: { term: 9, vote: 0n, commit: 3 },
            snapshot: mark(0, 0),
            entries: [...run(1, 1, 1), conf, big],
          },
        ],
      ]),
    });
  });

  it('goes on after it was reopened', async () => {
    await (await createWal(dir, metadata)).close();
    for (let i = 1; i <= 5; i++) {
      const { wal, recovery } = await openWal(dir);
      expect(recovery.groups.get(0)?.entries.length ?? 0).toBe(i - 1);
      await wal.append([{ entries: run(i, i, 1) }]);
      await wal.close();
    }
    expect((await group()).entries).toEqual(run(1, 5, 1));
  });

  it('replaces a conflicting suffix', async () => {
    const wal = await createWal(dir, metadata);
    await wal.append([{ entries: run(1, 10, 1) }]);
    await wal.append([{ entries: run(6, 7, 2) }]);
    await wal.close();
    expect((await group()).entries).toEqual([...run(1, 5, 1), ...run(6, 7, 2)]);
  });

  it('keeps groups apart', async () => {
    const wal = await createWal(dir, metadata);
    await wal.append([
      { group: 3, entries: run(1, 4, 1), hardState: { term: 1, vote: 1n, commit: 2 } },
      { group: 4_000_000_000, entries: run(1, 2, 5) },
    ]);
    await wal.append([
      { group: 3, entries: run(3, 3, 2) },
      { group: 4_000_000_000, snapshot: mark(1, 5) },
    ]);
    await wal.close();
    const { groups } = await recover();
    expect([...groups.keys()].sort()).toEqual([3, 4_000_000_000]);
    expect(groups.get(3)?.entries).toEqual([...run(1, 2, 1), ...run(3, 3, 2)]);
    expect(groups.get(3)?.hardState).toEqual({ term: 1, vote: 1n, commit: 2 });
    expect(groups.get(4_000_000_000)?.entries).toEqual(run(2, 2, 5));
    expect(groups.get(4_000_000_000)?.snapshot).toEqual(mark(1, 5));
  });

  it('writes nothing for batches without content', async () => {
    const wal = await createWal(dir, metadata);
    const [name] = (await segments()) as [string];
    const before = await readFile(join(dir, name));
    await wal.append([]);
    await wal.append([{}, { group: 2, entries: [] }]);
    await wal.close();
    expect(await readFile(join(dir, name))).toEqual(before);
  });
});

describe('snapshot marks', () => {
  const cases: [string, WalBatch[], number, Entry[]][] = [
    [
      'drops entries up to the mark',
      [{ entries: run(1, 9, 1) }, { snapshot: mark(4, 1) }],
      4,
      run(5, 9, 1),
    ],
    ['drops all at the last entry', [{ entries: run(1, 9, 1) }, { snapshot: mark(9, 1) }], 9, []],
    [
      'drops a log that the snapshot is ahead of',
      [{ entries: run(1, 9, 1) }, { snapshot: mark(20, 3) }],
      20,
      [],
    ],
    [
      'drops a log of another term',
      [{ entries: run(1, 9, 1) }, { snapshot: mark(4, 2), entries: run(5, 6, 2) }],
      4,
      run(5, 6, 2),
    ],
    [
      'ignores a mark that is behind',
      [{ entries: run(1, 9, 1) }, { snapshot: mark(8, 1) }, { snapshot: mark(3, 1) }],
      8,
      run(9, 9, 1),
    ],
  ];
  for (const [name, batches, index, entries] of cases) {
    it(name, async () => {
      const wal = await createWal(dir, metadata);
      for (const batch of batches) await wal.append([batch]);
      await wal.close();
      const state = await group();
      expect(state.snapshot.index).toBe(index);
      expect(state.entries).toEqual(entries);
    });
  }
});

describe('segments', () => {
  const small = { segmentBytes: 512 };

  it('rolls over and reads all of them', async () => {
    const wal = await createWal(dir, metadata, [{ snapshot: mark(0, 0) }], small);
    for (let i = 1; i <= 100; i++) await wal.append([{ entries: run(i, i, 1) }]);
    await wal.close();
    const names = await segments();
    expect(names.length).toBeGreaterThan(5);
    expect(names[0]).toBe('0000000000000001-0000000000000000.wal');
    expect((await group()).entries).toEqual(run(1, 100, 1));
  });

  it('releases what no group needs, and keeps state, marks and metadata', async () => {
    let wal = await createWal(dir, metadata, [{ group: 1, snapshot: mark(0, 0) }], small);
    await wal.append([{ group: 1, hardState: { term: 5, vote: 3n, commit: 0 } }]);
    await wal.append([
      { group: 2, entries: run(1, 1, 1), hardState: { term: 1, vote: 2n, commit: 1 } },
    ]);
    for (let i = 1; i <= 100; i++) await wal.append([{ group: 1, entries: run(i, i, 5) }]);
    const all = await segments();
    await wal.releaseSegments();
    expect(await segments()).toEqual(all);

    // Group 2 still needs the first segment.
    await wal.append([{ group: 1, snapshot: mark(90, 5) }]);
    await wal.releaseSegments();
    expect(await segments()).toEqual(all);
    await wal.append([{ group: 2, snapshot: mark(1, 1) }]);
    await wal.releaseSegments();
    const left = await segments();
    expect(left.length).toBeLessThan(all.length / 2);
    await wal.append([{ group: 1, entries: run(101, 101, 5) }]);
    await wal.close();

    const opened = await openWal(dir, small);
    wal = opened.wal;
    expect(opened.recovery.metadata).toEqual(metadata);
    const [first, second] = [1, 2].map((id) => opened.recovery.groups.get(id) as WalGroupState);
    expect(first?.hardState).toEqual({ term: 5, vote: 3n, commit: 0 });
    expect(first?.snapshot).toEqual(mark(90, 5));
    expect(first?.entries).toEqual(run(91, 101, 5));
    expect(second?.hardState).toEqual({ term: 1, vote: 2n, commit: 1 });
    expect(second?.snapshot).toEqual(mark(1, 1));

    // A reopened log knows what its segments hold.
    await wal.append([{ group: 1, snapshot: mark(101, 5) }]);
    await wal.releaseSegments();
    expect((await segments()).length).toBeLessThan(left.length);
    await wal.close();
    expect((await group(1)).entries).toEqual([]);
  });

  it('survives marks that arrive while the entries before them are released', async () => {
    const random = seededRandom(11);
    let wal = await createWal(dir, metadata, [{ snapshot: mark(0, 0) }], small);
    let last = 0;
    let marked = 0;
    for (let step = 0; step < 400; step++) {
      const action = random.below(10);
      if (action < 6) {
        await wal.append([{ entries: run(last + 1, last + 3, 1) }]);
        last += 3;
      } else if (action < 8 && last > marked) {
        marked += 1 + random.below(last - marked);
        await wal.append([{ snapshot: mark(marked, 1) }]);
      } else if (action < 9) await wal.releaseSegments();
      else {
        await wal.close();
        const opened = await openWal(dir, small);
        wal = opened.wal;
        const state = opened.recovery.groups.get(0) as WalGroupState;
        expect(state.snapshot.index).toBe(marked);
        expect(state.entries).toEqual(run(marked + 1, last, 1));
      }
    }
    await wal.close();
  });

  it('refuses a log with a missing segment', async () => {
    const wal = await createWal(dir, metadata, [], small);
    for (let i = 1; i <= 60; i++) await wal.append([{ entries: run(i, i, 1) }]);
    await wal.close();
    const names = await segments();
    await rm(join(dir, names[2] as string));
    expect((await refusal(openWal(dir))).code).toBe('WalCorrupt');
    await rm(join(dir, names[0] as string));
    await rm(join(dir, names[1] as string));
    // The oldest ones may be gone only if a mark covers what they held.
    const error = await refusal(openWal(dir));
    expect(error.code).toBe('WalCorrupt');
    expect(error.message).toContain('entries of group 0 are missing');
  });
});

describe('making and opening', () => {
  it('replaces the log of a first start that was cut short', async () => {
    await (await createWal(dir, metadata, [{ snapshot: mark(0, 0) }])).close();
    await (await createWal(dir, metadata, [{ snapshot: mark(0, 0) }])).close();
    expect(await segments()).toHaveLength(1);
  });

  it('never replaces a log in use', async () => {
    const wal = await createWal(dir, metadata);
    await wal.append([{ hardState: { term: 1, vote: 1n, commit: 0 } }]);
    await wal.close();
    expect((await refusal(createWal(dir, metadata))).code).toBe('WalExists');
    expect((await group()).hardState.term).toBe(1);
  });

  it('says so when there is no log', async () => {
    expect((await refusal(openWal(join(dir, 'nowhere')))).code).toBe('WalMissing');
  });

  it('refuses a foreign file and a newer version', async () => {
    await writeFile(
      join(dir, '0000000000000001-0000000000000000.wal'),
      'Dear diary, today'.repeat(9),
    );
    expect((await refusal(openWal(dir))).code).toBe('WalForeign');
    const newer = Buffer.alloc(200);
    newer.write('RDECKWAL', 'latin1');
    newer.writeUInt32LE(2, 8);
    await writeFile(join(dir, '0000000000000001-0000000000000000.wal'), newer);
    const error = await refusal(openWal(dir));
    expect(error.code).toBe('WalForeign');
    expect(error.message).toContain('version 2');
  });

  it('takes a last segment that a crash left empty, and removes half-made ones', async () => {
    const wal = await createWal(dir, metadata);
    await wal.append([{ entries: run(1, 3, 1) }]);
    await wal.close();
    await writeFile(join(dir, '0000000000000002-0000000000000003.wal'), '');
    await writeFile(join(dir, '0000000000000002-0000000000000003.wal.tmp'), 'x');
    const opened = await openWal(dir, { segmentBytes: 1 });
    expect(opened.recovery.tornBytes).toBe(0);
    await opened.wal.append([{ entries: run(4, 4, 1) }]);
    await opened.wal.close();
    expect((await group()).entries).toEqual(run(1, 4, 1));
    expect(await readdir(dir)).toHaveLength(2);
  });

  it('rejects after it was closed', async () => {
    const wal = await createWal(dir, metadata);
    await wal.close();
    await wal.close();
    expect((await refusal(wal.append([{ entries: run(1, 1, 1) }]))).code).toBe('WalClosed');
  });
});
