import type { Clock } from '../../base/clock.ts';
import { Layer, type LayerWaiter } from './layer.ts';
import type { Epoch } from './merged-range.ts';
import type { OverlayCursor, OverlayValue } from './overlay.ts';
import type { RangeBounds, TableName } from './types.ts';

/** Layers that wait for their flush. Who asks for more flushes at once waits for a place. */
export const MAX_SEALED_LAYERS = 8;

export interface WriteBufferOptions {
  clock: Clock;
  /** Rows after which the end of a batch starts a background flush. */
  flushRows: number;
  /** Milliseconds after which a smaller buffer is flushed, too. */
  flushDelayMs: number;
  /** Estimated memory above which `pressure` is set. */
  limitBytes: number;
  /**
   * Makes a layer durable in one transaction. Rejects with the error that the buffer then keeps.
   */
  write(layer: Layer): Promise<void>;
  onFailure(error: Error): void;
}

/**
 * The writes that are not on disk yet, and when they get there. Writes go to the active layer. A
 * flush seals it at a batch's end and writes it while a fresh one takes new writes; one flush runs
 * at a time, oldest layer first.
 */
export class WriteBuffer {
  readonly #options: WriteBufferOptions;
  #active = new Layer();
  /** Oldest first: the first one is being flushed if `#running` is set. */
  #sealed: Layer[] = [];
  /**
   * Writes since the last boundary: until the batch ends the active layer must not be sealed on our
   * own account.
   */
  #batchOpen = false;
  #flushDue = false;
  #cancelTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #paused = false;
  #failure: Error | undefined;
  #pressure: { promise: Promise<void>; release: () => void } | undefined;
  readonly epoch: Epoch = { value: 0 };

  constructor(options: WriteBufferOptions) {
    this.#options = options;
  }

  /** Set once a flush has failed. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  get pressure(): Promise<void> | undefined {
    return this.#pressure?.promise;
  }

  /** Bytes of keys and values. */
  get dataBytes(): number {
    let bytes = this.#active.dataBytes;
    for (const layer of this.#sealed) bytes += layer.dataBytes;
    return bytes;
  }

  get isFull(): boolean {
    return this.#sealed.length >= MAX_SEALED_LAYERS;
  }

  set(table: TableName, key: Buffer, value: OverlayValue): void {
    this.#batchOpen = true;
    this.epoch.value++;
    this.#active.set(table, key, value);
  }

  get(table: TableName, key: Uint8Array): OverlayValue | undefined {
    let value = this.#active.tables[table].get(key);
    for (let i = this.#sealed.length - 1; value === undefined && i >= 0; i--) {
      value = (this.#sealed[i] as Layer).tables[table].get(key);
    }
    return value;
  }

  /** Cursors over the layers that hold something of the table, newest first. */
  scan(table: TableName, bounds: RangeBounds): OverlayCursor[] {
    const cursors: OverlayCursor[] = [];
    for (const layer of [...this.#sealed, this.#active]) {
      const overlay = layer.tables[table];
      if (overlay.size > 0) cursors.unshift(overlay.scan(bounds));
    }
    return cursors;
  }

  endBatch(): void {
    this.#batchOpen = false;
    const { rows } = this.#active;
    if (rows === 0) return;
    this.#notePressure();
    const { clock, flushRows, flushDelayMs } = this.#options;
    if (rows >= flushRows || this.#flushDue || this.#pressure !== undefined) {
      this.#flushInBackground();
      return;
    }
    this.#cancelTimer ??= clock.setTimer(flushDelayMs, () => {
      this.#cancelTimer = undefined;
      this.#flushDue = true;
      if (!this.#batchOpen && this.#failure === undefined) this.#flushInBackground();
    });
  }

  /** Whoever flushes says that what was written so far belongs together. */
  async flush(): Promise<void> {
    while (this.isFull) {
      await new Promise<void>((durable, failed) => {
        this.#sealed[0]?.waiters.push({ durable, failed, replaced: durable });
        if (this.#failure !== undefined) failed(this.#failure);
      });
    }
    await new Promise<void>((durable, failed) => {
      this.afterFlush({ durable, failed, replaced: durable });
    });
  }

  /**
   * Ends the batch, seals what was written so far and tells the waiter when it is durable: at once
   * if it is.
   */
  afterFlush(waiter: LayerWaiter): void {
    this.#batchOpen = false;
    this.#seal();
    const newest = this.#sealed.at(-1);
    if (this.#failure !== undefined) waiter.failed(this.#failure);
    else if (newest === undefined) waiter.durable();
    else newest.waiters.push(waiter);
  }

  /** Resolves when no flush runs; none is started until `resume`. Writes go on, into memory. */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.#running;
  }

  resume(): void {
    this.#paused = false;
    this.#next();
  }

  /** Forgets everything: the state below was replaced. Only while paused. */
  drop(): void {
    this.epoch.value++;
    for (const layer of this.#sealed.splice(0)) {
      for (const waiter of layer.waiters.splice(0)) waiter.replaced();
    }
    this.#active = new Layer();
    this.#batchOpen = false;
    this.#flushDue = false;
    this.#notePressure();
  }

  /** From now on nothing is flushed any more. Rows in memory can still be read. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.stopTimer();
    for (const layer of this.#sealed) {
      for (const waiter of layer.waiters.splice(0)) waiter.failed(error);
    }
    this.#notePressure();
    this.#options.onFailure(error);
  }

  stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Starts a flush of the active layer, or leaves that to the one that runs. */
  #flushInBackground(): void {
    if (this.#running !== undefined || this.#paused) this.#flushDue = true;
    else this.#seal();
  }

  #seal(): void {
    this.stopTimer();
    this.#flushDue = false;
    if (this.#active.rows > 0) {
      this.epoch.value++;
      this.#sealed.push(this.#active);
      this.#active = new Layer();
    }
    this.#pump();
  }

  #next(): void {
    if (this.#flushDue && !this.#batchOpen && !this.#paused) this.#seal();
    else this.#pump();
  }

  #pump(): void {
    if (this.#running !== undefined || this.#paused || this.#sealed.length === 0) return;
    if (this.#failure !== undefined) return;
    this.#running = this.#flushSealed().finally(() => {
      this.#running = undefined;
      this.#next();
    });
  }

  /** Never rejects: a failure is kept, and told to whoever waits. */
  async #flushSealed(): Promise<void> {
    for (;;) {
      const layer = this.#sealed[0];
      if (layer === undefined || this.#paused) return;
      try {
        await this.#options.write(layer);
      } catch (error) {
        this.fail(error as Error);
        return;
      }
      this.epoch.value++;
      this.#sealed.shift();
      // In this turn, so that an export sees LMDB as it is now and not with the next layer.
      for (const waiter of layer.waiters) waiter.durable();
      this.#notePressure();
    }
  }

  #notePressure(): void {
    let bytes = this.#active.memoryBytes;
    for (const layer of this.#sealed) bytes += layer.memoryBytes;
    const high = bytes > this.#options.limitBytes && this.#failure === undefined;
    if (high === (this.#pressure !== undefined)) return;
    if (high) {
      let release = () => {};
      const promise = new Promise<void>((resolve) => {
        release = resolve;
      });
      this.#pressure = { promise, release };
    } else {
      this.#pressure?.release();
      this.#pressure = undefined;
    }
  }
}
