import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArguments } from './arguments.ts';
import { LastInput } from './last-input.ts';
import { describeFailure } from './report.ts';
import { type Failure, runInput, runTarget } from './runner.ts';
import type { MakeTarget } from './target.ts';
import { TARGETS } from './targets/index.ts';

const OUTPUT = 'test-output/fuzz';
/** Rounds in which the time is spent: every target has a turn with several seeds. */
const ROUNDS = 4;

function makerOf(name: string): MakeTarget {
  const target = TARGETS[name];
  if (target === undefined) throw new Error(`no target ${name}`);
  return target.make;
}

async function repeat(name: string, file: string): Promise<number> {
  const input = Buffer.from((await readFile(file, 'utf8')).trim(), 'hex');
  const error = await runInput(makerOf(name), input);
  console.log(error === undefined ? `${name}: nothing is wrong with ${file}` : error);
  return error === undefined ? 0 : 1;
}

/** Saves the input and prints what happened, with the command that repeats it. */
async function tell(name: string, failure: Failure): Promise<void> {
  const path = join(OUTPUT, `${name}-${failure.seed}-${failure.execution}.hex`);
  await writeFile(path, `${failure.input.toString('hex')}\n`);
  console.log(describeFailure(name, failure));
  console.log(`  npm run fuzz -- --target ${name} --input ${path}`);
}

async function main(): Promise<number> {
  const { minutes, targets, seed, input } = parseArguments(
    process.argv.slice(2),
    Object.keys(TARGETS),
  );
  if (input !== undefined) return repeat(targets[0] as string, input);
  const last = new LastInput(join(OUTPUT, 'last-input.hex'));
  const totals = new Map(targets.map((name) => [name, { executions: 0, failures: 0 }]));
  const turnMs = (minutes * 60_000) / ROUNDS / targets.length;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, total] of totals) {
      const untilMs = Date.now() + turnMs;
      // A failure ends the run of its seed: the next one has the rest of the time.
      for (let next = seed + round; total.failures < 5 && Date.now() < untilMs; next += ROUNDS) {
        const { executions, failure } = await runTarget(makerOf(name), {
          seed: next,
          executions: Number.POSITIVE_INFINITY,
          untilMs,
          onInput: (bytes) => last.put(bytes),
        });
        total.executions += executions;
        const outcome = failure === undefined ? 'nothing found' : 'FAILED';
        console.log(`${name}: seed ${next}, ${executions} executions, ${outcome}`);
        if (failure === undefined) continue;
        total.failures++;
        await tell(name, failure);
      }
    }
  }
  await last.close();
  console.log('');
  for (const [name, { executions, failures }] of totals) {
    console.log(`${name}: ${executions} executions, ${failures} failures`);
  }
  return [...totals.values()].some(({ failures }) => failures > 0) ? 1 : 0;
}

process.exitCode = await main();
