import { mkdir } from 'node:fs/promises';
import { type Clock, systemClock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import { type EnvironmentUsage, type LmdbEnvironment, openEnvironment } from './environment.ts';
import { storageError, writeFailed } from './errors.ts';
import { exportRows } from './export.ts';
import {
  readGeneration,
  removeFile,
  removeOtherGenerations,
  stateFile,
  syncFolder,
  writeGeneration,
} from './generation.ts';
import { importRows } from './import.ts';
import { LockFile } from './lock-file.ts';
import { MergedRange } from './merged-range.ts';
import { TOMBSTONE } from './overlay.ts';
import { checkStateFile } from './state-file.ts';
import type { RangeBounds, Row, StateStore, StateView, StoreSize, TableName } from './types.ts';
import { ReadView } from './view.ts';
import { WriteBuffer } from './write-buffer.ts';

/** Enough rows to make a sync cheap, few enough to hand them over in a few milliseconds. */
const FLUSH_ROWS = 4096;
const FLUSH_DELAY_MS = 250;
/** Estimated memory of all overlays above which `pressure` asks callers to wait. */
const OVERLAY_LIMIT_BYTES = 64 * 1024 * 1024;
/** Exports and views at once: each holds a read transaction, and LMDB cannot reuse pages that it sees. */
export const MAX_VIEWS = 8;

export interface LmdbStoreOptions {
  clock?: Clock;
  flushRows?: number;
  flushDelayMs?: number;
  overlayLimitBytes?: number;
  /** Told once when a flush fails; every later write and flush throws the same error. */
  onFailure?: (error: Error) => void;
}

/** A memory overlay (`WriteBuffer`) over LMDB (`LmdbEnvironment`), read as one ordered view. */
export class LmdbStateStore implements StateStore {
  readonly #dir: string;
  readonly #lock: LockFile;
  readonly #buffer: WriteBuffer;
  #environment: LmdbEnvironment;
  #generation: number;
  #usage: EnvironmentUsage;
  #importing = false;
  /** The last of the operations that replace the file; they run one after the other. */
  #exclusive: Promise<void> = Promise.resolve();
  #retiring: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  readonly #views = new Set<ReadView>();

  private constructor(
    dir: string,
    lock: LockFile,
    environment: LmdbEnvironment,
    generation: number,
    options: LmdbStoreOptions,
  ) {
    this.#dir = dir;
    this.#lock = lock;
    this.#environment = environment;
    this.#generation = generation;
    this.#usage = environment.usage();
    this.#buffer = new WriteBuffer({
      clock: options.clock ?? systemClock,
      flushRows: options.flushRows ?? FLUSH_ROWS,
      flushDelayMs: options.flushDelayMs ?? FLUSH_DELAY_MS,
      limitBytes: options.overlayLimitBytes ?? OVERLAY_LIMIT_BYTES,
      onFailure: options.onFailure ?? (() => {}),
      write: async (layer) => {
        try {
          await this.#environment.write(layer.tables);
          this.#usage = this.#environment.usage();
        } catch (error) {
          throw writeFailed(`the state in ${this.#environment.path} cannot be written`, error);
        }
      },
    });
  }

  /**
   * Opens the state in `dir`, or makes an empty one. Throws DataDirInUse if another process holds
   * the folder and StateCorrupt if what is there cannot be opened.
   */
  static async open(dir: string, options: LmdbStoreOptions = {}): Promise<LmdbStateStore> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const lock = LockFile.acquire(dir);
    try {
      const { generation, isNew } = await readGeneration(dir);
      await removeOtherGenerations(dir, generation);
      const path = stateFile(dir, generation);
      if (isNew) await removeFile(path);
      else checkStateFile(path);
      const environment = openEnvironment(path);
      if (isNew) {
        await syncFolder(dir);
        await writeGeneration(dir, generation);
      }
      // What fails here fails at the first flush, too, which says what is wrong.
      await environment.prepare().catch(() => {});
      return new LmdbStateStore(dir, lock, environment, generation, options);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Set while the overlay holds too much: who writes much should await it before going on. */
  get pressure(): Promise<void> | undefined {
    return this.#buffer.pressure;
  }

  get(table: TableName, key: Uint8Array): Buffer | undefined {
    this.#assertOpen();
    const value = this.#buffer.get(table, key);
    if (value === undefined) return this.#environment.get(table, key);
    return value === TOMBSTONE ? undefined : value;
  }

  put(table: TableName, key: Uint8Array, value: Uint8Array): void {
    this.#assertWritable();
    this.#buffer.set(table, asBuffer(key), asBuffer(value));
  }

  delete(table: TableName, key: Uint8Array): void {
    this.#assertWritable();
    this.#buffer.set(table, asBuffer(key), TOMBSTONE);
  }

  range(table: TableName, bounds: RangeBounds): Iterable<Row> {
    return { [Symbol.iterator]: () => this.#scan(table, bounds, true) };
  }

  *keys(table: TableName, bounds: RangeBounds): Iterable<Buffer> {
    for (const row of this.#scan(table, bounds, false)) yield row.key;
  }

  endBatch(): void {
    this.#assertUsable();
    this.#buffer.endBatch();
  }

  async flush(): Promise<void> {
    this.#assertUsable();
    await this.#buffer.flush();
  }

  /**
   * Rows in memory are counted as if each needed room of its own; an overwrite or a delete frees
   * its old room only when it is flushed. So both figures may be high for some tens of
   * milliseconds, but not low. Costs no I/O.
   */
  size(): StoreSize {
    const inUseBytes = this.#usage.usedBytes + this.#buffer.dataBytes;
    return { fileBytes: Math.max(this.#usage.fileBytes, inUseBytes), inUseBytes };
  }

  /**
   * Needs as much free disk space as is in use. Until it is done flushes rest, so that `pressure`
   * may be set.
   */
  async defragment(): Promise<void> {
    await this.flush();
    await this.#runExclusive(() => this.#defragment());
  }

  /**
   * The view is that of the call, not of the first chunk. It is held until the stream ends or is
   * returned, and for so long the file cannot reuse pages. Throws StateBusy above MAX_VIEWS.
   */
  exportSnapshot(): AsyncIterable<Buffer> {
    return exportRows(this.#startView());
  }

  async openView(): Promise<StateView> {
    const view = this.#startView();
    await view.ready;
    return view;
  }

  /**
   * From the call on writes are refused with StateBusy, since they would be lost. Reads see the old
   * state until the swap. A stream that is torn, corrupt or foreign is SnapshotInvalid, and the old
   * state stays.
   */
  async importSnapshot(
    chunks: AsyncIterable<Uint8Array>,
    replaced: () => void = () => {},
  ): Promise<void> {
    this.#assertUsable();
    if (this.#importing) throw storageError('StateBusy', 'another snapshot is being imported');
    this.#importing = true;
    try {
      await this.#runExclusive(() => this.#import(chunks, replaced));
    } finally {
      this.#importing = false;
    }
  }

  /** Flushes, if it still can, and gives the folder free. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #scan(table: TableName, bounds: RangeBounds, values: boolean): MergedRange {
    this.#assertOpen();
    const overlays = this.#buffer.scan(table, bounds);
    const stored = this.#environment.scan(table, bounds, { values });
    return new MergedRange(overlays, stored, bounds.reverse === true, this.#buffer.epoch);
  }

  /** Ready once everything written so far is on disk. */
  #startView(): ReadView {
    this.#assertUsable();
    if (this.#views.size >= MAX_VIEWS || this.#buffer.isFull) {
      throw storageError('StateBusy', `${this.#views.size} snapshots are being exported already`);
    }
    const view = new ReadView((ended) => this.#viewEnded(ended));
    this.#views.add(view);
    this.#buffer.afterFlush({
      durable: () => view.begin(this.#environment),
      failed: (error) => view.fail(error),
      replaced: () => view.fail(storageError('StateBusy', 'an import replaced the state')),
    });
    return view;
  }

  /** One at a time, and no flush runs meanwhile. */
  #runExclusive(work: () => Promise<void>): Promise<void> {
    const result = this.#exclusive.then(async () => {
      this.#assertUsable();
      try {
        await this.#buffer.pause();
        this.#assertUsable();
        await work();
      } finally {
        this.#buffer.resume();
      }
    });
    this.#exclusive = result.catch(() => {});
    return result;
  }

  async #defragment(): Promise<void> {
    const generation = this.#generation + 1;
    const path = stateFile(this.#dir, generation);
    let environment: LmdbEnvironment | undefined;
    try {
      await removeFile(path);
      await this.#environment.compactTo(path);
      await syncFolder(this.#dir);
      checkStateFile(path);
      environment = openEnvironment(path);
      await environment.prepare();
    } catch (error) {
      await environment?.close();
      await removeFile(path);
      throw storageError('DefragmentFailed', `defragmentation failed: ${errorMessage(error)}`, {
        hint: 'The state is as it was. Compacting needs as much free disk space as is in use.',
        cause: error,
      });
    }
    await this.#swap(environment, generation);
  }

  async #import(chunks: AsyncIterable<Uint8Array>, replaced: () => void): Promise<void> {
    const generation = this.#generation + 1;
    const path = stateFile(this.#dir, generation);
    await removeFile(path);
    const environment = openEnvironment(path);
    try {
      await importRows(environment, chunks);
      await syncFolder(this.#dir);
    } catch (error) {
      await environment.close();
      await removeFile(path);
      throw error;
    }
    await this.#swap(environment, generation, () => {
      this.#buffer.drop();
      replaced();
    });
  }

  /**
   * Puts the new file in force. After a failure here nobody knows which file is: the store gives
   * up.
   */
  async #swap(
    environment: LmdbEnvironment,
    generation: number,
    inTheSameTurn: () => void = () => {},
  ): Promise<void> {
    try {
      await writeGeneration(this.#dir, generation);
    } catch (error) {
      await environment.close();
      const failure = writeFailed(`the state in ${this.#dir} cannot be replaced`, error);
      this.#buffer.fail(failure);
      throw failure;
    }
    const old = this.#environment;
    this.#buffer.epoch.value++;
    this.#environment = environment;
    this.#generation = generation;
    this.#usage = environment.usage();
    inTheSameTurn();
    if (!this.#isViewed(old)) this.#retire(old);
    await this.#retiring;
  }

  #isViewed(environment: LmdbEnvironment): boolean {
    return [...this.#views].some((view) => view.environment === environment);
  }

  #viewEnded(view: ReadView): void {
    this.#views.delete(view);
    const { environment } = view;
    if (environment === undefined || environment === this.#environment) return;
    if (!this.#isViewed(environment)) this.#retire(environment);
  }

  /** Closes and removes a file that was replaced and that nobody reads any more. */
  #retire(environment: LmdbEnvironment): void {
    this.#retiring = this.#retiring
      .then(() => environment.close())
      .then(() => removeFile(environment.path))
      // Only room is lost: the next start removes it.
      .catch(() => {});
  }

  async #close(): Promise<void> {
    this.#buffer.stopTimer();
    try {
      await this.#exclusive;
      if (this.#buffer.failure === undefined) await this.#buffer.flush();
      await this.#buffer.pause();
    } finally {
      for (const view of [...this.#views]) view.fail(closedError());
      await this.#retiring;
      await this.#environment.close();
      this.#lock.release();
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }

  #assertUsable(): void {
    this.#assertOpen();
    if (this.#buffer.failure !== undefined) throw this.#buffer.failure;
  }

  #assertWritable(): void {
    this.#assertUsable();
    if (this.#importing) {
      throw storageError('StateBusy', 'the state is being replaced by a snapshot');
    }
  }
}

function closedError() {
  return storageError('StateClosed', 'the state store is closed');
}

function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
