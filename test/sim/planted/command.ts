import { readFileSync, writeFileSync } from 'node:fs';
import { buildPlanted, type Hunt, hunt } from './hunt.ts';
import { PLANTED } from './index.ts';
import { describeCatches, type RecordedCatch } from './table.ts';
import type { PlantedBug } from './types.ts';

const DEFAULT_SEEDS = 150;
const CATCHES = 'test/sim/planted/catches.json';
const PAGE = 'test/robustness/BUGS.md';

export interface PlantArguments {
  /** Name of a bug, or "all". */
  name: string;
  /** Undefined: the one that is recorded; if it does not do any more, as many as are worth the time. */
  seeds: { from: number; to: number } | undefined;
  steps: number;
  /** Writes down what was found, where the test and the page take it from. */
  isRecording: boolean;
}

/** Puts bugs into the simulator, one after the other, and looks for a seed that finds each. */
export async function runPlanted(args: PlantArguments): Promise<number> {
  const bugs = PLANTED.filter(({ name }) => args.name === 'all' || args.name === name);
  if (bugs.length === 0) {
    console.error(`no planted bug "${args.name}": ${PLANTED.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  const plain = await buildPlanted(undefined);
  const catches = JSON.parse(readFileSync(CATCHES, 'utf8')) as Record<string, RecordedCatch>;
  let unexpected = 0;
  for (const bug of bugs) {
    const planted = await buildPlanted(bug);
    const steps = bug.steps ?? args.steps;
    const known = args.seeds === undefined ? catches[bug.name] : undefined;
    const { from, to } = args.seeds ?? { from: 1, to: DEFAULT_SEEDS };
    const result =
      (await huntAgain(bug, known, planted, plain)) ??
      (await hunt(planted, plain, { from, to, steps }));
    console.log(describeHunt(bug, result));
    if (!isExpected(bug, result) && bug.missed === undefined) unexpected++;
    if (args.isRecording) record(catches, bug, result, steps);
  }
  if (args.name === 'all') console.log(describeCatches(PLANTED, catches));
  return unexpected === 0 ? 0 : 1;
}

/** With the seed that is recorded, which is quick; undefined if that one does not find it any more. */
async function huntAgain(
  bug: PlantedBug,
  known: RecordedCatch | undefined,
  planted: string,
  plain: string,
): Promise<Hunt | undefined> {
  if (known === undefined) return undefined;
  const { seed, steps, cpuSeconds } = known;
  const result = await hunt(planted, plain, { from: seed, to: seed, steps });
  // Recorded is what all seeds up to this one take.
  return isExpected(bug, result) ? { ...result, cpuMs: cpuSeconds * 1_000 } : undefined;
}

function isExpected(bug: PlantedBug, { found }: Hunt): boolean {
  return found !== undefined && bug.violates.includes(found.violation.property);
}

function describeHunt(bug: PlantedBug, result: Hunt): string {
  const { found, seeds, cpuMs } = result;
  const spent = `${seeds} seeds, ${(cpuMs / 1_000).toFixed(1)} CPU s`;
  if (found === undefined) return `${bug.name}: not caught by ${spent}`;
  const { property, detail } = found.violation;
  const expected = isExpected(bug, result) ? '' : ` (expected: ${bug.violates.join(' | ')})`;
  return `${bug.name}: seed ${found.seed}, ${spent}: ${property}${expected}\n    ${detail.slice(0, 300)}`;
}

function record(
  catches: Record<string, RecordedCatch>,
  { name }: PlantedBug,
  { found, cpuMs }: Hunt,
  steps: number,
): void {
  delete catches[name];
  if (found !== undefined) {
    const cpuSeconds = Math.round(cpuMs / 100) / 10;
    const { property } = found.violation;
    catches[name] = { seed: found.seed, steps, property, cpuSeconds };
  }
  const isKnown = ([bug]: readonly [string, unknown]) => PLANTED.some((one) => one.name === bug);
  const entries = Object.entries(catches).filter(isKnown);
  const sorted = Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(CATCHES, `${JSON.stringify(sorted, null, 2)}\n`);
  const [before = '', after = ''] = readFileSync(PAGE, 'utf8').split(
    /<!-- table -->[\s\S]*<!-- end -->/,
  );
  const table = describeCatches(PLANTED, catches);
  writeFileSync(PAGE, `${before}<!-- table -->\n${table}\n<!-- end -->${after}`);
}
