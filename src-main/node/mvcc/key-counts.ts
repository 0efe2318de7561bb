import { compareBytes } from '../../base/bytes.ts';
import type { StateStore } from '../storage/types.ts';
import { isEmptyRange, isOpenEnd, isWholeSpace, userKeyBounds } from './key-range.ts';
import { isStoreClosed, type Schedule } from './schedule.ts';
import type { KeyRange } from './types.ts';

/** Keys per block when the index is built, and the size at which a block is split. */
const BLOCK_KEYS = 256;
const BLOCK_LIMIT = 2 * BLOCK_KEYS;
/** With fewer keys than this in all, counts walk: it costs some milliseconds at most. */
const INDEX_FROM_KEYS = 10_000;
/**
 * Keys read per turn of the event loop while the index is built: some tenths of a millisecond. A start and every request
 * take several turns, and wait for a slice in each.
 */
const BUILD_KEYS_PER_SLICE = 200;

interface Block {
  /** Smallest key that belongs here; the first block's is empty. */
  start: Buffer;
  count: number;
}

/**
 * Exact counts of keys in a range without walking over all of them: how many keys lie in each block
 * of some hundred neighbours. Lives in memory alone and is built in slices between requests, after
 * a start and when the state has grown large; until it is complete, counts walk. A million keys
 * make some 4,000 blocks.
 */
export class KeyCounts {
  readonly #store: StateStore;
  readonly #schedule: Schedule;
  #blocks: Block[] = [];
  #state: 'none' | 'building' | 'ready' = 'none';
  #keyCount = 0;
  /** While building: keys up to and including this one are in the blocks. */
  #builtTo: Buffer | undefined;
  /** A reset makes slices that are still scheduled void. */
  #generation = 0;

  constructor(store: StateStore, schedule: Schedule) {
    this.#store = store;
    this.#schedule = schedule;
  }

  /** Keys at head in all. */
  get total(): number {
    return this.#keyCount;
  }

  /** The store was opened or replaced and holds that many keys. */
  reset(keyCount: number): void {
    this.#generation++;
    this.#blocks = [];
    this.#state = 'none';
    this.#builtTo = undefined;
    this.#keyCount = keyCount;
    this.#buildIfLarge();
  }

  /** A key was put that did not exist. It is in the store already. */
  added(key: Buffer): void {
    this.#keyCount++;
    this.#buildIfLarge();
    const block = this.#covered(key);
    if (block === undefined) return;
    block.count++;
    if (block.count > BLOCK_LIMIT) this.#split(block);
  }

  removed(key: Buffer): void {
    this.#keyCount--;
    const block = this.#covered(key);
    if (block === undefined) return;
    block.count--;
    // The one before takes an empty block's place, so that there are never more blocks than keys.
    const index = block.count === 0 ? this.#indexOf(key) : 0;
    if (index > 0) this.#blocks.splice(index, 1);
  }

  /** Keys in the range at head. */
  count(range: KeyRange): number {
    if (isEmptyRange(range)) return 0;
    if (isWholeSpace(range)) return this.#keyCount;
    const { key, end } = range;
    if (this.#state !== 'ready' || end === undefined) return this.#walk(range);
    const first = this.#indexOf(key);
    const last = isOpenEnd(end) ? this.#blocks.length - 1 : this.#indexOf(end);
    if (first === last) return this.#walk(range);
    let total = this.#walk({ key, end: this.#start(first + 1) });
    for (let i = first + 1; i < last; i++) total += (this.#blocks[i] as Block).count;
    if (isOpenEnd(end)) return total + (this.#blocks[last] as Block).count;
    return total + this.#walk({ key: this.#start(last), end });
  }

  #start(index: number): Buffer {
    return (this.#blocks[index] as Block).start;
  }

  #walk(range: KeyRange): number {
    if (isEmptyRange(range)) return 0;
    let count = 0;
    for (const _ of this.#store.keys('current', userKeyBounds(range))) count++;
    return count;
  }

  /** The block that counts the key; undefined if it is not built yet. */
  #covered(key: Buffer): Block | undefined {
    if (this.#state === 'none') return undefined;
    if (this.#state === 'building') {
      if (this.#builtTo === undefined || compareBytes(key, this.#builtTo) > 0) return undefined;
    }
    return this.#blocks[this.#indexOf(key)];
  }

  /** The last block that starts at or before the key. */
  #indexOf(key: Uint8Array): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compareBytes(this.#start(middle), key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #split(block: Block): void {
    const index = this.#indexOf(block.start);
    const half = block.count >> 1;
    let seen = 0;
    let start: Buffer | undefined;
    for (const key of this.#store.keys('current', { gte: block.start })) {
      if (seen++ < half) continue;
      start = Buffer.from(key);
      break;
    }
    if (start === undefined) return;
    this.#blocks.splice(index + 1, 0, { start, count: block.count - half });
    block.count = half;
  }

  #buildIfLarge(): void {
    if (this.#state !== 'none' || this.#keyCount < INDEX_FROM_KEYS) return;
    this.#state = 'building';
    this.#blocks = [{ start: Buffer.alloc(0), count: 0 }];
    this.#builtTo = undefined;
    const generation = this.#generation;
    this.#schedule(() => this.#buildInTurn(generation));
  }

  #buildInTurn(generation: number): void {
    try {
      if (this.#buildSlice(generation)) this.#schedule(() => this.#buildInTurn(generation));
    } catch (error) {
      // The node is stopping.
      if (!isStoreClosed(error)) throw error;
    }
  }

  /** True while there is more to do. */
  #buildSlice(generation: number): boolean {
    if (generation !== this.#generation) return false;
    const bounds = this.#builtTo === undefined ? {} : { gt: this.#builtTo };
    let last: Buffer | undefined;
    let block = this.#blocks[this.#blocks.length - 1] as Block;
    let left = BUILD_KEYS_PER_SLICE;
    for (const key of this.#store.keys('current', bounds)) {
      if (left-- === 0) break;
      if (block.count >= BLOCK_KEYS) {
        block = { start: Buffer.from(key), count: 0 };
        this.#blocks.push(block);
      }
      block.count++;
      last = key;
    }
    if (left >= 0) {
      this.#state = 'ready';
      this.#builtTo = undefined;
      return false;
    }
    this.#builtTo = last === undefined ? this.#builtTo : Buffer.from(last);
    return true;
  }
}
