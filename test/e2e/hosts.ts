import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  _electron,
  type Browser,
  chromium,
  type ElectronApplication,
  type Page,
} from '@playwright/test';
import { findChromium } from '../support/chromium.mjs';
import { RAFTDECK, ROOT } from '../support/cluster.ts';

/** Electron's executable where it was downloaded; undefined, said aloud, where it was not. Never downloads it. */
export function electronBinary(): string | undefined {
  const root = dirname(createRequire(import.meta.url).resolve('electron/package.json'));
  const pathFile = join(root, 'path.txt');
  const binary = existsSync(pathFile) ? join(root, 'dist', readFileSync(pathFile, 'utf8')) : '';
  if (binary !== '' && existsSync(binary)) return binary;
  // Playwright loads the configuration in every worker: say it once.
  if (process.env.TEST_WORKER_INDEX === undefined) {
    console.warn(
      'SKIPPED: the electron project. Electron’s binary is not downloaded on this machine.',
    );
  }
  return undefined;
}

export interface RunningApp {
  page: Page;
  close(): Promise<void>;
}

const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
];

/** Starts the app on a data folder in the host that the project names, and opens its window. */
export async function launchApp(host: string, dataDir: string): Promise<RunningApp> {
  return host === 'electron' ? launchElectron(dataDir) : launchBrowser(dataDir);
}

async function launchElectron(dataDir: string): Promise<RunningApp> {
  const app: ElectronApplication = await _electron.launch({
    executablePath: electronBinary() as string,
    args: [ROOT, '--no-sandbox'],
    env: { ...(process.env as Record<string, string>), RAFTDECK_DATA_DIR: dataDir },
  });
  return { page: await app.firstWindow(), close: () => app.close() };
}

export interface Served {
  url: string;
  process: ChildProcess;
  stop(): Promise<number | null>;
}

/** Runs `raftdeck serve` and waits for the URL it prints. */
export async function serve(dataDir: string): Promise<Served> {
  const child = spawn(process.execPath, [RAFTDECK, 'serve', '--no-open', '--data-dir', dataDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /https?:\/\/127\.0\.0\.1:\d+\S*/.exec(line)?.[0];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', (code) => reject(new Error(`raftdeck serve ended with ${code}: ${said}`)));
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return {
    url,
    process: child,
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

export async function openChromium(): Promise<Browser> {
  const executablePath = await findChromium();
  if (executablePath === undefined) throw new Error('no Chromium: npm run test:e2e installs one');
  return chromium.launch({ executablePath, args: CHROMIUM_ARGS });
}

async function launchBrowser(dataDir: string): Promise<RunningApp> {
  const served = await serve(dataDir);
  const browser = await openChromium();
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(served.url);
  return {
    page,
    async close() {
      await browser.close();
      await served.stop();
    },
  };
}
