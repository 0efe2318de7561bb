import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseArguments } from './arguments.ts';
import { describeCoverage, emptyCoverage } from './coverage.ts';
import { commandOf } from './shrink.ts';

/** Some 15 s of one core. Each was clean when it was put here. */
const SEEDS = '1..20';
const TIMEOUT_MS = 300_000;
// Inside of the project, where its packages are found; a name of its own, so that test runs side by side do not meet.
const DIR = `dist/sim-test-${process.pid}`;

/** The simulator as `npm run sim` runs it. */
function sim(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const options = { maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [join(DIR, 'main.js'), ...args], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr }),
    );
  });
}

const digests = (output: string) => output.match(/digest [0-9a-f]{16}/g) ?? [];

describe('the simulator', () => {
  beforeAll(async () => {
    const configFile = 'test/sim/vite.config.ts';
    await build({ configFile, logLevel: 'error', build: { outDir: DIR } });
  }, TIMEOUT_MS);
  afterAll(() => rm(DIR, { recursive: true, force: true }));

  test(
    'finds nothing wrong with fixed seeds',
    async () => {
      const { code, output } = await sim('--seeds', SEEDS);
      expect(
        code,
        output.slice(Math.max(0, output.search(/^seed \d+:.*[1-9]\d* violations$/m))),
      ).toBe(0);
      expect(output).toContain('20 seeds, 0 failed');
    },
    TIMEOUT_MS,
  );

  test(
    'does the same for the same seed, in another process and after another run',
    async () => {
      const [first, second] = await Promise.all([
        sim('--seeds', '3..4', '--steps', '6000', '--digest'),
        sim('--seed', '4', '--steps', '6000', '--digest'),
      ]);
      const [three, four] = digests(first.output);
      expect(three).toBeDefined();
      expect(digests(second.output)).toEqual([four]);
      expect(three).not.toBe(four);
    },
    TIMEOUT_MS,
  );

  test(
    'leaves out what it is told to leave out',
    async () => {
      const common = ['--seed', '2', '--steps', '4000'];
      const none = await sim(...common, '--only', 'none');
      expect(none.output).toMatch(/ 0 faults/);
      const two = await sim(...common, '--faults', '2');
      expect(two.output).toMatch(/ 2 faults/);
    },
    TIMEOUT_MS,
  );
});

describe('the command', () => {
  test('that repeats a run says what was left out', () => {
    const options = { steps: 500, without: ['kill', 'pause'], only: [3, 7], mostClients: 1 };
    const command = commandOf({ seed: 9, ...options });
    expect(command).toBe(
      'npm run sim -- --seed 9 --steps 500 --without kill,pause --only 3,7 --clients 1',
    );
    const given = (text: string) => text.replace('npm run sim -- ', '').split(' ');
    const parsed = parseArguments(given(command));
    expect(parsed).toMatchObject({ from: 9, to: 9, options });
    const bare = parseArguments(given(commandOf({ seed: 9, steps: 500, only: [] })));
    expect(bare.options).toEqual({ steps: 500, only: [] });
  });

  test.each(['--seed x', '--seeds 1', '--steps 1.5', '--only a'])('%s is refused', (line) => {
    expect(() => parseArguments(line.split(' '))).toThrow('usage: npm run sim');
  });
});

test('what never happened is named', () => {
  const coverage = emptyCoverage();
  expect(describeCoverage(coverage)).toMatch(/never happened: elections, /);
  coverage.set('elections', 3).set('fault: kill', 2);
  const text = describeCoverage(coverage);
  expect(text).toContain('happened: elections 3\nfaults, by members hit: kill 2');
  expect(text).not.toMatch(/never happened:.* elections/);
});
