import type { Random } from '../base/prng.ts';

export interface RestartLimits {
  /** Delay before the first restart. */
  baseDelayMs: number;
  /** Each further one doubles, up to this. */
  maxDelayMs: number;
  /**
   * Share of the delay that is random, so that three nodes that fell together do not rise together.
   */
  jitter: number;
  /** A node that served this long was healthy: the count of failures starts anew. */
  healthyAfterMs: number;
  /** After this many failures in a row it stays down. */
  maxQuickFailures: number;
}

export const DEFAULT_RESTART_LIMITS: RestartLimits = {
  baseDelayMs: 200,
  maxDelayMs: 5_000,
  jitter: 0.2,
  healthyAfterMs: 5_000,
  maxQuickFailures: 5,
};

export type RestartDecision =
  | { restart: true; delayMs: number }
  /** `failures` in a row, none of which was healthy for long enough. */
  | { restart: false; failures: number };

/** Decides whether and when a crashed node is started again. */
export class RestartPolicy {
  readonly #limits: RestartLimits;
  readonly #random: Random;
  #failures = 0;

  constructor(limits: RestartLimits, random: Random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** A crash after having served for `servedMs`; 0 if it never did. */
  onCrash(servedMs: number): RestartDecision {
    const { baseDelayMs, maxDelayMs, jitter, healthyAfterMs, maxQuickFailures } = this.#limits;
    if (servedMs >= healthyAfterMs) this.#failures = 0;
    this.#failures += 1;
    if (this.#failures >= maxQuickFailures) return { restart: false, failures: this.#failures };
    const delayMs = Math.min(maxDelayMs, baseDelayMs * 2 ** (this.#failures - 1));
    const steps = 1_000;
    const spread = (this.#random.below(steps + 1) / steps - 0.5) * jitter;
    return { restart: true, delayMs: Math.round(delayMs * (1 + spread)) };
  }

  /** Somebody asked for a start: what happened before does not count. */
  reset(): void {
    this.#failures = 0;
  }
}
