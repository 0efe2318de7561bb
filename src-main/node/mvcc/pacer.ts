import type { Schedule } from './schedule.ts';

/**
 * What is read between two turns of the event loop: about a millisecond of work. A put takes several
 * turns and waits for a slice in each.
 */
const SLICE_ROWS = 100;
const SLICE_BYTES = 256 * 1024;

/** Cuts a long read into slices, with requests served in between. */
export class Pacer {
  readonly #schedule: Schedule;
  readonly #signal: AbortSignal | undefined;
  #rows = 0;
  #bytes = 0;

  constructor(schedule: Schedule, signal?: AbortSignal) {
    this.#schedule = schedule;
    this.#signal = signal;
  }

  /** True if the slice is used up: the caller then waits for `turn`. */
  spend(bytes: number): boolean {
    this.#rows++;
    this.#bytes += bytes;
    return this.#rows >= SLICE_ROWS || this.#bytes >= SLICE_BYTES;
  }

  /** Throws the signal's reason if nobody waits for the result any more. */
  async turn(): Promise<void> {
    this.#rows = 0;
    this.#bytes = 0;
    this.#signal?.throwIfAborted();
    await new Promise<void>((resolve) => this.#schedule(resolve));
    this.#signal?.throwIfAborted();
  }
}
