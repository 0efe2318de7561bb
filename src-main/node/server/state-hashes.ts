import { hashKv, hashState, type KvHash } from '../mvcc/hash.ts';
import type { Schedule } from '../mvcc/schedule.ts';
import type { StateStore, StateView } from '../storage/types.ts';
import { nodeError } from './proposals.ts';
import { withView } from './views.ts';

/** Calls that wait while one is served. Each reads the whole history, so they go one by one. */
const MAX_WAITING = 32;

/** Sums over the state, for clients and for members that compare theirs. */
export class StateHashes {
  readonly #store: StateStore;
  readonly #schedule: Schedule;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: StateStore, schedule: Schedule) {
    this.#store = store;
    this.#schedule = schedule;
  }

  /** 0 is the current revision. Throws Compacted, FutureRev and TooManyRequests. */
  kv(revision: number, signal?: AbortSignal): Promise<KvHash> {
    return this.#queue((view) => hashKv(view, revision, this.#schedule, signal), signal);
  }

  state(signal?: AbortSignal): Promise<{ hash: number; revision: number }> {
    return this.#queue((view) => hashState(view, this.#schedule, signal), signal);
  }

  #queue<T>(work: (view: StateView) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#waiting >= MAX_WAITING) return Promise.reject(nodeError('TooManyRequests'));
    this.#waiting++;
    const result = this.#last.then(() => {
      this.#waiting--;
      signal?.throwIfAborted();
      return withView(this.#store, work);
    });
    this.#last = result.catch(() => {});
    return result;
  }
}
