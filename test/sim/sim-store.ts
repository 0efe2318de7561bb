import { assert } from '../../src-main/base/assert.ts';
import { storageError, writeFailed } from '../../src-main/node/storage/errors.ts';
import { SnapshotReader, SnapshotWriter } from '../../src-main/node/storage/snapshot-format.ts';
import {
  type RangeBounds,
  type Row,
  type StateStore,
  type StateView,
  type StoreSize,
  TABLES,
  type TableName,
} from '../../src-main/node/storage/types.ts';
import type { SimDisk } from './sim-disk.ts';
import { never, type SimProcess } from './sim-process.ts';
import { SortedTable } from './sorted-table.ts';

type Tables = Record<TableName, SortedTable>;
/** A row written, or removed if it has no value. */
interface Change {
  table: TableName;
  key: Buffer;
  value: Buffer | undefined;
}

const FLUSH_ROWS = 512;
const FLUSH_DELAY_MS = 50;
/** Changes in memory above which writers are asked to wait. */
const PRESSURE_CHANGES = 2_000;
const MAX_VIEWS = 8;

/** What of a state is on the disk. It outlives the processes that open it. */
export class DurableState {
  tables: Tables = emptyTables();
  /** Bytes of the file: it grows, and shrinks by defragmentation alone. */
  fileBytes = 0;
  /** The flush, import or defragmentation under way: a crash finds it done, or not begun. */
  underWay: (() => void) | undefined;

  crash(isDone: boolean): void {
    if (isDone) this.underWay?.();
    this.underWay = undefined;
  }
}

/**
 * The contract of StateStore (storage/types.ts) in memory: what is written between two flushes is on the disk wholly or
 * not at all, an import replaces everything or nothing, and all of it takes time in which the process may die.
 */
export class SimStore implements StateStore {
  /** A snapshot begins to replace the state. */
  onImport: () => void = () => {};
  readonly #disk: SimDisk;
  readonly #process: SimProcess;
  readonly #durable: DurableState;
  #live: Tables;
  #liveBytes: number;
  /** Not handed to a flush yet. */
  #changes: Change[] = [];
  /** Rows changed since the store was opened: proves that no range outlives its turn. */
  #epoch = 0;
  #last: Promise<void> = Promise.resolve();
  #flushTimer: (() => void) | undefined;
  #unflushed = 0;
  #pressure: { promise: Promise<void>; release: () => void } | undefined;
  #views = 0;
  #importing = false;
  #closed = false;
  #failure: Error | undefined;

  constructor(disk: SimDisk, process: SimProcess, durable: DurableState) {
    this.#disk = disk;
    this.#process = process;
    this.#durable = durable;
    this.#live = copyTables(durable.tables);
    this.#liveBytes = bytesOf(this.#live);
  }

  get pressure(): Promise<void> | undefined {
    return this.#pressure?.promise;
  }

  get(table: TableName, key: Uint8Array): Buffer | undefined {
    this.#assertOpen();
    return this.#live[table].get(key);
  }

  put(table: TableName, key: Uint8Array, value: Uint8Array): void {
    this.#change({ table, key: asBuffer(key), value: asBuffer(value) });
  }

  delete(table: TableName, key: Uint8Array): void {
    this.#change({ table, key: asBuffer(key), value: undefined });
  }

  *range(table: TableName, bounds: RangeBounds): Iterable<Row> {
    this.#assertOpen();
    const rows = this.#live[table];
    const { first, end } = rows.span(bounds);
    const epoch = this.#epoch;
    for (let i = 0; i < end - first; i++) {
      assert(epoch === this.#epoch, 'the store was written to during a range');
      const at = bounds.reverse === true ? end - 1 - i : first + i;
      yield { key: rows.keys[at] as Buffer, value: rows.values[at] as Buffer };
    }
  }

  *keys(table: TableName, bounds: RangeBounds): Iterable<Buffer> {
    for (const { key } of this.range(table, bounds)) yield key;
  }

  endBatch(): void {
    this.#assertUsable();
    if (this.#changes.length >= FLUSH_ROWS) this.#flushNow();
    else if (this.#changes.length > 0) {
      this.#flushTimer ??= this.#disk.world.after(
        FLUSH_DELAY_MS,
        () => {
          this.#flushTimer = undefined;
          this.#flushNow();
        },
        this.#process,
      );
    }
  }

  async flush(): Promise<void> {
    this.#assertUsable();
    await this.#flushNow();
    this.#assertUsable();
  }

  size(): StoreSize {
    const inUseBytes = this.#liveBytes;
    this.#durable.fileBytes = Math.max(this.#durable.fileBytes, inUseBytes);
    return { fileBytes: this.#durable.fileBytes, inUseBytes };
  }

  async defragment(): Promise<void> {
    await this.flush();
    await this.#exclusive(async () => {
      await this.#write(5, () => {});
      this.#durable.fileBytes = this.#liveBytes;
    });
  }

  exportSnapshot(): AsyncIterable<Buffer> {
    return this.#export(this.#startView());
  }

  async openView(): Promise<StateView> {
    const view = this.#startView();
    await this.#pause(0.2);
    return view;
  }

