import type { Disposable } from '../../base/disposable.ts';

/** SIGHUP comes when the terminal is closed. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/**
 * A terminal's Ctrl-C may arrive twice: from the terminal, and passed on by npm. Signals this close
 * to each other are one wish.
 */
const SAME_WISH_MS = 500;

/** Turns the first signal into a wish to stop, and a second one into the wish to stop at once. */
export class Shutdown implements Disposable {
  /** Resolves with the first signal. */
  readonly asked: Promise<NodeJS.Signals>;
  /** Resolves with the second. */
  readonly forced: Promise<NodeJS.Signals>;
  readonly #listener: (signal: NodeJS.Signals) => void;
  #isAsked = false;
  #isForced = false;

  constructor() {
    let ask: (signal: NodeJS.Signals) => void = () => {};
    let force: (signal: NodeJS.Signals) => void = () => {};
    this.asked = new Promise((resolve) => {
      ask = resolve;
    });
    this.forced = new Promise((resolve) => {
      force = resolve;
    });
    let firstAtMs = 0;
    this.#listener = (signal) => {
      if (!this.#isAsked) firstAtMs = performance.now();
      if (this.#isAsked && performance.now() - firstAtMs >= SAME_WISH_MS) {
        this.#isForced = true;
        force(signal);
      }
      this.#isAsked = true;
      ask(signal);
    };
    for (const signal of SIGNALS) process.on(signal, this.#listener);
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }

  get isForced(): boolean {
    return this.#isForced;
  }

  dispose(): void {
    for (const signal of SIGNALS) process.off(signal, this.#listener);
  }
}
