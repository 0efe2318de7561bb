import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { hasDisplay } from './display.ts';
import type { Output } from './output.ts';

/** About 110 MB over a slow line; who has none waits no longer than for the first probe. */
const FETCH_TIMEOUT_MS = 5 * 60_000;
const PROBE_TIMEOUT_MS = 4_000;
const DEFAULT_MIRROR = 'https://github.com/electron/electron/releases/download/';

export type ElectronBinary = { path: string } | { missing: string };

/**
 * Why no window can be opened on this machine, whether Electron is there or not; null if one can.
 */
export function whyNoWindow(
  platform: NodeJS.Platform,
  env: NodeJS.ProcessEnv,
  isRoot: boolean,
): string | null {
  if (!hasDisplay(platform, env)) return 'there is no display';
  // Chromium refuses to run as root with its sandbox, and ours stays on.
  if (platform === 'linux' && isRoot) return 'Electron does not run as root with its sandbox on';
  return null;
}

/** Electron's binary, fetched on first use as Electron's own package does it. */
export async function findElectron(
  env: NodeJS.ProcessEnv,
  output: Output,
): Promise<ElectronBinary> {
  const packageDir = electronPackageDir();
  if (packageDir === null) return { missing: 'the electron package is not installed' };
  const present = installedBinary(packageDir, env);
  if (present !== null) return { path: present };
  const unreachable = await whyUnreachable(env);
  if (unreachable !== null) return { missing: `Electron cannot be fetched (${unreachable})` };
  output.err('Fetching Electron, once…\n');
  const failure = await fetchBinary(packageDir, env);
  if (failure !== null) return { missing: `Electron could not be fetched (${failure})` };
  const fetched = installedBinary(packageDir, env);
  return fetched === null
    ? { missing: 'Electron was fetched, but is not there' }
    : { path: fetched };
}

function electronPackageDir(): string | null {
  try {
    return dirname(createRequire(import.meta.url).resolve('electron/package.json'));
  } catch {
    return null;
  }
}

/** As electron/index.js finds it, without its blocking download when it is missing. */
export function installedBinary(packageDir: string, env: NodeJS.ProcessEnv): string | null {
  try {
    const name = readFileSync(join(packageDir, 'path.txt'), 'utf8');
    const folder = env.ELECTRON_OVERRIDE_DIST_PATH || join(packageDir, 'dist');
    const path = join(folder, name);
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}

/**
 * A quick look whether a download has a chance: a firewall that drops packets would cost minutes.
 */
async function whyUnreachable(env: NodeJS.ProcessEnv): Promise<string | null> {
  const usesProxy = [env.HTTPS_PROXY, env.https_proxy, env.ALL_PROXY, env.all_proxy].some(Boolean);
  // Node's own fetch knows no proxies; Electron's downloader does.
  if (usesProxy) return null;
  const mirror = env.ELECTRON_MIRROR || env.npm_config_electron_mirror || DEFAULT_MIRROR;
  try {
    const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    await fetch(new URL(mirror).origin, { method: 'HEAD', redirect: 'manual', signal });
    return null;
  } catch {
    return `${mirror} does not answer`;
  }
}

/** Runs electron/install.js. Resolves with what went wrong, or null. */
function fetchBinary(packageDir: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  return new Promise((resolve) => {
    const child: ChildProcess = spawn(process.execPath, [join(packageDir, 'install.js')], {
      env,
      // Its progress belongs on the terminal, but its stack traces on failure do not.
      stdio: ['ignore', 'ignore', 'ignore'],
      windowsHide: true,
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), FETCH_TIMEOUT_MS);
    const finish = (failure: string | null) => {
      clearTimeout(timer);
      resolve(failure);
    };
    child.once('error', (error) => finish(error.message));
    child.once('exit', (code, signal) => {
      if (code === 0) finish(null);
      else finish(signal === null ? `its installer exited with code ${code}` : 'it took too long');
    });
  });
}