  async importSnapshot(
    chunks: AsyncIterable<Uint8Array>,
    replaced: () => void = () => {},
  ): Promise<void> {
    this.#assertUsable();
    if (this.#importing) throw storageError('StateBusy', 'another snapshot is being imported');
    this.#importing = true;
    this.onImport();
    try {
      await this.#exclusive(() => this.#import(chunks, replaced));
    } finally {
      this.#importing = false;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#flushTimer?.();
    if (this.#failure === undefined) await this.#flushNow();
    await this.#last;
    this.#closed = true;
  }

  async #import(chunks: AsyncIterable<Uint8Array>, replaced: () => void): Promise<void> {
    const reader = new SnapshotReader();
    const tables = emptyTables();
    for await (const chunk of chunks) {
      reader.push(chunk);
      for (let row = reader.next(); row !== undefined; row = reader.next()) {
        tables[row.table].set(row.key, row.value);
      }
      await this.#pause(0.2);
    }
    reader.finish();
    if (!this.#process.passes('import')) return never();
    await this.#write(4, () => {
      this.#durable.tables = copyTables(tables);
      this.#durable.fileBytes = bytesOf(tables);
    });
    this.#live = tables;
    this.#liveBytes = bytesOf(tables);
    this.#changes = [];
    this.#epoch++;
    replaced();
    // The old file is closed and removed.
    await this.#pause(5);
  }

  #change(change: Change): void {
    this.#assertUsable();
    if (this.#importing) throw storageError('StateBusy', 'the state is being replaced');
    this.#liveBytes += applyTo(this.#live, change);
    this.#epoch++;
    this.#changes.push(change);
    this.#unflushed++;
    if (this.#unflushed > PRESSURE_CHANGES && this.#pressure === undefined) {
      let release = () => {};
      const promise = new Promise<void>((resolve) => {
        release = resolve;
      });
      this.#pressure = { promise, release };
      this.#flushNow();
    }
  }

  /** Never rejects: a failure is kept. */
  #flushNow(): Promise<void> {
    this.#flushTimer?.();
    this.#flushTimer = undefined;
    const changes = this.#changes;
    this.#changes = [];
    if (changes.length === 0) return this.#last;
    this.#last = this.#last.then(async () => {
      if (this.#failure !== undefined) return;
      try {
        await this.#write(1.5, () => {
          for (const change of changes) applyTo(this.#durable.tables, change);
        });
        this.#unflushed -= changes.length;
      } catch (error) {
        this.#failure = writeFailed('the state cannot be written', error);
      }
      if (this.#unflushed <= PRESSURE_CHANGES || this.#failure !== undefined) {
        this.#pressure?.release();
        this.#pressure = undefined;
      }
    });
    return this.#last;
  }

  /** One transaction on the disk, which takes some syncs' time. */
  async #write(syncs: number, commit: () => void): Promise<void> {
    const { trouble, world, chance } = this.#disk;
    if (!this.#process.passes('flush')) return never();
    this.#durable.underWay = commit;
    await world.sleep(this.#disk.syncDelayMs() * syncs, this.#process);
    this.#durable.underWay = undefined;
    if (trouble.full || chance.happens(trouble.ioErrors)) {
      throw this.#disk.error(trouble.full ? 'ENOSPC' : 'EIO', 'the state');
    }
    commit();
    if (!this.#process.passes('flush')) return never();
  }

  #exclusive(work: () => Promise<void>): Promise<void> {
    const result = this.#last.then(() => {
      this.#assertUsable();
      return work();
    });
    this.#last = result.catch(() => {});
    return result;
  }

  #startView(): StateView & { tables: Tables } {
    this.#assertUsable();
    if (this.#views >= MAX_VIEWS) throw storageError('StateBusy', 'too many views');
    this.#views++;
    const tables = copyTables(this.#live);
    let ended = false;
    return {
      tables,
      get: (table, key) => tables[table].get(key),
      range: function* (table, bounds) {
        const rows = tables[table];
        const { first, end } = rows.span(bounds);
        for (let i = first; i < end; i++) {
          yield { key: rows.keys[i] as Buffer, value: rows.values[i] as Buffer };
        }
      },
      end: () => {
        if (!ended) this.#views--;
        ended = true;
      },
    };
  }

  async *#export(view: StateView): AsyncGenerator<Buffer> {
    try {
      await this.#pause(0.5);
      const writer = new SnapshotWriter();
      for (const table of TABLES) {
        for (const row of view.range(table, {})) writer.row(table, row);
      }
      const whole = Buffer.concat([...takeAll(writer), ...writer.finish()]);
      // Small pieces, so that a stream can be cut in many places.
      const bytes = Math.max(512, Math.ceil(whole.length / 16));
      for (let at = 0; at < whole.length; at += bytes) {
        yield whole.subarray(at, at + bytes);
        await this.#pause(0.1);
        if (this.#closed) throw closedError();
      }
    } finally {
      view.end();
    }
  }

  #pause(ms: number): Promise<void> {
    return this.#disk.world.sleep(this.#disk.chance.around(ms), this.#process);
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }

  #assertUsable(): void {
    this.#assertOpen();
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function closedError() {
  return storageError('StateClosed', 'the state store is closed');
}

function* takeAll(writer: SnapshotWriter): Iterable<Buffer> {
  for (let chunk = writer.take(); chunk !== undefined; chunk = writer.take()) yield chunk;
}

function emptyTables(): Tables {
  return Object.fromEntries(TABLES.map((name) => [name, new SortedTable()])) as Tables;
}

function copyTables(tables: Tables): Tables {
  return Object.fromEntries(TABLES.map((name) => [name, tables[name].copy()])) as Tables;
}

function bytesOf(tables: Tables): number {
  let bytes = 0;
  for (const name of TABLES) {
    for (const key of tables[name].keys) bytes += key.length;
    for (const value of tables[name].values) bytes += value.length;
  }
  return bytes;
}

function applyTo(tables: Tables, { table, key, value }: Change): number {
  return value === undefined ? tables[table].delete(key) : tables[table].set(key, value);
}

function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
