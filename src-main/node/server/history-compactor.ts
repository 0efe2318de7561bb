import type { Clock } from '../../base/clock.ts';
import type { StateMachine } from '../apply/types.ts';
import type { Schedule } from '../mvcc/schedule.ts';

/** The part of the state machine that compactions need. */
export type CompactionState = Pick<StateMachine, 'pendingCompaction' | 'compactSlice'>;

/** How fast a compaction goes about it: etcd's --experimental-compaction-batch-limit and -sleep-interval. */
export interface CompactionPace {
  /** Rows of history removed in one turn of the event loop. */
  sliceRows: number;
  /** Least rest after it. */
  restMs: number;
}

/**
 * A compaction rests this many times as long as its slice took, so that it never takes more than a quarter of the
 * event loop: a put needs several turns, and without a rest would wait for a slice in each of them.
 */
const REST_FACTOR = 3;

/** Removes what a compaction left behind, in slices, with requests served in between. Goes on after a restart. */
export class HistoryCompactor {
  readonly #state: CompactionState;
  readonly #isPaused: () => boolean;
  readonly #onFatal: (error: unknown) => void;
  readonly #pace: CompactionPace;
  readonly #clock: Clock;
  readonly #schedule: Schedule;
  #running = false;
  #stopped = false;
  #cancelRest: () => void = () => {};

  /** `isPaused`: nothing may be written now, a snapshot is replacing the state; whoever ends that kicks again. */
  constructor(
    state: CompactionState,
    isPaused: () => boolean,
    onFatal: (error: unknown) => void,
    pace: CompactionPace,
    clock: Clock,
    schedule: Schedule,
  ) {
    this.#state = state;
    this.#isPaused = isPaused;
    this.#onFatal = onFatal;
    this.#pace = pace;
    this.#clock = clock;
    this.#schedule = schedule;
  }

  /** Starts if there is something to do and it does not run yet. */
  kick(): void {
    if (this.#running || this.#state.pendingCompaction === undefined) return;
    this.#running = true;
    this.#schedule(() => this.#slice());
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
      const startedMs = this.#clock.nowMs();
      this.#state.compactSlice(this.#pace.sliceRows);
      const restMs = REST_FACTOR * (this.#clock.nowMs() - startedMs);
      this.#cancelRest = this.#clock.setTimer(Math.max(restMs, this.#pace.restMs), () =>
        this.#slice(),
      );
    } catch (error) {
      this.#onFatal(error);
    }
  }
}
