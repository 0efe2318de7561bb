import { IntervalTree } from './interval-tree.ts';
import { isEmptyRange, isOpenEnd } from './key-range.ts';
import type { KeyRange } from './types.ts';

/** Who is interested in a key: one hash lookup for single keys, an interval tree for ranges. */
export class WatcherIndex<T extends { readonly range: KeyRange }> {
  /** By the key's bytes as latin1. */
  readonly #keys = new Map<string, Set<T>>();
  readonly #ranges = new IntervalTree<T>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(watcher: T): void {
    this.#size++;
    const { key, end } = watcher.range;
    if (end === undefined) {
      const name = latin1(key);
      const same = this.#keys.get(name);
      if (same === undefined) this.#keys.set(name, new Set([watcher]));
      else same.add(watcher);
    } else if (!isEmptyRange(watcher.range)) {
      this.#ranges.add(key, isOpenEnd(end) ? undefined : end, watcher);
    }
  }

  /** The watcher is in the index. */
  delete(watcher: T): void {
    this.#size--;
    const { key, end } = watcher.range;
    if (end === undefined) {
      const name = latin1(key);
      const same = this.#keys.get(name);
      same?.delete(watcher);
      if (same?.size === 0) this.#keys.delete(name);
    } else if (!isEmptyRange(watcher.range)) {
      this.#ranges.delete(key, isOpenEnd(end) ? undefined : end, watcher);
    }
  }

  /** The index must not be changed meanwhile. */
  at(key: Uint8Array, visit: (watcher: T) => void): void {
    if (this.#keys.size > 0) {
      const same = this.#keys.get(latin1(key));
      if (same !== undefined) for (const watcher of same) visit(watcher);
    }
    if (this.#ranges.size > 0) this.#ranges.at(key, visit);
  }
}

function latin1(key: Uint8Array): string {
  const bytes = Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.length);
  return bytes.toString('latin1');
}
