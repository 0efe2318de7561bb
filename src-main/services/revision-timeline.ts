import type { RevisionAt } from '../contract/storage-tools.ts';

/** How finely it is remembered lately, and how finely before that. */
const RECENT_STEP_MS = 2_000;
const RECENT_MS = 600_000;
const STEP_MS = 60_000;
/** A week of minutes. */
const MAX_OLD = 10_080;

/** Which revision was current when, as far as the app looked while it ran. */
export class RevisionTimeline {
  /** Oldest first, as are the recent ones, which are all newer. */
  #old: RevisionAt[] = [];
  #recent: RevisionAt[] = [];

  record(atMs: number, revision: number): void {
    const last = this.#recent.at(-1);
    if (last !== undefined && atMs - last.atMs < RECENT_STEP_MS) return;
    this.#recent.push({ atMs, revision });
    while (this.#recent.length > 0 && atMs - (this.#recent[0] as RevisionAt).atMs > RECENT_MS) {
      const aged = this.#recent.shift() as RevisionAt;
      if (aged.atMs - (this.#old.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) < STEP_MS) continue;
      this.#old.push(aged);
      if (this.#old.length > MAX_OLD) this.#old.shift();
    }
  }

  entries(): RevisionAt[] {
    return [...this.#old, ...this.#recent];
  }
}
