import { expect, test } from 'vitest';
import { saveHistory } from './history/history-file.ts';
import { describeReport, isGood, judge } from './history/report.ts';
import { runRealCluster } from './history/run.ts';

const SECONDS = 45;
/** Without so many there is little to judge. */
const ACKNOWLEDGED = 500;
/** Healing may take its time on a busy machine. */
const TIMEOUT_MS = 600_000;

test('real members that are killed, stopped, cut off, filled up and replaced keep their promises', {
  timeout: TIMEOUT_MS,
}, async () => {
  const run = await runRealCluster({
    seed: 1,
    seconds: SECONDS,
    engine: 'raftdeck',
    minAcknowledged: ACKNOWLEDGED,
  });
  const report = judge(run.history, run.failure);
  const summary = describeReport(report);
  console.log(summary);
  if (!isGood(report)) console.log(`history: ${saveHistory(run.history, run.logs)}`);
  expect(isGood(report), summary).toBe(true);
  expect(report.acknowledged).toBeGreaterThanOrEqual(ACKNOWLEDGED);
  expect(report.faults.size).toBeGreaterThan(3);
});
