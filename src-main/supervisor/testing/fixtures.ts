import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Clock } from '../../base/clock.ts';

export async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'raftdeck-supervisor-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A clock that goes when told. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #timers: { atMs: number; callback: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** How long until each timer, soonest first. */
  pendingMs(): number[] {
    return this.#timers.map((timer) => timer.atMs - this.#nowMs).sort((a, b) => a - b);
  }

  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.atMs <= untilMs);
      const next = due.sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = next.atMs;
      next.callback();
    }
    this.#nowMs = untilMs;
  }
}

/**
 * A child that listens on its client port and then does as RAFTDECK_TEST_MODE says; its stand-in for a node lets
 * tests crash it in ways that a real one must not.
 */
const FAKE_NODE = `
import { createServer } from 'node:net';
import { readFileSync } from 'node:fs';
const flag = (name) => process.argv[process.argv.indexOf(name) + 1];
const mode = () => readFileSync(process.env.RAFTDECK_TEST_MODE_FILE, 'utf8').trim();
if (mode() === 'crash') { console.error('boom: disk on fire'); process.exit(7); }
if (mode() === 'config') { console.error('bad flag'); process.exit(2); }
if (mode() === 'stubborn') process.on('SIGTERM', () => {});
if (mode() === 'serve') process.on('SIGTERM', () => process.exit(0));
const port = Number(new URL(flag('--listen-client-urls')).port);
createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
`;

export type FakeMode = 'serve' | 'crash' | 'config' | 'stubborn';

export interface FakeNode {
  entry: string;
  env: NodeJS.ProcessEnv;
  setMode(mode: FakeMode): Promise<void>;
}

export async function fakeNode(dir: string, mode: FakeMode): Promise<FakeNode> {
  const entry = join(dir, 'fake-node.mjs');
  const modeFile = join(dir, 'mode');
  await writeFile(entry, FAKE_NODE);
  const setMode = (next: FakeMode) => writeFile(modeFile, next);
  await setMode(mode);
  return { entry, env: { ...process.env, RAFTDECK_TEST_MODE_FILE: modeFile }, setMode };
}

/** Until `check` holds; what it throws does not count. Ends with its last failure. */
export async function eventually(check: () => unknown, withinMs = 20_000): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    try {
      if ((await check()) !== false) return;
      if (performance.now() > deadlineMs) throw new Error(`not so: ${check}`);
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
