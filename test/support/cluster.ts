import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

export { freeBasePort } from '../../src-main/base/testing/free-ports.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
export const RAFTDECK = join(ROOT, 'bin/raftdeck');
export const NODE_MAIN = join(ROOT, 'dist/main/node/main.js');

export interface UpNode {
  name: string;
  pid: number;
  clientUrl: string;
  peerUrl: string;
  dataDir: string;
}

export interface Up {
  endpoints: string[];
  nodes: UpNode[];
  /** From the start of the command to the line that says that there is a leader. */
  leaderMs: number;
  process: ChildProcess;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export function tempDir(): string {
  return mkdtempSync(join(tmpdir(), 'raftdeck-test-'));
}

export function removeDir(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

/** Runs `raftdeck up --json` and waits for its line. Rejects with what it said if it ends before. */
export async function up(dataDir: string, args: string[] = []): Promise<Up> {
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [RAFTDECK, 'up', '--json', '--data-dir', dataDir, ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const line = await new Promise<string>((resolveLine, reject) => {
    createInterface({ input: child.stdout }).once('line', resolveLine);
    child.once('exit', (code) => reject(new Error(`raftdeck up ended with ${code}: ${said}`)));
  });
  const leaderMs = performance.now() - started;
  const parsed = JSON.parse(line) as { endpoints: string[]; nodes: UpNode[] };
  const exited = new Promise<number | null>((resolveExit) => child.once('exit', resolveExit));
  return {
    ...parsed,
    leaderMs,
    process: child,
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return exited;
    },
  };
}

export function onPath(name: string): boolean {
  return spawnSync('which', [name]).status === 0;
}

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs etcdctl against the endpoints, to its end. */
export function etcdctl(endpoints: string[], ...args: string[]): Ran {
  const result = spawnSync('etcdctl', [`--endpoints=${endpoints.join(',')}`, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ETCDCTL_API: '3' },
    timeout: 30_000,
  });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** Waits until `probe` answers something, at most `timeoutMs`. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not in ${timeoutMs} ms: ${what}`);
    await new Promise((resolveNext) => setTimeout(resolveNext, 25));
  }
}
