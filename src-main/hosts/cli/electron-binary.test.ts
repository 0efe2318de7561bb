import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { installedBinary, whyNoWindow } from './electron-binary.ts';

describe('a window', () => {
  it('needs a display on Linux, X11 or Wayland, and a user who is not root', () => {
    expect(whyNoWindow('linux', {}, false)).toBe('there is no display');
    expect(whyNoWindow('linux', { DISPLAY: '' }, false)).toBe('there is no display');
    expect(whyNoWindow('linux', { DISPLAY: ':0' }, false)).toBeNull();
    expect(whyNoWindow('linux', { WAYLAND_DISPLAY: 'wayland-0' }, false)).toBeNull();
    expect(whyNoWindow('linux', { DISPLAY: ':0' }, true)).toContain('root');
  });

  it('can always be shown elsewhere', () => {
    expect(whyNoWindow('darwin', {}, true)).toBeNull();
    expect(whyNoWindow('win32', {}, false)).toBeNull();
  });
});

describe("electron's binary", () => {
  async function packageDir(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'raftdeck-electron-'));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    return dir;
  }

  it('is not there before the first fetch, nor after half of one', async () => {
    const dir = await packageDir();
    expect(installedBinary(dir, {})).toBeNull();
    await writeFile(join(dir, 'path.txt'), 'electron');
    expect(installedBinary(dir, {})).toBeNull();
  });

  it('is where path.txt says, in the package or in the folder of the override', async () => {
    const dir = await packageDir();
    await writeFile(join(dir, 'path.txt'), 'electron');
    await mkdir(join(dir, 'dist'));
    await writeFile(join(dir, 'dist', 'electron'), '');
    expect(installedBinary(dir, {})).toBe(join(dir, 'dist', 'electron'));
    const override = join(dir, 'elsewhere');
    const env = { ELECTRON_OVERRIDE_DIST_PATH: override };
    expect(installedBinary(dir, env)).toBeNull();
    await mkdir(override);
    await writeFile(join(override, 'electron'), '');
    expect(installedBinary(dir, env)).toBe(join(override, 'electron'));
  });
});
