import type { Disposable } from '../base/disposable.ts';
import type { ContractError } from '../contract/errors.ts';
import { type ServerFrame, STREAM_QUEUE_ITEMS } from '../contract/wire.ts';

/** Where a stream's items come from, once it is open. Only a `queue` stream is ever paused. */
export interface StreamSource extends Disposable {
  pause?(): void;
  resume?(): void;
}

/**
 * Where they go. Both may be called before the source is returned, and are ignored after the end.
 */
export interface StreamSink<Item> {
  push(item: Item): void;
  /** The stream is over; with an error if it failed. */
  end(error?: unknown): void;
}

/** latest: every item is the whole state, only the newest counts. queue: every item counts. */
export type StreamMode = 'latest' | 'queue';

/** What one queued item weighs: how many things it carries and about how many bytes. */
export interface Weight {
  count: number;
  bytes: number;
}

/** What one stream may hold beyond its credits, in bytes; in items it is STREAM_QUEUE_ITEMS. */
const MAX_QUEUE_BYTES = 16 * 1024 * 1024;
/**
 * One frame carries no more, so that a burst neither blocks the socket nor the renderer for long.
 */
const MAX_BATCH_COUNT = 2_000;
const MAX_BATCH_BYTES = 2 * 1024 * 1024;
/**
 * A paused source may still hand over what it has in its hands; more than so many times the limit
 * is a defect.
 */
const OVERRUN = 4;
/** Credits one stream can hold; a client that grants more gets no more. */
const MAX_CREDITS = 1_024;

interface Entry {
  item: unknown;
  weight: Weight;
}

/**
 * The main side of one stream: items wait here until the client has granted a credit for the next
 * batch.
 */
export class OutgoingStream implements StreamSink<unknown>, Disposable {
  readonly #id: number;
  readonly #mode: StreamMode;
  readonly #weigh: (item: unknown) => Weight;
  readonly #send: (frame: ServerFrame) => void;
  readonly #toError: (error: unknown) => ContractError;
  readonly #onEnd: () => void;
  #source: StreamSource | null = null;
  #queue: Entry[] = [];
  #count = 0;
  #bytes = 0;
  #credits: number;
  #paused = false;
  /** Asked to end once the queue is empty. */
  #ending: { error?: ContractError } | null = null;
  #closed = false;
  #flushing = false;

  constructor(options: {
    id: number;
    mode: StreamMode;
    weigh: (item: unknown) => Weight;
    credits: number;
    send: (frame: ServerFrame) => void;
    toError: (error: unknown) => ContractError;
    onEnd: () => void;
  }) {
    this.#id = options.id;
    this.#mode = options.mode;
    this.#weigh = options.weigh;
    this.#credits = Math.min(options.credits, MAX_CREDITS);
    this.#send = options.send;
    this.#toError = options.toError;
    this.#onEnd = options.onEnd;
  }

  /** The source is there, perhaps after the stream was closed again. */
  attach(source: StreamSource): void {
    if (this.#closed || this.#ending !== null) {
      source.dispose();
      return;
    }
    this.#source = source;
    if (this.#paused) source.pause?.();
  }

  push(item: unknown): void {
    if (this.#closed || this.#ending !== null) return;
    if (this.#mode === 'latest') this.#clearQueue();
    const weight = this.#weigh(item);
    this.#queue.push({ item, weight });
    this.#count += weight.count;
    this.#bytes += weight.bytes;
    if (this.#mode === 'queue') this.#checkLimit();
    this.#flushSoon();
  }

  end(error?: unknown): void {
    if (this.#closed || this.#ending !== null) return;
    this.#ending = error === undefined ? {} : { error: this.#toError(error) };
    this.#releaseSource();
    this.#flushSoon();
  }

  grant(credits: number): void {
    this.#credits = Math.min(this.#credits + credits, MAX_CREDITS);
    this.#flushSoon();
  }

  /** The client closed it, or is gone: nothing more is sent. */
  dispose(): void {
    this.#closed = true;
    this.#clearQueue();
    this.#releaseSource();
  }

  #checkLimit(): void {
    const load = Math.max(this.#count / STREAM_QUEUE_ITEMS, this.#bytes / MAX_QUEUE_BYTES);
    if (load > OVERRUN) {
      this.#clearQueue();
      this.end(new Error('the stream was not read and its source did not stop'));
    } else if (load >= 1 && !this.#paused) {
      this.#paused = true;
      this.#source?.pause?.();
    }
  }

  /** At the end of this turn, so that what arrives together travels together. */
  #flushSoon(): void {
    if (this.#flushing || this.#closed) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (!this.#closed && this.#credits > 0 && this.#queue.length > 0) {
      this.#credits -= 1;
      this.#send({ t: 'items', id: this.#id, items: this.#takeBatch() });
    }
    if (this.#closed) return;
    if (this.#ending !== null && this.#queue.length === 0) {
      const { error } = this.#ending;
      this.#closed = true;
      this.#send({ t: 'end', id: this.#id, ...(error === undefined ? {} : { error }) });
      this.#onEnd();
      return;
    }
    const isLow = this.#count <= STREAM_QUEUE_ITEMS / 2 && this.#bytes <= MAX_QUEUE_BYTES / 2;
    if (this.#paused && isLow) {
      this.#paused = false;
      this.#source?.resume?.();
    }
  }

  #takeBatch(): unknown[] {
    let count = 0;
    let bytes = 0;
    let taken = 0;
    for (const { weight } of this.#queue) {
      const isFull =
        count + weight.count > MAX_BATCH_COUNT || bytes + weight.bytes > MAX_BATCH_BYTES;
      if (taken > 0 && isFull) break;
      count += weight.count;
      bytes += weight.bytes;
      taken += 1;
    }
    this.#count -= count;
    this.#bytes -= bytes;
    return this.#queue.splice(0, taken).map((entry) => entry.item);
  }

  #clearQueue(): void {
    this.#queue = [];
    this.#count = 0;
    this.#bytes = 0;
  }

  #releaseSource(): void {
    const source = this.#source;
    this.#source = null;
    source?.dispose();
  }
}
