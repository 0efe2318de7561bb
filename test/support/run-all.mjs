// Every check and every test, in turn: two cores carry one heavy suite at a time. Ends with one line of counts.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { prepare } from './prepare.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../../..');
const reports = join(root, 'test-output', 'reports');
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const totals = { passed: 0, failed: 0, skipped: 0 };
const steps = [];
/** What failed, told again at the end: a long output is often kept only by its tail. */
const failures = [];

function run(title, command, args) {
  console.log(`\n=== ${title}`);
  const started = Date.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  steps.push({ title, ok: status === 0, seconds: Math.round((Date.now() - started) / 1000) });
  return status === 0;
}

/** A step that is no test suite counts as one check. */
function check(title, script) {
  const ok = run(title, npm, ['run', '--silent', script]);
  totals[ok ? 'passed' : 'failed']++;
  return ok;
}

function suite(title, report, command, args, count) {
  const ok = run(title, command, args);
  try {
    const counts = count(JSON.parse(readFileSync(report, 'utf8')));
    totals.passed += counts.passed;
    totals.failed += counts.failed;
    totals.skipped += counts.skipped;
    failures.push(...counts.failures.map((failure) => `${title}: ${failure}`));
    // Failing without a failed test is a crash of the runner, or a run of nothing.
    if ((!ok && counts.failed === 0) || counts.passed === 0) totals.failed++;
  } catch {
    totals.failed++;
  }
}

function vitest(project) {
  const report = join(reports, `${project}.json`);
  const args = ['vitest', 'run', '--project', project];
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${report}`);
  suite(`${project} tests`, report, 'npx', args, (json) => ({
    passed: json.numPassedTests,
    failed: json.numFailedTests,
    skipped: json.numPendingTests,
    failures: json.testResults.flatMap(failuresOfFile),
  }));
}

function failuresOfFile({ name, message, assertionResults }) {
  const file = relative(root, name);
  const failed = assertionResults.filter(({ status }) => status === 'failed');
  if (failed.length === 0) return message ? [`${file}\n${shortened(message)}`] : [];
  return failed.map(
    ({ fullName, failureMessages }) =>
      `${file} > ${fullName}\n${shortened(failureMessages.join('\n'))}`,
  );
}

function failuresOfSuite(suite) {
  const own = (suite.specs ?? [])
    .filter(({ ok }) => !ok)
    .map(({ file, title, tests }) => {
      const errors = tests.flatMap(({ results }) => results.flatMap((result) => result.errors));
      return `${file} > ${title}\n${shortened(errors.map((error) => error.message).join('\n'))}`;
    });
  return [...own, ...(suite.suites ?? []).flatMap(failuresOfSuite)];
}

/** The first lines of a message: enough to tell what happened, the whole is further up. */
function shortened(message) {
  const lines = stripVTControlCharacters(message).split('\n').slice(0, 15);
  return lines.map((line) => `    ${line.slice(0, 300)}`).join('\n');
}

function playwright() {
  const report = join(reports, 'e2e.json');
  process.env.PLAYWRIGHT_JSON_OUTPUT_NAME = report;
  const args = [
    'playwright',
    'test',
    '-c',
    'test/e2e/playwright.config.ts',
    '--reporter=list,json',
  ];
  suite('end-to-end tests', report, 'npx', args, ({ stats, suites }) => ({
    passed: stats.expected + stats.flaky,
    failed: stats.unexpected,
    skipped: stats.skipped,
    failures: suites.flatMap(failuresOfSuite),
  }));
}

rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
try {
  await prepare({ chromium: true, etcd: true });
} catch (error) {
  console.error(error.message);
  totals.failed++;
}
check('lint', 'lint');
check('types', 'typecheck');
if (check('build', 'build')) {
  vitest('unit');
  vitest('integration');
  playwright();
}
console.log('');
for (const failure of failures) console.log(`FAILED ${failure}\n`);
for (const { title, ok, seconds } of steps)
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${title} (${seconds} s)`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed === 0 ? 0 : 1);
