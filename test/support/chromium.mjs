// Finds a Chromium for the e2e tests, or gets one: installed, then Playwright's download, then Debian's package.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const DOWNLOAD_TIMEOUT_MS = 180_000;
const APT_TIMEOUT_MS = 600_000;

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function onPath(name) {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    if (dir !== '' && executable(join(dir, name))) return join(dir, name);
  }
  return undefined;
}

async function playwrights() {
  const { chromium } = await import('@playwright/test');
  const path = chromium.executablePath();
  return path !== '' && existsSync(path) ? path : undefined;
}

/** The path of an installed Chromium, or undefined. */
export async function findChromium() {
  const named = process.env.CHROMIUM_PATH;
  if (named !== undefined && named !== '') {
    if (executable(named)) return named;
    throw new Error(`CHROMIUM_PATH is ${named}, which is no executable file`);
  }
  for (const name of NAMES) {
    const path = onPath(name);
    if (path !== undefined) return path;
  }
  return playwrights();
}

/** Installs Debian packages as root. True if it worked. */
export function aptInstall(packages) {
  if (process.getuid?.() !== 0 || onPath('apt-get') === undefined) return false;
  const run = (...args) =>
    spawnSync('apt-get', args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: APT_TIMEOUT_MS,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0;
  return (
    run('-qq', 'update') && run('-qq', 'install', '-y', '--no-install-recommends', ...packages)
  );
}

/** Finds a Chromium or installs one. Throws with what was tried if there is none to be had. */
export async function ensureChromium() {
  const found = await findChromium();
  if (found !== undefined) return found;
  console.log('No Chromium is installed: trying Playwright’s download.');
  const cli = join(
    import.meta.dirname ?? new URL('.', import.meta.url).pathname,
    '../../node_modules/playwright/cli.js',
  );
  spawnSync(process.execPath, [cli, 'install', 'chromium'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: DOWNLOAD_TIMEOUT_MS,
  });
  const downloaded = await playwrights();
  if (downloaded !== undefined) return downloaded;
  console.log('The download failed: trying Debian’s chromium.');
  aptInstall(['chromium']);
  const installed = await findChromium();
  if (installed !== undefined) return installed;
  throw new Error(
    'The e2e tests need a Chromium and none could be had: none on PATH, Playwright’s download failed, and ' +
      'apt-get is missing, failed, or this is not root. Install one, or set CHROMIUM_PATH.',
  );
}
