import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemFiles, type WalFiles } from '../wal/files.ts';
import { claimDataDir, readMarker, removeLeftovers, wideFolders, writeMarker } from './data-dir.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'raftdeck-dir-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const marker = { format: 1, name: 'a', clusterId: '1f', memberId: '2f' } as const;

test('a new folder is made, an empty one and one with our marker are taken', async () => {
  claimDataDir(join(dir, 'deep', 'er'));
  claimDataDir(dir.concat('/deep/er'));
  await writeMarker(systemFiles, join(dir, 'deep/er'), marker);
  writeFileSync(join(dir, 'deep/er/anything'), '');
  claimDataDir(join(dir, 'deep/er'));
  expect(await readMarker(systemFiles, join(dir, 'deep/er'))).toEqual(marker);
});

test('a folder with other files is refused, and left as it was', () => {
  writeFileSync(join(dir, 'thesis.tex'), 'x');
  expect(() => claimDataDir(dir)).toThrow(/holds files that are not ours \(thesis\.tex\)/);
  expect(readdirSync(dir)).toEqual(['thesis.tex']);
});

test("etcd's data folder is named as such", () => {
  mkdirSync(join(dir, 'member', 'snap'), { recursive: true });
  expect(() => claimDataDir(dir)).toThrow(/belongs to an etcd server/);
});

test('a file in place of the folder', () => {
  writeFileSync(join(dir, 'file'), '');
  expect(() => claimDataDir(join(dir, 'file'))).toThrow(/data folder .*file/);
});

test('a marker that cannot be read, or is newer, is refused', async () => {
  writeFileSync(join(dir, 'raftdeck-node.json'), '{"format": 2}');
  await expect(readMarker(systemFiles, dir)).rejects.toThrow(/format 2 is not 1/);
  writeFileSync(join(dir, 'raftdeck-node.json'), '{');
  await expect(readMarker(systemFiles, dir)).rejects.toThrow(/cannot be read/);
});

test.skipIf(process.platform === 'win32')('folders that others may read are named', () => {
  const data = join(dir, 'data');
  claimDataDir(data);
  expect(wideFolders(data)).toEqual([]);
  mkdirSync(join(data, 'member', 'wal'), { recursive: true, mode: 0o700 });
  expect(wideFolders(data)).toEqual([]);
  chmodSync(data, 0o755);
  chmodSync(join(data, 'member', 'wal'), 0o710);
  expect(wideFolders(data)).toEqual([
    { path: data, mode: '0755' },
    { path: join(data, 'member', 'wal'), mode: '0710' },
  ]);
});

test('half-made files go, all others stay', async () => {
  const state = join(dir, 'member', 'state');
  mkdirSync(state, { recursive: true });
  const uuid = '01234567-89ab-cdef-0123-456789abcdef';
  const stay = ['LOCK', 'CURRENT', 'state-000001.mdb', `LOCK.${uuid}`];
  const go = ['CURRENT.tmp', `LOCK.f${uuid.slice(1)}`];
  for (const name of [...stay, ...go]) writeFileSync(join(state, name), '');
  writeFileSync(join(dir, 'member', 'incoming-77.snapshot'), '');
  writeFileSync(join(dir, 'member', 'incoming-x.snapshot'), '');
  writeFileSync(join(dir, 'raftdeck-node.json.tmp'), '');
  const now = Date.now();
  utimesSync(join(state, `LOCK.f${uuid.slice(1)}`), now / 1000, now / 1000 - 120);
  expect((await removeLeftovers(dir, now)).sort()).toEqual(
    [...go.map((name) => `member/state/${name}`), 'member/incoming-77.snapshot']
      .concat('raftdeck-node.json.tmp')
      .sort(),
  );
  expect(readdirSync(state).sort()).toEqual(stay.sort());
  expect(readdirSync(join(dir, 'member')).sort()).toEqual(['incoming-x.snapshot', 'state']);
  expect(readdirSync(dir)).toEqual(['member']);
});

test('a marker of another shape is refused, whatever JSON it is', async () => {
  const shapes = [null, 7, 'x', [], {}, { ...marker, name: 7 }, { ...marker, clusterId: null }];
  for (const shape of [
    ...shapes,
    { format: 1 },
    { ...marker, token: 1 },
    { ...marker, removed: 'no' },
  ]) {
    writeFileSync(join(dir, 'raftdeck-node.json'), JSON.stringify(shape));
    await expect(readMarker(systemFiles, dir)).rejects.toMatchObject({ code: 'DataDirUnusable' });
  }
});

test('a marker has its name on the disk, too, when it is written', async () => {
  const calls: string[] = [];
  const files: WalFiles = {
    ...systemFiles,
    rename: async (from, to) => {
      await systemFiles.rename(from, to);
      calls.push('rename');
    },
    syncFolder: async (folder) => {
      calls.push(`sync ${folder}`);
    },
  };
  await writeMarker(files, dir, marker);
  expect(calls).toEqual(['rename', `sync ${dir}`]);
  expect(await readMarker(systemFiles, dir)).toEqual(marker);
});
