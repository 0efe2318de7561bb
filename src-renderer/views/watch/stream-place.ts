import type { EventBatch } from '../../../src-main/contract/watch-batch.ts';

/**
 * How far a watch has come, and where it goes on. A revision's events may have come in part, so a
 * continued stream begins with the last revision again, and as many events of it as were seen are
 * left out: a revision always gives them in the same order.
 */
export class StreamPlace {
  readonly #startRevision: number;
  /** Revision of the last event, or at which the watch was opened. */
  #lastRevision = 0;
  /** Events of the last revision that were seen. */
  #seenOfLast = 0;
  /** Events of the last revision that the continued stream repeats. */
  #toSkip = 0;
  #openedRevision = 0;

  constructor(startRevision: number) {
    this.#startRevision = startRevision;
  }

  get lastRevision(): number {
    return this.#lastRevision;
  }

  /** The store's revision when the watch was first opened; 0 before. */
  get openedRevision(): number {
    return this.#openedRevision;
  }

  opened(revision: number): void {
    if (this.#openedRevision === 0) this.#openedRevision = revision;
    if (this.#lastRevision > 0) return;
    this.#lastRevision = this.#startRevision > 0 ? this.#startRevision - 1 : revision;
  }

  /** Where a stream is to be opened that goes on without a gap; what it repeats is left out. */
  resume(): number {
    if (this.#lastRevision === 0) return this.#startRevision;
    this.#toSkip = this.#seenOfLast;
    // With nothing seen of it, it was only the point of opening.
    return this.#seenOfLast > 0 ? this.#lastRevision : this.#lastRevision + 1;
  }

  /** What was between is gone: the next stream repeats nothing. */
  jump(): void {
    this.#seenOfLast = 0;
    this.#toSkip = 0;
  }

  /** Takes note of a batch; returns the index of the first event that is new. */
  take(batch: EventBatch): number {
    let from = 0;
    while (from < batch.length && this.#isRepeated(batch.modRevision(from))) from++;
    if (from === batch.length) return from;
    const last = batch.modRevision(batch.length - 1);
    this.#toSkip = 0;
    if (last !== this.#lastRevision) this.#seenOfLast = 0;
    this.#lastRevision = last;
    for (let i = batch.length - 1; i >= from && batch.modRevision(i) === last; i--) {
      this.#seenOfLast++;
    }
    return from;
  }

  #isRepeated(revision: number): boolean {
    if (revision !== this.#lastRevision) return revision < this.#lastRevision;
    if (this.#toSkip === 0) return false;
    this.#toSkip--;
    return true;
  }
}
