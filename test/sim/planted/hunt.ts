import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Violation } from '../recorder.ts';
import { editSources } from './plugin.ts';
import type { PlantedBug } from './types.ts';

/** Without news for so long a run is taken for one that never ends. */
const SILENCE_MS = 180_000;
const MAX_ERROR_CHARS = 2_000;

/** What a bundle with a bug says of each seed. */
export interface SeedOutcome {
  seed: number;
  cpuMs: number;
  violation: Violation | undefined;
}

export interface Catch {
  seed: number;
  violation: Violation;
}

export interface Hunt {
  /** Undefined if no seed of the range found it. */
  found: Catch | undefined;
  /** Seeds that were run. */
  seeds: number;
  /** CPU time of all of them. */
  cpuMs: number;
}

export interface Range {
  from: number;
  to: number;
  steps: number;
}

/** Bundles the simulator with the bug in it, or as it is; answers the file to run. */
export async function buildPlanted(bug: PlantedBug | undefined): Promise<string> {
  // The simulator itself does without Vite.
  const { build } = await import('vite');
  const root = process.cwd();
  const outDir = `dist/sim-planted/${bug?.name ?? 'none'}`;
  await build({
    configFile: 'test/sim/vite.config.ts',
    logLevel: 'error',
    plugins: bug === undefined ? [] : [editSources(`planted bug ${bug.name}`, bug.edits, root)],
    build: { ssr: 'test/sim/planted/search.ts', outDir },
  });
  return `${outDir}/search.js`;
}

/** Runs seeds with the bug until one finds it that passes without the bug. */
export async function hunt(planted: string, plain: string, range: Range): Promise<Hunt> {
  const total: Hunt = { found: undefined, seeds: 0, cpuMs: 0 };
  for (let { from } = range; from <= range.to; ) {
    const { found, seeds, cpuMs } = await runSeeds(planted, { ...range, from });
    total.seeds += seeds;
    total.cpuMs += cpuMs;
    if (found === undefined) return total;
    const same = await runSeeds(plain, { ...range, from: found.seed, to: found.seed });
    if (same.found === undefined) return { ...total, found };
    from = found.seed + 1;
  }
  return total;
}

/** One process that runs seeds until one of them finds a violation. */
function runSeeds(file: string, { from, to, steps }: Range): Promise<Hunt> {
  const args = ['--enable-source-maps', file, from, to, steps].map(String);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const result: Hunt = { found: undefined, seeds: 0, cpuMs: 0 };
  let errors = '';
  let isSilent = false;
  const silence = () => {
    isSilent = true;
    child.kill('SIGKILL');
  };
  let timer = setTimeout(silence, SILENCE_MS);
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(0, MAX_ERROR_CHARS);
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    clearTimeout(timer);
    timer = setTimeout(silence, SILENCE_MS);
    const { seed, cpuMs, violation } = JSON.parse(line) as SeedOutcome;
    result.seeds++;
    result.cpuMs += cpuMs;
    if (violation !== undefined) result.found = { seed, violation };
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code !== 0 && result.found === undefined) {
        const seed = from + result.seeds;
        const property = isSilent ? 'hangs' : 'simulator ends';
        result.seeds++;
        result.found = { seed, violation: { atMs: 0, property, detail: errors } };
      }
      resolve(result);
    });
  });
}
