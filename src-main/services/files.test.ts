import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../base/logger.ts';
import { SettingsService } from './settings.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-files-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('SettingsService', () => {
  it('begins with defaults and keeps what is set', async () => {
    const settings = await SettingsService.open(dir, silentLogger);
    expect(settings.get()).toEqual({ theme: 'system', language: 'system', density: 'compact' });
    await settings.set({ theme: 'dark', language: undefined });
    const again = await SettingsService.open(dir, silentLogger);
    expect(again.get()).toEqual({ theme: 'dark', language: 'system', density: 'compact' });
  });

  it('moves a broken file aside instead of failing or losing it', async () => {
    await writeFile(join(dir, 'settings.json'), '{"theme": "pink"');
    const settings = await SettingsService.open(dir, silentLogger);
    expect(settings.get().theme).toBe('system');
    expect(await readFile(join(dir, 'settings.json.broken'), 'utf8')).toBe('{"theme": "pink"');
  });

  it('lets the last of many writes win', async () => {
    const settings = await SettingsService.open(dir, silentLogger);
    await Promise.all([settings.set({ theme: 'dark' }), settings.set({ theme: 'light' })]);
    expect((await SettingsService.open(dir, silentLogger)).get().theme).toBe('light');
    expect(await readdir(dir)).toEqual(['settings.json']);
  });

  it('says which file cannot be written', async () => {
    const settings = await SettingsService.open(dir, silentLogger);
    await rm(dir, { recursive: true });
    await expect(settings.set({ theme: 'dark' })).rejects.toMatchObject({
      code: 'DataDir',
      message: expect.stringContaining('settings.json'),
    });
    expect(settings.get().theme).toBe('system');
  });
});
