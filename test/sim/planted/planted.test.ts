import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { SMALL_LIMITS } from '../small-limits.ts';
import catches from './catches.json' with { type: 'json' };
import { applyEdits, editsByFile } from './edits.ts';
import { buildPlanted, hunt } from './hunt.ts';
import { PLANTED } from './index.ts';
import { describeCatches, type RecordedCatch } from './table.ts';
import type { PlantedBug } from './types.ts';

const RECORDED: Readonly<Record<string, RecordedCatch>> = catches;
const EDITED = [...PLANTED, { name: 'small limits', edits: SMALL_LIMITS }];

test.each(EDITED)('$name: every edit still matches once', ({ name, edits }) => {
  for (const [file, own] of editsByFile(edits)) {
    const source = readFileSync(file, 'utf8');
    expect(applyEdits(name, source, own)).not.toBe(source);
  }
});

test('names are unique, and every bug is caught as it should be, or is known not to be', () => {
  expect(new Set(PLANTED.map(({ name }) => name)).size).toBe(PLANTED.length);
  for (const { name, missed, violates } of PLANTED) {
    if (missed === undefined) expect(violates, name).toContain(RECORDED[name]?.property);
    else expect(RECORDED[name], name).toBeUndefined();
  }
});

test('the page shows what is recorded', () => {
  const page = readFileSync('test/robustness/BUGS.md', 'utf8');
  expect(page).toContain(describeCatches(PLANTED, RECORDED));
});

const edit = (find: string) => [{ file: 'a.ts', find, replace: 'x' }];

test('an edit that is not there, or there twice, says so', () => {
  expect(applyEdits('bug', 'one two', edit('one'))).toBe('x two');
  expect(() => applyEdits('bug', 'one two', edit('three'))).toThrow(/bug: .*moved on.*\n.*three/s);
  expect(() => applyEdits('bug', 'one one', edit('one'))).toThrow(/there 2 times/);
});

/** Bundles are built, and seeds run, on a machine that may be busy. */
const TIMEOUT_MS = 300_000;

describe('the simulator', { timeout: TIMEOUT_MS }, () => {
  let plain = '';
  beforeAll(async () => {
    plain = await buildPlanted(undefined);
  }, TIMEOUT_MS);

  const QUICK = [
    'vote-not-persisted',
    'election-without-log-check',
    'read-without-readindex',
    'follower-acknowledges-before-sync',
  ];
  const bugs = PLANTED.filter(({ name }) => QUICK.includes(name));

  test.each(bugs)('finds $name', async (bug) => {
    const { found } = await hunt(await buildPlanted(bug), plain, {
      from: 1,
      to: 20,
      steps: 20_000,
    });
    expect(bug.violates, found?.violation.detail).toContain(found?.violation.property);
  });

  test('is not built with a bug that cannot be planted', async () => {
    const rest = { breaks: '', violates: [] };
    const gone = { file: 'src-main/node/raft/log.ts', find: 'nowhere to be found', replace: '' };
    const unused = { file: 'src-main/node/main.ts', find: 'EXIT_OK', replace: '' };
    const lost: PlantedBug = { ...rest, name: 'lost-edit', edits: [gone] };
    await expect(buildPlanted(lost)).rejects.toThrow('lost-edit: the code has moved on');
    const idle: PlantedBug = { ...rest, name: 'idle-edit', edits: [unused] };
    await expect(buildPlanted(idle)).rejects.toThrow('does not run src-main/node/main.ts');
    expect(existsSync('dist/sim-planted/lost-edit/search.js')).toBe(false);
  });
});
