import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';

/** An input that keeps the thread for longer is taken for one that never ends. */
const HANG_MS = 30_000;

/** A thread of its own ends the process when the count in the shared memory stands still. */
const WATCHDOG = `
  const { workerData } = require('node:worker_threads');
  const count = new Int32Array(workerData.shared);
  for (let seen = Atomics.load(count, 0); ; seen = Atomics.load(count, 0)) {
    if (Atomics.wait(count, 0, seen, workerData.hangMs) === 'timed-out') {
      require('node:fs').writeSync(2, workerData.message);
      process.kill(process.pid, 'SIGKILL');
    }
  }`;

/**
 * Keeps the input under way in a file: what ends the process, or never ends, cannot be told of
 * afterwards.
 */
export class LastInput {
  readonly path: string;
  readonly #file: number;
  readonly #count = new Int32Array(new SharedArrayBuffer(4));
  readonly #watchdog: Worker;

  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, 'w');
    const message = `one input takes more than ${HANG_MS / 1000} s: it is in ${path}\n`;
    const workerData = { shared: this.#count.buffer, hangMs: HANG_MS, message };
    this.#watchdog = new Worker(WATCHDOG, { eval: true, workerData });
    this.#watchdog.unref();
  }

  put(input: Buffer): void {
    ftruncateSync(this.#file, 0);
    writeSync(this.#file, input.toString('hex'), 0);
    this.beat();
  }

  /** Something came to its end. */
  beat(): void {
    Atomics.add(this.#count, 0, 1);
    Atomics.notify(this.#count, 0);
  }

  async close(): Promise<void> {
    await this.#watchdog.terminate();
    closeSync(this.#file);
  }
}
