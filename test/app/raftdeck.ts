import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const BIN = join(ROOT, 'bin', 'raftdeck');

/** These tests run what users run: the built program. */
export function requireBuild(): void {
  if (existsSync(join(ROOT, 'dist', 'main', 'hosts', 'cli', 'main.js'))) return;
  throw new Error('dist/main is missing: run "npm run build" first');
}

export async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'raftdeck-app-'));
  onTestFinished(async () => {
    await killNodesIn(dir);
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  });
  return dir;
}

/**
 * A test that failed half-way leaves nodes behind: their pid files, in folders of our own making,
 * name them.
 */
async function killNodesIn(dir: string): Promise<void> {
  for (const file of await readdir(dir, { recursive: true })) {
    if (!file.endsWith('node.pid')) continue;
    const { pid } = JSON.parse(await readFile(join(dir, file), 'utf8')) as { pid: number };
    const cmdline = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (cmdline.includes(dir)) process.kill(pid, 'SIGKILL');
  }
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Raftdeck {
  process: ChildProcess;
  /** Ends with the process. */
  exit: Promise<Exit>;
  stdout(): string;
  stderr(): string;
  /** The first whole line on stdout; fails if the process ends without one. */
  firstLine(): Promise<string>;
}

/** Starts bin/raftdeck. It is killed at the end of the test if it still runs. */
export function raftdeck(args: string[], env: NodeJS.ProcessEnv = {}): Raftdeck {
  const child = spawn(process.execPath, [BIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DISPLAY: '', WAYLAND_DISPLAY: '', ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    process: child,
    exit,
    stdout: () => stdout,
    stderr: () => stderr,
    firstLine: () =>
      new Promise((resolve, reject) => {
        const look = () => {
          const end = stdout.indexOf('\n');
          if (end >= 0) resolve(stdout.slice(0, end));
        };
        look();
        child.stdout.on('data', look);
        void exit.then((e) => reject(new Error(`it ended with ${e.code}: ${e.stderr}`)));
      }),
  };
}

/** Until `check` neither throws nor answers false. Ends with its last failure. */
export async function eventually(check: () => unknown, withinMs = 30_000): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    try {
      if ((await check()) !== false) return;
      if (performance.now() > deadlineMs) throw new Error(`still not so: ${check}`);
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
