import { writeFileSync } from 'node:fs';
import { errorMessage } from '../../src-main/base/errors.ts';
import { HELP, parseArguments } from './arguments.ts';
import { measureCeilings } from './ceiling.ts';
import { etcdEngine, ourEngine } from './cluster.ts';
import { LoadGenerator } from './load-generator.ts';
import { describeMachine, machineLine } from './report/machine.ts';
import { compact, markdownTable, Results } from './report/table.ts';
import { runPlan } from './run.ts';

async function main(args: string[]): Promise<void> {
  const { help, scale, only, json, before, noEtcd } = parseArguments(args);
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
  const results = new Results();
  try {
    const ceilings = await measureCeilings(generator, scale);
    for (const { clients, perSecond } of ceilings) {
      console.log(`ceiling of the load generator, ${clients} clients: ${compact(perSecond)}/s`);
    }
    await runPlan({
      engines,
      scale,
      generator,
      results,
      wants: (id) => only.length === 0 || only.some((part) => id.includes(part)),
      say: (line) => console.log(line),
    });
    const names = engines.map(({ name }) => name);
    console.log(`\n${markdownTable(results, names)}`);
    if (json !== undefined) {
      const figures = { machine, scale, ceilings, samples: results.toJson() };
      writeFileSync(json, `${JSON.stringify(figures, undefined, 2)}\n`);
    }
  } finally {
    generator.stop();
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`bench: ${errorMessage(error)}`);
  process.exitCode = 1;
});
