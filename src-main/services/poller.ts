import type { Clock } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';
import { Signal } from './signal.ts';

/** Runs `read` over and over while somebody listens: one reader for any number of views. */
export class Poller implements Disposable {
  readonly #read: () => Promise<void>;
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #rounds = new Signal<unknown>();
  #cancelTimer: (() => void) | null = null;
  #running = false;
  #again = false;
  #disposed = false;

  /** `read` throws to tell the listeners of a failed round. */
  constructor(options: { read: () => Promise<void>; intervalMs: number; clock: Clock }) {
    this.#read = options.read;
    this.#intervalMs = options.intervalMs;
    this.#clock = options.clock;
  }

  get isWanted(): boolean {
    return this.#rounds.hasListeners;
  }

  /** Called after each round, with what it threw or null. The first round starts at once. */
  follow(onRound: (error: unknown) => void): Disposable {
    const subscription = this.#rounds.on(onRound);
    this.runSoon();
    return {
      dispose: () => {
        subscription.dispose();
        if (!this.isWanted) this.#stop();
      },
    };
  }

  /** Now, or right after the round that runs. */
  runSoon(): void {
    if (!this.isWanted || this.#disposed) return;
    if (this.#running) this.#again = true;
    else void this.#round();
  }

  dispose(): void {
    this.#disposed = true;
    this.#stop();
  }

  async #round(): Promise<void> {
    this.#stop();
    this.#running = true;
    let failed: unknown = null;
    try {
      await this.#read();
    } catch (error) {
      failed = error;
    }
    this.#running = false;
    if (this.#disposed) return;
    this.#rounds.emit(failed);
    if (!this.isWanted) return;
    if (this.#again) {
      this.#again = false;
      void this.#round();
      return;
    }
    this.#cancelTimer = this.#clock.setTimer(this.#intervalMs, () => void this.#round());
  }

  #stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
