import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { until } from '../../support/cluster.ts';
import type { Target } from './targets.ts';

export interface CtlResult {
  code: number | null;
  stdout: string;
  /**
   * The line that begins with "Error:", without what logging put around it; empty if there is none.
   */
  error: string;
}

/** For a machine that is busy: `check datascale` puts ten thousand keys. */
const CTL_TIMEOUT_MS = 100_000;

function start(target: Target, args: string[]): ChildProcess {
  const child = spawn('etcdctl', ['--endpoints', target.address, ...args], {
    env: { PATH: process.env.PATH, ETCDCTL_API: '3' },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: CTL_TIMEOUT_MS,
  });
  // A command that does not read its input may have ended before it gets any.
  child.stdin.on('error', () => {});
  return child;
}

/** Runs the real etcdctl to its end. */
export async function etcdctl(target: Target, args: string[], input = ''): Promise<CtlResult> {
  const child = start(target, args);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('latin1');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('latin1');
  });
  child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  const error = stderr.split('\n').find((line) => line.startsWith('Error:')) ?? '';
  return { code, stdout, error };
}

/** Runs etcdctl and parses what `-w json` printed. Throws if it failed. */
export async function etcdctlJson(target: Target, args: string[]): Promise<unknown> {
  const { code, stdout, error } = await etcdctl(target, [...args, '-w', 'json']);
  if (code !== 0) throw new Error(`etcdctl ${args.join(' ')} on ${target.name}: ${error}`);
  // Numbers beyond 2^53 are ids, which are masked or compared as text.
  const exact = stdout.replace(/:(\d{16,})/g, ':"$1"');
  return JSON.parse(exact) as unknown;
}

/** Runs a command that does not end by itself, until it has printed `lines` lines. */
export async function etcdctlLines(
  target: Target,
  args: string[],
  lines: number,
  onStarted: () => Promise<void> = async () => {},
): Promise<string[]> {
  const child = start(target, args);
  const seen: string[] = [];
  const enough = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
      seen.push(line);
      if (seen.length >= lines) resolve();
    });
    child.once('close', () => resolve());
  });
  await onStarted();
  await enough;
  if (child.exitCode === null) {
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    await closed;
  }
  return seen.slice(0, lines);
}

/** Runs etcdctl on files, or on endpoints among the arguments. Throws with what it said if it fails. */
export async function etcdctlAlone(args: string[]): Promise<string> {
  const child = spawn('etcdctl', args, {
    env: { PATH: process.env.PATH, ETCDCTL_API: '3' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('latin1');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('latin1');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`etcdctl ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout;
}

/** A command that goes on until it is stopped: what it printed so far, and its input. */
export class EtcdctlSession {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;

  constructor(target: Target, args: string[]) {
    this.#child = start(target, args);
    createInterface({ input: this.#child.stdout as Readable }).on('line', (line) =>
      this.lines.push(line),
    );
    this.#child.stderr?.resume();
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits until `done` holds for the lines so far. */
  async until(done: (lines: string[]) => boolean): Promise<string[]> {
    await until(
      'what etcdctl prints',
      () => {
        if (done(this.lines)) return true;
        if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.lines.join('|')}`);
        return undefined;
      },
      CTL_TIMEOUT_MS,
    );
    return this.lines;
  }

  /** Ends it as ^C does, and waits. Answers the exit code. */
  async stop(signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = once(this.#child, 'close');
      this.#child.kill(signal);
      await closed;
    }
    return this.#child.exitCode;
  }
}
