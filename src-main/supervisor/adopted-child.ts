import type { Clock } from '../base/clock.ts';
import type { ChildExit, ChildHandle } from './launcher.ts';
import type { Orphan } from './pid-file.ts';
import { processInfo, signalIfAlive } from './process-info.ts';

/** How often an adopted process is looked at: nobody but its parent is told of its end. */
export const ADOPTED_POLL_MS = 200;

/** A process that a former supervisor started. Its exit code cannot be known. */
export class AdoptedChild implements ChildHandle {
  readonly pid: number;
  readonly #startTime: string;
  readonly #clock: Clock;
  readonly #listeners: ((exit: ChildExit) => void)[] = [];
  #exit: ChildExit | null = null;
  #cancelPoll: () => void = () => {};
  #released = false;

  constructor(orphan: Orphan, clock: Clock) {
    this.pid = orphan.pid;
    this.#startTime = orphan.startTime;
    this.#clock = clock;
    this.#schedule();
  }

  onExit(listener: (exit: ChildExit) => void): void {
    if (this.#exit === null) this.#listeners.push(listener);
    else listener(this.#exit);
  }

  terminate(): void {
    this.#signal('SIGTERM');
  }

  kill(): void {
    this.#signal('SIGKILL');
  }

  /** Stops looking; the process goes on. */
  release(): void {
    this.#released = true;
    this.#cancelPoll();
  }

  #schedule(): void {
    if (this.#released) return;
    this.#cancelPoll = this.#clock.setTimer(ADOPTED_POLL_MS, () => void this.#poll());
  }

  async #poll(): Promise<void> {
    const info = await processInfo(this.pid);
    if (info !== null && info.startTime === this.#startTime) {
      this.#schedule();
      return;
    }
    if (this.#released) return;
    this.#exit = { code: null, signal: null };
    for (const listener of this.#listeners.splice(0)) listener(this.#exit);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#exit === null) signalIfAlive(this.pid, signal);
  }
}
