import { parseArgs } from 'node:util';
import { loadHistory, saveHistory } from './history-file.ts';
import { describeReport, describeReports, isGood, judge, type Report } from './report.ts';
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
    const { history, failure, logs } = await runRealCluster({
      ...{ seed, seconds: ROUND_SECONDS, engine },
    });
    const report = judge(history, failure);
    console.log(describeReport(report));
    if (!isGood(report)) {
      const path = saveHistory(history, logs);
      console.log(`  history: ${path}; npm run robustness -- --judge ${path}`);
    }
    reports.push(report);
  }
  console.log(describeReports(reports));
  return reports;
}

async function main(): Promise<number> {
  if (values.judge !== undefined) {
    const report = judge(loadHistory(values.judge));
    console.log(describeReport(report));
    return isGood(report) ? 0 : 1;
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
  return reports.every(isGood) ? 0 : 1;
}

process.exitCode = await main();
