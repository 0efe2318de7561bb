import { parseArgs } from 'node:util';
import { loadHistory, saveHistory } from './history-file.ts';
import { describeReport, judge, type Report } from './report.ts';
import { runRealCluster } from './run.ts';

/** Each round has a cluster of its own, so that its history can be judged from the first revision on. */
const ROUND_SECONDS = 60;
const USAGE = `usage: npm run robustness -- [--minutes M] [--seed S] [--engine raftdeck|etcd] | --judge FILE`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    engine: { type: 'string', default: 'raftdeck' },
    judge: { type: 'string' },
  },
});

async function rounds(minutes: number, firstSeed: number, engine: 'raftdeck' | 'etcd') {
  const until = performance.now() + minutes * 60_000;
  const reports: Report[] = [];
  for (let seed = firstSeed; performance.now() < until; seed++) {
    const history = await runRealCluster({ seed, seconds: ROUND_SECONDS, engine });
    const report = judge(history);
    console.log(describeReport(report));
    if (report.violations.length > 0) {
      const path = saveHistory(history);
      console.log(`  history: ${path}; npm run robustness -- --judge ${path}`);
    }
    reports.push(report);
  }
  console.log(describeAll(reports));
  return reports;
}

function describeAll(reports: readonly Report[]): string {
  const sum = (of: (report: Report) => number) => reports.reduce((all, one) => all + of(one), 0);
  const faults = sum(({ faults: kinds }) => [...kinds.values()].reduce((a, b) => a + b, 0));
  return (
    `${reports.length} rounds: ${sum((one) => one.operations)} operations, ` +
    `${sum((one) => one.acknowledged)} acknowledged, ${sum((one) => one.unknown)} unknown, ` +
    `${sum((one) => one.events)} events, ${faults} faults, ` +
    `${sum((one) => one.violations.length)} violations`
  );
}

async function main(): Promise<number> {
  if (values.judge !== undefined) {
    const report = judge(loadHistory(values.judge));
    console.log(describeReport(report));
    return report.violations.length === 0 ? 0 : 1;
  }
  const minutes = Number(values.minutes);
  const seed = Number(values.seed ?? Date.now() % 100_000);
  const { engine } = values;
  const isKnown = engine === 'raftdeck' || engine === 'etcd';
  if (!isKnown || !(minutes > 0) || !Number.isInteger(seed)) {
    console.error(USAGE);
    return 2;
  }
  const reports = await rounds(minutes, seed, engine);
  return reports.every(({ violations }) => violations.length === 0) ? 0 : 1;
}

process.exitCode = await main();
