import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../base/logger.ts';
import { loadNotes } from './notes.ts';
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

describe('loadNotes', () => {
  const cell = { en: 'a', zh: '甲' };
  const topic = {
    id: 'consensus',
    title: cell,
    summary: cell,
    rows: [{ label: cell, etcd: cell, zookeeper: cell, consul: cell }],
    sources: [{ label: 'etcd', url: 'https://etcd.io/docs/' }],
  };

  it('reads topics in order and leaves out what is wrong, with a warning', async () => {
    await writeFile(join(dir, '02.json'), JSON.stringify({ ...topic, id: 'two' }));
    await writeFile(join(dir, '01.json'), JSON.stringify(topic));
    await writeFile(join(dir, '03.json'), '{');
    const bad = { ...topic, sources: [{ label: 'x', url: 'http://plain.example' }] };
    await writeFile(join(dir, '04.json'), JSON.stringify(bad));
    await writeFile(join(dir, 'README.md'), 'no note');
    const warnings: unknown[] = [];
    const logger = {
      ...silentLogger,
      warn: (_: string, fields?: unknown) => warnings.push(fields),
    };
    expect((await loadNotes(dir, logger)).map((note) => note.id)).toEqual(['consensus', 'two']);
    expect(warnings).toMatchObject([{ file: '03.json' }, { file: '04.json' }]);
  });

  it('has none where there is no folder', async () => {
    expect(await loadNotes(join(dir, 'none'), silentLogger)).toEqual([]);
  });
});
