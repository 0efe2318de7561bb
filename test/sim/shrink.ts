import { type RunOptions, type RunResult, runSeed } from './run.ts';

/** Runs spent on making a failure small. */
const MOST_RUNS = 24;

/** Looks for fewer events, kinds of fault and faults that break the same property. */
export async function shrink(
  options: RunOptions,
  failed: RunResult,
): Promise<{ result: RunResult; description: string }> {
  const property = failed.violations[0]?.property;
  let best = failed;
  let smallest = options;
  let runs = 0;
  const fails = async (candidate: RunOptions): Promise<boolean> => {
    if (runs++ >= MOST_RUNS) return false;
    const result = await runSeed(candidate);
    if (result.violations[0]?.property !== property) return false;
    best = result;
    smallest = candidate;
    return true;
  };
  for (const kind of failed.faultKinds) {
    await fails({ ...smallest, without: [...(smallest.without ?? []), kind] });
  }
  for (let most = best.faults >> 1; most > 0; most >>= 1) {
    if (!(await fails({ ...smallest, mostFaults: most }))) break;
  }
  for (let steps = smallest.steps >> 1; steps > 100; steps >>= 1) {
    if (!(await fails({ ...smallest, steps }))) break;
  }
  const { seed, steps, without = [], mostFaults } = smallest;
  const description =
    `smallest: seed ${seed}, ${steps} steps, without ${without.join() || 'nothing'}, ` +
    `${mostFaults ?? 'any number of'} faults, ${best.steps} events`;
  return { result: best, description };
}
