import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const out = mkdtempSync(join(tmpdir(), 'raftdeck-proto-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

function files(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort();
}

test('src-main/proto is what resources/proto generates', () => {
  const result = spawnSync('npx', ['buf', 'generate', '-o', out], { cwd: root, encoding: 'utf8' });
  expect(
    result.stderr
      .split('\n')
      .filter((line) => !line.startsWith('npm warn'))
      .join(''),
  ).toBe('');
  expect(result.status).toBe(0);
  const generated = join(out, 'src-main/proto');
  const committed = join(root, 'src-main/proto');
  expect(files(generated)).toEqual(files(committed));
  for (const file of files(committed)) {
    const same =
      readFileSync(join(generated, file), 'utf8') === readFileSync(join(committed, file), 'utf8');
    expect(same, `${file} differs: run npm run proto`).toBe(true);
  }
});
