import type { Clock } from '../../src-main/base/clock.ts';
import type { SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

/** A member's own idea of time: it starts anywhere and runs too fast or too slow. It goes on while the process is paused. */
export class SimClock implements Clock {
  readonly #world: World;
  readonly #process: SimProcess;
  /** Its milliseconds in one true one. */
  readonly #rate: number;
  readonly #offsetMs: number;

  constructor(world: World, process: SimProcess, rate: number, offsetMs: number) {
    this.#world = world;
    this.#process = process;
    this.#rate = rate;
    this.#offsetMs = offsetMs;
  }

  nowMs(): number {
    return this.#offsetMs + this.#world.nowMs * this.#rate;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    if (!this.#process.alive) return () => {};
    return this.#world.after(delayMs / this.#rate, callback, this.#process);
  }
}
