import { writeFileSync } from 'node:fs';
import { errorMessage } from '../../src-main/base/errors.ts';
import { HELP, parseArguments } from './arguments.ts';
import { measureCeilings } from './ceiling.ts';
import { etcdEngine, ourEngine } from './cluster.ts';
import { runGrowth } from './growth.ts';
import { LoadGenerator } from './load-generator.ts';
import { describeMachine, machineLine } from './report/machine.ts';
import { compact, markdownTable, Results } from './report/table.ts';
import { runPlan } from './run.ts';

/** Where plots go, as seen from the project's folder. */
const OUTPUT_DIR = 'test-output';

async function main(args: string[]): Promise<void> {
  const { help, growth, scale, growthScale, only, json, before, noEtcd } = parseArguments(args);
  if (help) {
    console.log(HELP);
    return;
  }
  const etcd = noEtcd ? undefined : etcdEngine();
  if (etcd === undefined && !noEtcd) console.warn('etcd is not on PATH: figures without a ratio');
  const engines = [
    ourEngine(),
    ...(before === undefined ? [] : [ourEngine('before', before)]),
    ...(etcd === undefined ? [] : [etcd]),
  ];
  const machine = describeMachine(etcd?.command);
  console.log(machineLine(machine));
  const generator = new LoadGenerator();
  try {
    const ceilings = await measureCeilings(generator, scale);
    for (const { clients, perSecond } of ceilings) {
      console.log(`ceiling of the load generator, ${clients} clients: ${compact(perSecond)}/s`);
    }
    const wants = (id: string) => only.length === 0 || only.some((part) => id.includes(part));
    const say = (line: string) => console.log(line);
    const shared = { engines, generator, wants, say };
    let figures: object;
    if (growth) {
      const points = await runGrowth({ ...shared, scale: growthScale }, OUTPUT_DIR);
      figures = { machine, scale: growthScale, ceilings, points };
    } else {
      const results = new Results();
      await runPlan({ ...shared, scale, results });
      const names = engines.map(({ name }) => name);
      console.log(`\n${markdownTable(results, names)}`);
      figures = { machine, scale, ceilings, samples: results.toJson() };
    }
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(figures, undefined, 2)}\n`);
  } finally {
    generator.stop();
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`bench: ${errorMessage(error)}`);
  process.exitCode = 1;
});
