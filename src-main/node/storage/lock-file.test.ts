import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LOCK_FILE, LockFile, readLockHolder } from './lock-file.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-lock-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function writeLock(holder: unknown): void {
  writeFileSync(join(dir, LOCK_FILE), `${JSON.stringify(holder)}\n`);
}

describe('the lock of a data folder', () => {
  it('is held by one at a time and gone after its release', async () => {
    const lock = LockFile.acquire(dir);
    expect(readLockHolder(dir)?.pid).toBe(process.pid);
    expect(() => LockFile.acquire(dir)).toThrow(`is in use by process ${process.pid}`);
    lock.release();
    lock.release();
    expect(await readdir(dir)).toEqual([]);
    LockFile.acquire(dir).release();
  });

  it('names the process that holds it, and is taken over once that is dead', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    try {
      await once(child, 'spawn');
      writeLock({ pid: child.pid, startTime: '' });
      expect(() => LockFile.acquire(dir)).toThrow(
        expect.objectContaining({
          code: 'DataDirInUse',
          message: expect.stringContaining(`${child.pid}`),
        }),
      );
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const lock = LockFile.acquire(dir);
    expect(readLockHolder(dir)?.pid).toBe(process.pid);
    lock.release();
  });

  it.skipIf(!existsSync('/proc/self/stat'))('sees that a pid is another process now', () => {
    // The parent lives, but did not start at that time.
    writeLock({ pid: process.ppid, startTime: '1' });
    LockFile.acquire(dir).release();
    const lock = LockFile.acquire(dir);
    const own = JSON.parse(readFileSync(lock.path, 'utf8')) as { startTime: string };
    expect(own.startTime).toMatch(/^\d+$/);
    lock.release();
  });

  it.runIf(process.platform === 'linux')(
    'takes over from a zombie, which nobody waited for',
    async () => {
      // The shell starts a child and never waits: exec keeps its pid and forgets the child. The child
      // must outlive the shell, or that would see it end.
      const script = 'cat <&3 & echo $!; exec sleep 1000';
      const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
      const command = () => readFileSync(`/proc/${parent.pid}/comm`, 'utf8').trim();
      try {
        const [line] = (await once(parent.stdout as Readable, 'data')) as [Buffer];
        const pid = Number(line.toString());
        const state = () => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.[0];
        await vi.waitFor(() => expect(command()).toBe('sleep'), { timeout: 10_000 });
        parent.stdio[3]?.destroy();
        await vi.waitFor(() => expect(state()).toBe('Z'), { timeout: 10_000 });
        writeLock({ pid, startTime: '' });
        LockFile.acquire(dir).release();
      } finally {
        parent.kill('SIGKILL');
        await once(parent, 'exit');
      }
    },
  );

  it('takes over what nobody can have written whole', () => {
    for (const content of ['', 'garbage', '{"pid":-5}', 'null']) {
      writeFileSync(join(dir, LOCK_FILE), content);
      LockFile.acquire(dir).release();
    }
  });

  it('leaves the lock of another process alone when it is released late', () => {
    const lock = LockFile.acquire(dir);
    writeLock({ pid: process.ppid, startTime: '' });
    lock.release();
    expect(readLockHolder(dir)?.pid).toBe(process.ppid);
  });
});
