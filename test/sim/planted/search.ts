import type { Violation } from '../recorder.ts';
import { runSeed } from '../run.ts';
import type { SeedOutcome } from './hunt.ts';

/**
 * What is found without a bug, too, and so proves nothing: a search that is given up, and a term that a crash took
 * before it was on the disk.
 */
function isNoise({ property, detail }: Violation): boolean {
  return property === 'linearizable: undecided' || /: term \d+ after \d+$/.test(detail);
}

/** The entry of a bundle with a bug: runs seeds until one finds a violation. One line of JSON for each. */
async function search(from: number, to: number, steps: number): Promise<void> {
  for (let seed = from; seed <= to; seed++) {
    const { violations, cpuMs } = await runSeed({ seed, steps });
    const violation = violations.find((one) => !isNoise(one));
    const outcome: SeedOutcome = { seed, cpuMs, violation };
    console.log(JSON.stringify(outcome));
    if (violation !== undefined) return;
  }
}

const [from = 1, to = from, steps = 0] = process.argv.slice(2).map(Number);
await search(from, to, steps);
