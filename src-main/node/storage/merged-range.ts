import { assert } from '../../base/assert.ts';
import { compareKeys } from './key-order.ts';
import { type OverlayCursor, TOMBSTONE } from './overlay.ts';
import type { StoredRow, TableCursor } from './table-cursor.ts';

/** Counts every change of the store, so that an iterator that outlived its turn is caught. */
export interface Epoch {
  value: number;
}

interface Source {
  head: { key: Buffer; value: Buffer | typeof TOMBSTONE } | undefined;
  next(): Source['head'];
}

/**
 * Rows of several overlays over LMDB as one ordered view. For a key that several hold the first
 * source wins: they are given newest first.
 */
export class MergedRange implements IterableIterator<StoredRow> {
  readonly #stored: TableCursor;
  readonly #sources: Source[];
  readonly #direction: 1 | -1;
  readonly #epoch: Epoch;
  readonly #startedAt: number;

  constructor(overlays: OverlayCursor[], stored: TableCursor, reverse: boolean, epoch: Epoch) {
    this.#stored = stored;
    this.#direction = reverse ? -1 : 1;
    this.#epoch = epoch;
    this.#startedAt = epoch.value;
    this.#sources = [...overlays, stored].map((cursor) => ({
      head: cursor.next(),
      next: () => cursor.next(),
    }));
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<StoredRow, undefined> {
    assert(this.#epoch.value === this.#startedAt, 'the store was written to during a range');
    for (;;) {
      const head = this.#takeSmallest();
      if (head === undefined) return { done: true, value: undefined };
      const { value } = head;
      if (value !== TOMBSTONE) return { done: false, value: { key: head.key, value } };
    }
  }

  return(): IteratorResult<StoredRow, undefined> {
    this.#stored.close();
    return { done: true, value: undefined };
  }

  #takeSmallest(): Source['head'] {
    let best: Source | undefined;
    for (const source of this.#sources) {
      if (source.head === undefined) continue;
      if (best?.head === undefined) {
        best = source;
        continue;
      }
      const order = compareKeys(source.head.key, best.head.key) * this.#direction;
      if (order < 0) best = source;
      // The older row of the same key is hidden for good.
      else if (order === 0) source.head = source.next();
    }
    const head = best?.head;
    if (best !== undefined) best.head = best.next();
    return head;
  }
}
