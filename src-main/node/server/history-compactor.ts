import type { StateMachine } from '../apply/types.ts';

/** Rows of history removed between two turns while a compaction runs. */
const SLICE_ROWS = 250;

/** Removes what a compaction left behind, in slices, with requests served in between. Goes on after a restart. */
export class HistoryCompactor {
  readonly #state: StateMachine;
  readonly #isPaused: () => boolean;
  readonly #onFatal: (error: unknown) => void;
  #running = false;
  #stopped = false;

  /** `isPaused`: nothing may be written now, a snapshot is replacing the state; whoever ends that kicks again. */
  constructor(state: StateMachine, isPaused: () => boolean, onFatal: (error: unknown) => void) {
    this.#state = state;
    this.#isPaused = isPaused;
    this.#onFatal = onFatal;
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
      this.#state.compactSlice(SLICE_ROWS);
      setImmediate(() => this.#slice());
    } catch (error) {
      this.#onFatal(error);
    }
  }
}
