/**
 * Counts frames of a kind that costs work and brings none, over a span of time. What the kind
 * legitimately goes along with earns credit, up to one budget.
 */
export class FloodGuard {
  readonly #budget: number;
  readonly #windowMs: number;
  readonly #nowMs: () => number;
  #windowStartMs: number;
  /** May be negative by what was earned: at least -budget. */
  #spent = 0;

  constructor(budget: number, windowMs: number, nowMs: () => number) {
    this.#budget = budget;
    this.#windowMs = windowMs;
    this.#nowMs = nowMs;
    this.#windowStartMs = nowMs();
  }

  /** False once the budget of this window is exceeded. */
  spend(): boolean {
    this.#spent += 1;
    if (this.#spent <= this.#budget) return true;
    // The clock is asked only here, so the guard costs nothing while all is well.
    const now = this.#nowMs();
    if (now - this.#windowStartMs < this.#windowMs) return false;
    this.#windowStartMs = now;
    this.#spent = 1;
    return true;
  }

  earn(): void {
    if (this.#spent > -this.#budget) this.#spent -= 1;
  }
}
