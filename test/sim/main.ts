import { errorMessage } from '../../src-main/base/errors.ts';
import { parseArguments, USAGE } from './arguments.ts';
import { add, describeCoverage, emptyCoverage } from './coverage.ts';
import { runPlanted } from './planted/command.ts';
import { describeFailure, describeResult, describeTrace, digestOf } from './report.ts';
import { runSeed } from './run.ts';
import { shrink } from './shrink.ts';

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    console.log(USAGE);
    return 0;
  }
  const { from, to, options, plant, isRecording, ...show } = parseArguments(args);
  if (plant !== undefined) {
    const seeds = args.some((one) => one.startsWith('--seed')) ? { from, to } : undefined;
    return runPlanted({ name: plant, seeds, steps: options.steps, isRecording });
  }
  let failures = 0;
  const coverage = emptyCoverage();
  const ratios: number[] = [];
  const total = { simulatedMs: 0, cpuMs: 0, operations: 0, faults: 0, steps: 0 };
  for (let seed = from; seed <= to; seed++) {
    const result = await runSeed({ ...options, seed });
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += result[name];
    add(coverage, result.coverage);
    ratios.push(result.simulatedMs / result.cpuMs);
    console.log(describeResult(result));
    if (show.hasDigest) console.log(`  digest ${digestOf(result)}`);
    if (show.isVerbose) console.log(describeTrace(result.trace));
    if (result.violations.length === 0) continue;
    failures++;
    if (!show.shrinks) continue;
    console.log(describeFailure(await shrink({ ...options, seed }, result)));
  }
  const seconds = total.simulatedMs / 1_000;
  const cpuSeconds = total.cpuMs / 1_000;
  console.log(
    `${to - from + 1} seeds, ${failures} failed: ${seconds.toFixed(0)} simulated s in ` +
      `${cpuSeconds.toFixed(1)} CPU s (${(seconds / cpuSeconds).toFixed(0)}x, median seed ` +
      `${(ratios.sort((a, b) => a - b)[ratios.length >> 1] ?? 0).toFixed(0)}x), ` +
      `${total.operations} operations, ${total.faults} faults, ${total.steps} events`,
  );
  if (to > from) console.log(describeCoverage(coverage));
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  // A mistake in the command needs no stack; a defect of the simulator does.
  const text = errorMessage(error);
  console.error(text.includes(USAGE) || !(error instanceof Error) ? text : error.stack);
  return 2;
});
