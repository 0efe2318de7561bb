import type { EventBatch } from '../../../src-main/contract/watch-batch.ts';
import { ByteSearch } from './byte-search.ts';
import type { EventLog } from './event-log.ts';

export type ShownType = 'all' | 'put' | 'delete';

/** Events that are looked at between two looks at the clock. */
const STRIDE = 64;

/**
 * Which events of a log are shown: those of a type that have a text in key or value. Follows the
 * log as it grows; what is new is looked at once.
 */
export class EventFilter {
  readonly #type: ShownType;
  readonly #search: ByteSearch;
  /** Sequence numbers of what is shown, ascending; those before #head have gone from the log. */
  #seqs: number[] = [];
  #head = 0;
  /** Everything up to here has been looked at. */
  #lookedTo = 0;

  constructor(type: ShownType, text: string) {
    this.#type = type;
    this.#search = new ByteSearch(text);
  }

  /** Everything is shown. */
  get isOff(): boolean {
    return this.#type === 'all' && this.#search.isEmpty;
  }

  get length(): number {
    return this.#seqs.length - this.#head;
  }

  /** Sequence number of the row; 0 if there is no such row. */
  seqAt(index: number): number {
    return index < 0 ? 0 : (this.#seqs[this.#head + index] ?? 0);
  }

  /** The row of an event, or -1 if it is not shown. */
  indexOf(seq: number): number {
    let low = this.#head;
    let high = this.#seqs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#seqs[middle] ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return this.#seqs[low] === seq ? low - this.#head : -1;
  }

  /**
   * Takes in what came to the log and lets go of what went, until the clock says so. True once all
   * has been looked at.
   */
  follow(log: EventLog, mayGoOn: () => boolean): boolean {
    this.#drop(log.firstSeq);
    let seq = Math.max(this.#lookedTo + 1, log.firstSeq);
    while (seq <= log.lastSeq) {
      const run = log.runOf(seq);
      if (run === undefined) break;
      const end = Math.min(log.lastSeq, run.baseSeq + run.batch.length - 1, seq + STRIDE);
      for (; seq <= end; seq++) {
        const index = seq - run.baseSeq;
        if (this.shows(run.batch, index)) this.#seqs.push(seq);
      }
      this.#lookedTo = seq - 1;
      if (!mayGoOn()) break;
    }
    return this.#lookedTo >= log.lastSeq || log.length === 0;
  }

  shows(batch: EventBatch, index: number): boolean {
    if (this.#type !== 'all' && (this.#type === 'delete') !== batch.isDelete(index)) return false;
    if (this.#search.isEmpty || this.#search.isIn(batch.key(index))) return true;
    const value = batch.value(index);
    return value !== null && this.#search.isIn(value);
  }

  #drop(firstSeq: number): void {
    while (this.#head < this.#seqs.length && (this.#seqs[this.#head] ?? 0) < firstSeq) this.#head++;
    if (this.#head < 1_024 || this.#head * 2 < this.#seqs.length) return;
    this.#seqs = this.#seqs.slice(this.#head);
    this.#head = 0;
  }
}
