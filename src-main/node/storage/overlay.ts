import { compareKeys } from './key-order.ts';
import type { RangeBounds } from './types.ts';

/** Entries of a leaf before it is split in two. Small enough that an insert moves little memory. */
const LEAF_LIMIT = 128;
/** What an entry costs besides its bytes: two Buffer objects and their slots. */
const ENTRY_OVERHEAD_BYTES = 160;

/** A deleted key that still hides an older row below. */
export const TOMBSTONE = null;
export type OverlayValue = Buffer | typeof TOMBSTONE;

export interface OverlayEntry {
  key: Buffer;
  value: OverlayValue;
}

interface Leaf {
  keys: Buffer[];
  values: OverlayValue[];
}

/**
 * Sorted writes of one table that are not in LMDB yet: a B+-tree of two levels, since a few
 * thousand leaves fit one array. Ascending inserts, as revisions make them, only append.
 */
export class Overlay {
  /**
   * Never holds an empty leaf; empty only when nothing was written. Ordered by each leaf's first
   * key.
   */
  readonly #leaves: Leaf[] = [];
  #size = 0;
  #dataBytes = 0;

  /** Entries, tombstones included. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of keys and values. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** Estimated memory, in bytes. */
  get memoryBytes(): number {
    return this.#dataBytes + this.#size * ENTRY_OVERHEAD_BYTES;
  }

  get(key: Uint8Array): OverlayValue | undefined {
    const leaf = this.#leaves[this.#leafFor(key)];
    if (leaf === undefined) return undefined;
    const at = lowerBound(leaf.keys, key);
    const found = leaf.keys[at];
    if (found === undefined || compareKeys(found, key) !== 0) return undefined;
    return leaf.values[at];
  }

  set(key: Buffer, value: OverlayValue): void {
    const valueBytes = value === TOMBSTONE ? 0 : value.length;
    const leafAt = this.#leafFor(key);
    const leaf = this.#leaves[leafAt];
    if (leaf === undefined) {
      this.#leaves.push({ keys: [key], values: [value] });
      this.#added(key.length + valueBytes);
      return;
    }
    const last = leaf.keys[leaf.keys.length - 1] as Buffer;
    const at = compareKeys(last, key) < 0 ? leaf.keys.length : lowerBound(leaf.keys, key);
    const found = leaf.keys[at];
    if (found !== undefined && compareKeys(found, key) === 0) {
      const old = leaf.values[at] as OverlayValue;
      this.#dataBytes += valueBytes - (old === TOMBSTONE ? 0 : old.length);
      leaf.values[at] = value;
      return;
    }
    if (at === leaf.keys.length) {
      leaf.keys.push(key);
      leaf.values.push(value);
    } else {
      leaf.keys.splice(at, 0, key);
      leaf.values.splice(at, 0, value);
    }
    this.#added(key.length + valueBytes);
    if (leaf.keys.length > LEAF_LIMIT) this.#split(leafAt, leaf);
  }

  /** Entries in order, tombstones included. */
  scan(bounds: RangeBounds): OverlayCursor {
    return new OverlayCursor(this.#leaves, bounds);
  }

  #added(bytes: number): void {
    this.#size++;
    this.#dataBytes += bytes;
  }

  #split(at: number, leaf: Leaf): void {
    // An ascending run leaves full leaves behind rather than half-empty ones.
    const ascending = at === this.#leaves.length - 1;
    const half = ascending ? leaf.keys.length - 1 : leaf.keys.length >> 1;
    const right = { keys: leaf.keys.splice(half), values: leaf.values.splice(half) };
    this.#leaves.splice(at + 1, 0, right);
  }

  /** The last leaf whose first key is not above `key`; the first leaf if there is none. */
  #leafFor(key: Uint8Array): number {
    return leafIndex(this.#leaves, key);
  }
}

function leafIndex(leaves: readonly Leaf[], key: Uint8Array): number {
  let low = 0;
  let high = leaves.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const first = (leaves[middle] as Leaf).keys[0] as Buffer;
    if (compareKeys(first, key) <= 0) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** First position whose key is not below `key`. */
function lowerBound(keys: readonly Buffer[], key: Uint8Array): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(keys[middle] as Buffer, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Walks an overlay that does not change meanwhile. */
export class OverlayCursor {
  readonly #leaves: readonly Leaf[];
  readonly #reverse: boolean;
  readonly #stop: Uint8Array | undefined;
  readonly #stopInclusive: boolean;
  #leafAt = 0;
  #at = 0;

  constructor(leaves: readonly Leaf[], bounds: RangeBounds) {
    this.#leaves = leaves;
    this.#reverse = bounds.reverse === true;
    if (this.#reverse) {
      this.#seekLast(bounds.lte ?? bounds.lt, bounds.lte !== undefined);
      this.#stop = bounds.gt ?? bounds.gte;
      this.#stopInclusive = bounds.gt === undefined;
    } else {
      this.#seekFirst(bounds.gt ?? bounds.gte, bounds.gt === undefined);
      this.#stop = bounds.lte ?? bounds.lt;
      this.#stopInclusive = bounds.lte !== undefined;
    }
  }

  next(): OverlayEntry | undefined {
    const leaf = this.#leaves[this.#leafAt];
    const key = leaf?.keys[this.#at];
    if (leaf === undefined || key === undefined || this.#past(key)) {
      this.#leafAt = -1;
      return undefined;
    }
    const entry = { key, value: leaf.values[this.#at] as OverlayValue };
    if (this.#reverse) this.#stepBack();
    else if (++this.#at === leaf.keys.length) {
      this.#leafAt++;
      this.#at = 0;
    }
    return entry;
  }

  #past(key: Buffer): boolean {
    if (this.#stop === undefined) return false;
    const order = compareKeys(key, this.#stop);
    if (order === 0) return !this.#stopInclusive;
    return this.#reverse ? order < 0 : order > 0;
  }

  #seekFirst(bound: Uint8Array | undefined, inclusive: boolean): void {
    if (bound === undefined) return;
    this.#leafAt = leafIndex(this.#leaves, bound);
    const leaf = this.#leaves[this.#leafAt];
    if (leaf === undefined) return;
    this.#at = lowerBound(leaf.keys, bound);
    const found = leaf.keys[this.#at];
    if (!inclusive && found !== undefined && compareKeys(found, bound) === 0) this.#at++;
    if (this.#at >= leaf.keys.length) {
      this.#leafAt++;
      this.#at = 0;
    }
  }

  #seekLast(bound: Uint8Array | undefined, inclusive: boolean): void {
    this.#leafAt = this.#leaves.length - 1;
    const last = this.#leaves[this.#leafAt];
    if (last === undefined) return;
    this.#at = last.keys.length - 1;
    if (bound === undefined) return;
    this.#leafAt = leafIndex(this.#leaves, bound);
    const leaf = this.#leaves[this.#leafAt] as Leaf;
    this.#at = lowerBound(leaf.keys, bound);
    const found = leaf.keys[this.#at];
    const onBound = found !== undefined && compareKeys(found, bound) === 0;
    if (!(onBound && inclusive)) this.#stepBack();
  }

  #stepBack(): void {
    if (--this.#at >= 0) return;
    this.#leafAt--;
    const leaf = this.#leaves[this.#leafAt];
    if (leaf !== undefined) this.#at = leaf.keys.length - 1;
  }
}
