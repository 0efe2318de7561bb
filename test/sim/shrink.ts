import { type RunOptions, type RunResult, runSeed } from './run.ts';

/** Runs spent on making a failure small. */
const MOST_RUNS = 80;
const FEWEST_STEPS = 200;

export interface Shrunk {
  options: RunOptions;
  result: RunResult;
  /** Runs that it took. */
  runs: number;
}

/**
 * Looks for the fewest faults, clients and events with which the same property still breaks. What is left out changes
 * the run that follows, so that the smaller failure need not be the same one: it is one of the same kind.
 */
export async function shrink(options: RunOptions, failed: RunResult): Promise<Shrunk> {
  const search = new Search(options, failed);
  await search.without('membership');
  for (const kind of failed.faultKinds) await search.without(kind);
  await search.fewerFaults();
  await search.fewerClients();
  await search.fewerSteps();
  return { options: search.options, result: search.result, runs: search.runs };
}

class Search {
  options: RunOptions;
  result: RunResult;
  runs = 0;
  readonly #property: string | undefined;

  constructor(options: RunOptions, failed: RunResult) {
    this.options = options;
    this.result = failed;
    this.#property = failed.violations[0]?.property;
  }

  async without(kind: string): Promise<void> {
    const without = [...(this.options.without ?? []), kind];
    await this.#fails({ ...this.options, without });
  }

  /** Leaves out ever smaller parts of the list (Zeller's delta debugging, without its complements). */
  async fewerFaults(): Promise<void> {
    let part = Math.ceil(this.result.struck.length / 2);
    while (part > 0 && this.runs < MOST_RUNS) {
      const { struck } = this.result;
      let at = 0;
      while (at < this.result.struck.length && this.runs < MOST_RUNS) {
        const now = this.result.struck;
        const only = now.filter((_, i) => i < at || i >= at + part);
        if (!(await this.#fails({ ...this.options, only }))) at += part;
      }
      if (part === 1 && this.result.struck.length === struck.length) return;
      part = part === 1 ? 1 : Math.ceil(part / 2);
    }
  }

  async fewerClients(): Promise<void> {
    for (let most = 1; most < this.result.clients; most++) {
      if (await this.#fails({ ...this.options, mostClients: most })) return;
    }
  }

  async fewerSteps(): Promise<void> {
    for (let steps = this.options.steps >> 1; steps > FEWEST_STEPS; steps >>= 1) {
      if (!(await this.#fails({ ...this.options, steps }))) return;
    }
  }

  async #fails(candidate: RunOptions): Promise<boolean> {
    if (this.runs++ >= MOST_RUNS) return false;
    const result = await runSeed(candidate);
    if (result.violations[0]?.property !== this.#property) return false;
    this.result = result;
    this.options = candidate;
    return true;
  }
}

/** What to type to see that run again. */
export function commandOf({ seed, steps, without, only, mostFaults, mostClients }: RunOptions) {
  const parts = [`npm run sim -- --seed ${seed} --steps ${steps}`];
  if (without !== undefined && without.length > 0) parts.push(`--without ${without.join()}`);
  if (only !== undefined) parts.push(`--only ${only.join() || 'none'}`);
  if (mostFaults !== undefined) parts.push(`--faults ${mostFaults}`);
  if (mostClients !== undefined) parts.push(`--clients ${mostClients}`);
  return parts.join(' ');
}
