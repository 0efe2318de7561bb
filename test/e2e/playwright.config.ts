import { defineConfig } from '@playwright/test';
import { electronBinary } from './hosts.ts';

// One at a time: three nodes, a host and a browser share the cores.
export default defineConfig({
  testDir: '.',
  testMatch: '*.spec.ts',
  outputDir: '../../test-output/e2e',
  workers: 1,
  fullyParallel: false,
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  reporter: 'list',
  projects: [
    { name: 'browser' },
    // Written once, run per host: where Electron's binary is missing, hosts.ts says so aloud.
    ...(electronBinary() === undefined ? [] : [{ name: 'electron' }]),
  ],
});
