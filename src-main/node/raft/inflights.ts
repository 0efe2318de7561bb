import { assert } from '../../base/assert.ts';

/**
 * The appends under way to one follower, each known by the index of its last entry: a ring of fixed
 * size, so that a follower that is slow or gone costs a bounded amount of memory and network.
 */
export class Inflights {
  readonly limit: number;
  /**
   * Last entry indices, ascending from #start; slots outside [#start, #start + #count) mean
   * nothing.
   */
  readonly #ring: number[];
  /** Slot of the oldest append. Always in [0, limit). */
  #start = 0;
  /** Appends under way. Always in [0, limit]. */
  #count = 0;

  constructor(limit: number) {
    assert(limit > 0, 'inflight window must hold at least one append');
    this.limit = limit;
    this.#ring = [];
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count === this.limit;
  }

  /** An append whose last entry has this index is on its way. Indices never go down. */
  add(lastIndex: number): void {
    assert(!this.full, 'append sent although the window is full');
    this.#ring[(this.#start + this.#count) % this.limit] = lastIndex;
    this.#count++;
  }

  /** Every append up to the index has arrived. */
  freeUpTo(index: number): void {
    while (this.#count > 0 && (this.#ring[this.#start] ?? 0) <= index) {
      this.#start = (this.#start + 1) % this.limit;
      this.#count--;
    }
  }

  clear(): void {
    this.#start = 0;
    this.#count = 0;
  }
}
