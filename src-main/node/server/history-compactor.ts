import type { Clock } from '../../base/clock.ts';
import type { StateMachine } from '../apply/types.ts';

export interface CompactionPace {
  /** Rows of history removed in one go (--experimental-compaction-batch-limit). */
  rows: number;
  /** Rest after each (--experimental-compaction-sleep-interval); 0: only what waits is served. */
  restMs: number;
}

/** Removes what a compaction left behind, in slices, with requests served in between. Goes on after a restart. */
export class HistoryCompactor {
  readonly #state: StateMachine;
  readonly #isPaused: () => boolean;
  readonly #onFatal: (error: unknown) => void;
  readonly #pace: CompactionPace;
  readonly #clock: Clock;
  #running = false;
  #stopped = false;

  /** `isPaused`: nothing may be written now, a snapshot is replacing the state; whoever ends that kicks again. */
  constructor(
    state: StateMachine,
    pace: CompactionPace,
    clock: Clock,
    isPaused: () => boolean,
    onFatal: (error: unknown) => void,
  ) {
    this.#state = state;
    this.#isPaused = isPaused;
    this.#onFatal = onFatal;
    this.#pace = pace;
    this.#clock = clock;
  }

  /** Starts if there is something to do and it does not run yet. */
  kick(): void {
    if (this.#running || this.#state.pendingCompaction === undefined) return;
    this.#running = true;
    setImmediate(() => this.#slice());
  }

  stop(): void {
    this.#stopped = true;
  }

  #slice(): void {
    if (this.#stopped || this.#isPaused() || this.#state.pendingCompaction === undefined) {
      this.#running = false;
      return;
    }
    try {
      this.#state.compactSlice(this.#pace.rows);
      if (this.#pace.restMs > 0) this.#clock.setTimer(this.#pace.restMs, () => this.#slice());
      else setImmediate(() => this.#slice());
    } catch (error) {
      this.#onFatal(error);
    }
  }
}
