import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultDataDir, prepareDataDir } from './data-dir.ts';
import { InstanceLock, lockFile } from './instance-lock.ts';
import { processInfo } from './process-info.ts';
import { tempDir } from './testing/fixtures.ts';

describe('default data folder', () => {
  it('follows the variable, then the platform', () => {
    expect(defaultDataDir({ RAFTDECK_DATA_DIR: 'x' }, 'linux', '/h')).toBe(resolve('x'));
    expect(defaultDataDir({}, 'linux', '/h')).toBe(join('/h', '.local', 'share', 'raftdeck'));
    expect(defaultDataDir({ XDG_DATA_HOME: '/d' }, 'linux', '/h')).toBe(join('/d', 'raftdeck'));
    expect(defaultDataDir({ XDG_DATA_HOME: 'rel' }, 'linux', '/h')).toContain('.local');
    expect(defaultDataDir({}, 'darwin', '/h')).toContain('Application Support');
    expect(defaultDataDir({ LOCALAPPDATA: '/l' }, 'win32', '/h')).toBe(join('/l', 'Raftdeck'));
  });
});

describe('data folder', () => {
  it('is created with its marker and accepted again', async () => {
    const dir = join(await tempDir(), 'deep', 'down');
    await prepareDataDir(dir, 'app');
    await prepareDataDir(dir, 'app');
    expect(await readdir(dir)).toEqual(['raftdeck.json']);
  });

  it('is refused, and left alone, when it holds something else', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'thesis.txt'), 'precious');
    const error = await prepareDataDir(dir, 'up').catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'DataDirForeign' });
    expect(String(error)).toContain(dir);
    expect(await readdir(dir)).toEqual(['thesis.txt']);
  });

  it('is refused when it is of the other kind', async () => {
    const dir = await tempDir();
    await prepareDataDir(dir, 'app');
    await expect(prepareDataDir(dir, 'up')).rejects.toMatchObject({ code: 'DataDirForeign' });
  });

  it.each(['not json', '{"raftdeck":2,"kind":"app"}', '[]'])('refuses marker %s', async (text) => {
    const dir = await tempDir();
    await writeFile(join(dir, 'raftdeck.json'), text);
    await expect(prepareDataDir(dir, 'app')).rejects.toMatchObject({ code: 'DataDirForeign' });
    expect(await readFile(join(dir, 'raftdeck.json'), 'utf8')).toBe(text);
  });

  it('is refused when a part of its path is a file', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'file'), '');
    for (const path of [join(dir, 'file'), join(dir, 'file', 'below')]) {
      await expect(prepareDataDir(path, 'app')).rejects.toMatchObject({
        code: 'DataDirUnwritable',
        message: expect.stringContaining('a file'),
      });
    }
  });

  // Modes do not bind root; /proc is a folder that nobody can write to.
  it.runIf(process.platform === 'linux')('is refused when nobody can write there', async () => {
    await expect(prepareDataDir('/proc/raftdeck', 'app')).rejects.toMatchObject({
      code: 'DataDirUnwritable',
    });
  });

  it.skipIf(process.getuid?.() === 0)('is refused when its mode forbids writing', async () => {
    const dir = join(await tempDir(), 'locked');
    await mkdir(dir);
    await chmod(dir, 0o500);
    await expect(prepareDataDir(dir, 'app')).rejects.toMatchObject({
      code: 'DataDirUnwritable',
      message: expect.stringContaining('permission denied'),
    });
  });
});

describe('instance lock', () => {
  it('is held once, names its holder, and can be had again after release', async () => {
    const dir = await tempDir();
    const lock = await InstanceLock.acquire(dir);
    await expect(InstanceLock.acquire(dir)).rejects.toMatchObject({
      code: 'DataDirInUse',
      message: expect.stringContaining(`process ${process.pid}`),
    });
    await lock.release();
    expect(await readdir(dir)).toEqual(['supervisor.lock.1']);
    await (await InstanceLock.acquire(dir)).release();
  });

  it('is had by one of many who ask at once, and again after each release', async () => {
    const dir = await tempDir();
    await writeFile(lockFile(dir, 4), '{"pid":1,"startTime":"long ago","released":false}');
    for (let round = 0; round < 10; round++) {
      const asked = await Promise.allSettled(
        Array.from({ length: 8 }, () => InstanceLock.acquire(dir)),
      );
      const held = asked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(held).toHaveLength(1);
      await held[0]?.release();
    }
    expect(await readdir(dir)).toEqual(['supervisor.lock.14']);
  });

  it('is taken over from a process that has ended', async () => {
    const dir = await tempDir();
    const child = spawn(process.execPath, ['-e', '']);
    const { pid } = child;
    const startTime = (await processInfo(pid ?? 0))?.startTime ?? null;
    await once(child, 'exit');
    await writeFile(lockFile(dir, 4), JSON.stringify({ pid, startTime, released: false }));
    await (await InstanceLock.acquire(dir)).release();
  });

  it('is taken over from a pid that another process has now', async () => {
    const dir = await tempDir();
    const stale = { pid: process.pid, startTime: 'another boot:1', released: false };
    await writeFile(lockFile(dir, 4), JSON.stringify(stale));
    await (await InstanceLock.acquire(dir)).release();
  });

  it('is taken over when it is not readable as a lock', async () => {
    const dir = await tempDir();
    await writeFile(lockFile(dir, 4), '');
    await (await InstanceLock.acquire(dir)).release();
  });
});
