import type { WatchEventView } from '../../../src-main/contract/views.ts';
import type { EventBatch } from '../../../src-main/contract/watch-batch.ts';

/** Events kept for one watch. */
export const MAX_LOG_EVENTS = 50_000;
/** Bytes kept for one watch, whichever bound is met first. */
export const MAX_LOG_BYTES = 32 * 1024 * 1024;
/** Events that were read out and may be asked for again at the next drawing. */
const MAX_READ = 512;

export interface LogEvent extends WatchEventView {
  /** Counts the events of this watch, from 1: identity of a row, also after older ones went. */
  seq: number;
}

interface Run {
  batch: EventBatch;
  /** Sequence number of the batch's first event, whether or not it is still kept. */
  baseSeq: number;
  /** Sequence number of the first event of it that was taken over. */
  startSeq: number;
}

/**
 * The newest events of a watch, oldest first, bounded by number and by bytes. They stay packed as
 * they came: keeping one costs nothing but its bytes, and only those that are looked at are read
 * out.
 */
export class EventLog {
  readonly #capacity: number;
  readonly #maxBytes: number;
  #runs: Run[] = [];
  #bytes = 0;
  #firstSeq = 1;
  #lastSeq = 0;
  readonly #read = new Map<number, LogEvent>();

  constructor(capacity = MAX_LOG_EVENTS, maxBytes = MAX_LOG_BYTES) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#lastSeq - this.#firstSeq + 1;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Sequence number of the oldest that is kept; one past `lastSeq` if none is. */
  get firstSeq(): number {
    return this.#firstSeq;
  }

  /** Sequence number of the newest; 0 before the first. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** 0 is the oldest kept. */
  at(index: number): LogEvent | undefined {
    return index < 0 ? undefined : this.bySeq(this.#firstSeq + index);
  }

  /** The event with this sequence number, if it is still kept; the same object for a while. */
  bySeq(seq: number): LogEvent | undefined {
    const known = this.#read.get(seq);
    if (known !== undefined && seq >= this.#firstSeq) return known;
    const event = this.read(seq);
    if (event === undefined) return undefined;
    if (this.#read.size >= MAX_READ) this.#read.clear();
    this.#read.set(seq, event);
    return event;
  }

  /** The same as `bySeq`, but made anew: for going through all of them. */
  read(seq: number): LogEvent | undefined {
    const run = this.runOf(seq);
    return run === undefined ? undefined : { ...run.batch.event(seq - run.baseSeq), seq };
  }

  /** As it is now; shares the bytes. */
  copy(): EventLog {
    const copy = new EventLog(this.#capacity, this.#maxBytes);
    copy.#runs = [...this.#runs];
    copy.#bytes = this.#bytes;
    copy.#firstSeq = this.#firstSeq;
    copy.#lastSeq = this.#lastSeq;
    return copy;
  }

  /** The batch that has this event, for looking at it without reading it out. */
  runOf(seq: number): Readonly<Run> | undefined {
    if (seq < this.#firstSeq || seq > this.#lastSeq) return undefined;
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#runs[middle]?.startSeq ?? 0) <= seq) low = middle;
      else high = middle - 1;
    }
    return this.#runs[low];
  }

  /** Takes a batch over, from its event `from` on. */
  push(batch: EventBatch, from = 0): void {
    if (from >= batch.length) return;
    const startSeq = this.#lastSeq + 1;
    this.#runs.push({ batch, baseSeq: startSeq - from, startSeq });
    this.#bytes += batch.byteLength;
    this.#lastSeq += batch.length - from;
    this.#trim();
  }

  /** The sequence numbers go on. */
  clear(): void {
    this.#runs = [];
    this.#bytes = 0;
    this.#firstSeq = this.#lastSeq + 1;
    this.#read.clear();
  }

  #trim(): void {
    this.#firstSeq = Math.max(this.#firstSeq, this.#lastSeq - this.#capacity + 1);
    let gone = 0;
    // The newest batch always stays, even if it alone is over the bound.
    while (gone < this.#runs.length - 1) {
      const next = this.#runs[gone + 1]?.startSeq ?? 0;
      if (next > this.#firstSeq && this.#bytes <= this.#maxBytes) break;
      this.#bytes -= this.#runs[gone]?.batch.byteLength ?? 0;
      this.#firstSeq = Math.max(this.#firstSeq, next);
      gone++;
    }
    if (gone > 0) this.#runs.splice(0, gone);
  }
}
