import { describeResult, describeTrace } from './report.ts';
import { runSeed } from './run.ts';
import { shrink } from './shrink.ts';

const DEFAULT_STEPS = 20_000;

interface Arguments {
  from: number;
  to: number;
  steps: number;
  /** Prints the whole trace of a run, also of one that succeeds. */
  isVerbose: boolean;
}

function parse(args: readonly string[]): Arguments {
  const value = (name: string) => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? undefined : args[at + 1];
  };
  const seeds = value('seeds')?.split('..').map(Number);
  const from = seeds?.[0] ?? Number(value('seed') ?? 1);
  const to = seeds?.[1] ?? from;
  const steps = Number(value('steps') ?? DEFAULT_STEPS);
  if (![from, to, steps].every(Number.isInteger)) {
    throw new Error('usage: npm run sim -- --seed S | --seeds A..B [--steps N] [--verbose]');
  }
  return { from, to, steps, isVerbose: args.includes('--verbose') };
}

async function main(): Promise<number> {
  const { from, to, steps, isVerbose } = parse(process.argv.slice(2));
  let failures = 0;
  const total = { simulatedMs: 0, cpuMs: 0, operations: 0, faults: 0, steps: 0 };
  for (let seed = from; seed <= to; seed++) {
    const result = await runSeed({ seed, steps });
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += result[name];
    console.log(describeResult(result));
    if (isVerbose) console.log(describeTrace(result.trace));
    if (result.violations.length === 0) continue;
    failures++;
    const smallest = await shrink({ seed, steps }, result);
    console.log(describeTrace(smallest.result.trace));
    console.log(smallest.description);
  }
  const seconds = total.simulatedMs / 1_000;
  const cpuSeconds = total.cpuMs / 1_000;
  console.log(
    `${to - from + 1} seeds, ${failures} failed: ${seconds.toFixed(0)} simulated s in ` +
      `${cpuSeconds.toFixed(1)} CPU s (${(seconds / cpuSeconds).toFixed(0)}x), ` +
      `${total.operations} operations, ${total.faults} faults, ${total.steps} events`,
  );
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main();
