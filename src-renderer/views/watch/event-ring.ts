import type { WatchEventView } from '../../../src-main/contract/views.ts';

/** Events kept for one watch. */
export const MAX_RING_EVENTS = 50_000;
/** Bytes of keys and values kept for one watch, whichever bound is met first. */
export const MAX_RING_BYTES = 64 * 1024 * 1024;

export interface RingEvent extends WatchEventView {
  /** Counts the events of this watch, from 1: identity of a row, also after older ones went. */
  seq: number;
}

export function eventBytes(event: WatchEventView): number {
  return event.key.length + (event.value?.length ?? 0) + (event.prevValue?.length ?? 0);
}

/** The newest events of a watch, oldest first, bounded by number and by bytes. */
export class EventRing {
  readonly #capacity: number;
  readonly #maxBytes: number;
  #slots: (RingEvent | undefined)[] = [];
  #start = 0;
  #length = 0;
  #bytes = 0;
  #lastSeq = 0;

  constructor(capacity = MAX_RING_EVENTS, maxBytes = MAX_RING_BYTES) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Events that were pushed in all; those beyond `length` have been let go. */
  get pushed(): number {
    return this.#lastSeq;
  }

  /** 0 is the oldest kept. */
  at(index: number): RingEvent | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    return this.#slots[(this.#start + index) % this.#capacity];
  }

  /** The event with this sequence number, if it is still kept. */
  bySeq(seq: number): RingEvent | undefined {
    return this.at(seq - (this.#lastSeq - this.#length) - 1);
  }

  push(event: WatchEventView): void {
    if (this.#length === this.#capacity) this.#shift();
    this.#lastSeq++;
    this.#slots[(this.#start + this.#length) % this.#capacity] = { ...event, seq: this.#lastSeq };
    this.#length++;
    this.#bytes += eventBytes(event);
    // The newest event always stays, even if it alone is over the bound.
    while (this.#bytes > this.#maxBytes && this.#length > 1) this.#shift();
  }

  clear(): void {
    this.#slots = [];
    this.#start = 0;
    this.#length = 0;
    this.#bytes = 0;
  }

  #shift(): void {
    const oldest = this.#slots[this.#start];
    if (oldest !== undefined) this.#bytes -= eventBytes(oldest);
    this.#slots[this.#start] = undefined;
    this.#start = (this.#start + 1) % this.#capacity;
    this.#length--;
  }
}
