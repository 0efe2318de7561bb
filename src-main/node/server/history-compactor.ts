import type { Clock } from '../../base/clock.ts';
import type { StateMachine } from '../apply/types.ts';

/** How fast a compaction goes about it: etcd's --experimental-compaction-batch-limit and -sleep-interval. */
export interface CompactionPace {
  /** Rows of history removed in one turn of the event loop, and the rest after it; 0 lets one turn's requests pass. */
  sliceRows: number;
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
  #cancelRest: () => void = () => {};

  /** `isPaused`: nothing may be written now, a snapshot is replacing the state; whoever ends that kicks again. */
  constructor(
    state: StateMachine,
    isPaused: () => boolean,
    onFatal: (error: unknown) => void,
    pace: CompactionPace,
    clock: Clock,
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
    this.#cancelRest();
  }

  #slice(): void {
    if (this.#stopped || this.#isPaused() || this.#state.pendingCompaction === undefined) {
      this.#running = false;
      return;
    }
    try {
      this.#state.compactSlice(this.#pace.sliceRows);
      this.#next();
    } catch (error) {
      this.#onFatal(error);
    }
  }

  #next(): void {
    const { restMs } = this.#pace;
    if (restMs === 0) setImmediate(() => this.#slice());
    else this.#cancelRest = this.#clock.setTimer(restMs, () => this.#slice());
  }
}
