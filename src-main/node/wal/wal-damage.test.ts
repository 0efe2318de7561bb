import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemFiles, type WalFiles } from './files.ts';
import {
  listSegments,
  makeFolder,
  mark,
  metadata,
  recoverGroup,
  recoverLog,
  refusal,
  run,
} from './testing/support.ts';
import { createWal, openWal, walExists } from './wal.ts';

let dir: string;
beforeEach(async () => {
  dir = await makeFolder();
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const recover = () => recoverLog(dir, { files: unsynced });
const group = (id = 0) => recoverGroup(dir, id);
const segments = () => listSegments(dir);

/** Where thousands of logs are only read, syncing them would take all the time. */
const unsynced: WalFiles = {
  ...systemFiles,
  open: async (path) => ({ ...(await systemFiles.open(path)), datasync: async () => {} }),
  syncFolder: async () => {},
};

/** A log of one segment whose records end at `ends`. */
async function smallLog(): Promise<{ path: string; content: Buffer; ends: number[] }> {
  const wal = await createWal(dir, metadata, [{ snapshot: mark(0, 0) }]);
  const path = join(dir, (await segments())[0] as string);
  const ends = [(await readFile(path)).length];
  for (let i = 1; i <= 4; i++) {
    await wal.append([{ entries: run(i, i, i), hardState: { term: i, vote: 1n, commit: i - 1 } }]);
    ends.push((await readFile(path)).length);
  }
  await wal.close();
  return { path, content: await readFile(path), ends };
}

describe('damage', () => {
  it('cuts off a tail whose sectors were written out of order', async () => {
    const { path, content, ends } = await smallLog();
    const before = ends[3] as number;
    for (let at = before; at < content.length; at += 8) {
      const torn = Buffer.from(content);
      torn.fill(0, before, at + 8);
      await writeFile(path, torn);
      const state = await group();
      expect(state.entries).toHaveLength(3);
    }
  });

  it('names the file and the byte', async () => {
    const { path, content, ends } = await smallLog();
    const damaged = Buffer.from(content);
    damaged[(ends[1] as number) + 30] = 0xee;
    await writeFile(path, damaged);
    const error = await refusal(openWal(dir));
    expect(error.code).toBe('WalCorrupt');
    expect(error.message).toContain(`${path} is corrupt at byte ${ends[1]}`);
    expect(error.hint).toContain('Nothing was changed');
  });

  it('refuses damage in a segment that has a successor', async () => {
    const wal = await createWal(dir, metadata, [], { segmentBytes: 300 });
    for (let i = 1; i <= 20; i++) await wal.append([{ entries: run(i, i, 1) }]);
    await wal.close();
    const [first] = (await segments()) as [string];
    const content = await readFile(join(dir, first));
    await writeFile(join(dir, first), content.subarray(0, content.length - 3));
    const error = await refusal(openWal(dir));
    expect(error.code).toBe('WalCorrupt');
    expect(error.message).toContain(first);
  });

  it('is not misled by records inside user data or copied from elsewhere', async () => {
    const { path, content, ends } = await smallLog();
    const record = content.subarray(ends[2], ends[3]);
    // A torn tail that holds whole records of another place.
    await writeFile(path, Buffer.concat([content, Buffer.alloc(8, 1), record, record]));
    const recovery = await recover();
    expect(recovery.tornBytes).toBe(8 + 2 * record.length);
    expect(recovery.groups.get(0)?.entries).toHaveLength(4);
    // A segment under another's name.
    await copyFile(path, join(dir, '0000000000000002-0000000000000000.wal'));
    expect((await refusal(openWal(dir))).code).toBe('WalCorrupt');
  });
});

type Operation = 'write' | 'datasync' | 'create' | 'rename' | 'syncFolder' | 'remove';

/** The real files, of which the operation named in `broken` fails from then on. */
function breakable(): { files: WalFiles; fail(operation: Operation): void; calls: Operation[] } {
  let broken: Operation | undefined;
  const calls: Operation[] = [];
  const on = async (operation: Operation) => {
    calls.push(operation);
    if (operation === broken)
      throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
  };
  const wrap = async (path: string, how: 'create' | 'open') => {
    const file = await systemFiles[how](path);
    return {
      ...file,
      write: async (bytes: Uint8Array, position: number) => {
        await on('write');
        // Half of it, as a full disk or a signal may do.
        return file.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), position);
      },
      datasync: async () => {
        await on('datasync');
        await file.datasync();
      },
    };
  };
  const files: WalFiles = {
    ...systemFiles,
    create: async (path) => {
      await on('create');
      return wrap(path, 'create');
    },
    open: (path) => wrap(path, 'open'),
    rename: async (from, to) => {
      await on('rename');
      await systemFiles.rename(from, to);
    },
    remove: async (path) => {
      await on('remove');
      await systemFiles.remove(path);
    },
    syncFolder: async (path) => {
      await on('syncFolder');
      await systemFiles.syncFolder(path);
    },
  };
  return {
    files,
    calls,
    fail: (operation) => {
      broken = operation;
    },
  };
}

