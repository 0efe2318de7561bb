import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimDataDir, readMarker, writeMarker } from './data-dir.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'raftdeck-dir-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const marker = { format: 1, name: 'a', clusterId: '1f', memberId: '2f' } as const;

test('a new folder is made, an empty one and one with our marker are taken', async () => {
  claimDataDir(join(dir, 'deep', 'er'));
  claimDataDir(dir.concat('/deep/er'));
  await writeMarker(join(dir, 'deep/er'), marker);
  writeFileSync(join(dir, 'deep/er/anything'), '');
  claimDataDir(join(dir, 'deep/er'));
  expect(readMarker(join(dir, 'deep/er'))).toEqual(marker);
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

test('a marker that cannot be read, or is newer, is refused', () => {
  writeFileSync(join(dir, 'raftdeck-node.json'), '{"format": 2}');
  expect(() => readMarker(dir)).toThrow(/format 2 is not 1/);
  writeFileSync(join(dir, 'raftdeck-node.json'), '{');
  expect(() => readMarker(dir)).toThrow(/cannot be read/);
});
