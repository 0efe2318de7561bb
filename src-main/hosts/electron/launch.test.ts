import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../services/package-root.ts';
import { startApp } from './launch.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-launch-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** A stand-in for Electron's executable, which is not everywhere. */
async function executable(script: string): Promise<string> {
  const path = join(dir, 'electron');
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

describe.skipIf(process.platform === 'win32')('startApp', () => {
  it('runs the package with the data folder, and hands its exit code on', async () => {
    const electronPath = await executable(`echo "$1 $RAFTDECK_DATA_DIR" > "${dir}/seen"; exit 3`);
    expect(await startApp({ electronPath, dataDir: '/some/data' })).toBe(3);
    expect(await readFile(join(dir, 'seen'), 'utf8')).toBe(`${packageRoot()} /some/data\n`);
  });

  it('reports an end by signal, and an executable that is not there', async () => {
    const electronPath = await executable('kill -KILL $$');
    expect(await startApp({ electronPath, dataDir: '/some/data' })).toBe(130);
    expect(await startApp({ electronPath: join(dir, 'none'), dataDir: '/some/data' })).toBe(1);
  });

  it('leaves no signal handler behind', async () => {
    const count = () => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM');
    const before = count();
    await startApp({ electronPath: await executable('exit 0'), dataDir: '/some/data' });
    expect(count()).toBe(before);
  });
});