describe('a log that is opened', () => {
  it('makes durable what it found before anybody acts upon it', async () => {
    const wal = await createWal(dir, metadata);
    await wal.append([{ entries: run(1, 3, 1) }]);
    await wal.close();
    const { files, calls } = breakable();
    const opened = await openWal(dir, { files });
    // Also after a clean end: nobody can tell it from a kill between write and sync.
    expect(calls.filter((call) => call !== 'write')).toEqual(['datasync', 'syncFolder']);
    // And written anew, or a sync that failed before would have left it out for good.
    expect(calls[0]).toBe('write');
    await opened.wal.append([{ entries: run(4, 4, 1) }]);
    await opened.wal.close();
    expect((await recoverGroup(dir, 0)).entries).toEqual(run(1, 4, 1));
  });

  it('is refused if that fails', async () => {
    await (await createWal(dir, metadata)).close();
    const { files, fail } = breakable();
    fail('datasync');
    expect((await refusal(openWal(dir, { files }))).code).toBe('WalWriteFailed');
  });
});

describe('failing disks', () => {
  for (const operation of ['write', 'datasync'] as const) {
    it(`takes no append any more once a ${operation} failed`, async () => {
      const { files, fail, calls } = breakable();
      const wal = await createWal(dir, metadata, [], { files });
      await wal.append([{ entries: run(1, 3, 1) }]);
      fail(operation);
      const error = await refusal(wal.append([{ entries: run(4, 4, 1) }]));
      expect(error.code).toBe('WalWriteFailed');
      expect(error.message).toContain((await segments())[0]);
      expect(error.message).toContain('ENOSPC');
      const before = calls.length;
      expect(await refusal(wal.append([{ entries: run(4, 4, 1) }]))).toBe(error);
      // A failed fsync is never tried again: the kernel may have dropped the dirty pages.
      expect(calls.length).toBe(before);
      await wal.close();
      expect((await group()).entries.slice(0, 3)).toEqual(run(1, 3, 1));
    });
  }

  for (const operation of ['create', 'rename', 'syncFolder'] as const) {
    it(`loses nothing when a new segment fails at ${operation}`, async () => {
      const { files, fail } = breakable();
      const wal = await createWal(dir, metadata, [], { files, segmentBytes: 1 });
      await wal.append([{ entries: run(1, 1, 1) }]);
      fail(operation);
      const error = await refusal(wal.append([{ entries: run(2, 2, 1) }]));
      expect(error.code).toBe('WalWriteFailed');
      expect(await refusal(wal.append([]))).toBe(error);
      await wal.close();
      expect((await group()).entries).toEqual(run(1, 1, 1));
    });
  }

  it('does not make a log that cannot be synced', async () => {
    const { files, fail } = breakable();
    fail('datasync');
    expect((await refusal(createWal(dir, metadata, [], { files }))).code).toBe('WalWriteFailed');
    expect(await walExists(dir)).toBe(false);
  });

  it('goes on when a segment cannot be removed', async () => {
    const { files, fail } = breakable();
    const wal = await createWal(dir, metadata, [], { files, segmentBytes: 1 });
    await wal.append([{ entries: run(1, 1, 1) }]);
    await wal.append([{ entries: run(2, 2, 1), snapshot: mark(2, 1) }]);
    await wal.append([{ hardState: { term: 1, vote: 0n, commit: 2 } }]);
    fail('remove');
    expect((await refusal(wal.releaseSegments())).code).toBe('WalWriteFailed');
    await wal.append([{ entries: run(3, 3, 1) }]);
    await wal.close();
    expect((await group()).entries).toEqual(run(3, 3, 1));
  });

  it('syncs once per append, however many batches it has', async () => {
    const { files, calls } = breakable();
    const wal = await createWal(dir, metadata, [], { files });
    calls.length = 0;
    await wal.append([
      { entries: run(1, 9, 1) },
      { group: 1, entries: run(1, 5, 1) },
      { group: 2, snapshot: mark(1, 1) },
    ]);
    expect(calls.filter((call) => call === 'datasync')).toHaveLength(1);
    await wal.close();
  });
});
