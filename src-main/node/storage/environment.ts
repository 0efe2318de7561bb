import { statSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { type Database, open, type RootDatabase, type Transaction } from 'lmdb';
import { errorMessage } from '../../base/errors.ts';
import { storageError } from './errors.ts';
import { findLongRow, LongKeyWriter } from './long-keys.ts';
import { type Overlay, TOMBSTONE } from './overlay.ts';
import { CHUNK_BYTES } from './physical-keys.ts';
import { TableCursor } from './table-cursor.ts';
import { type RangeBounds, TABLES, type TableName } from './types.ts';

export type BinaryDatabase = Database<Buffer, Buffer>;
export type ReadTransaction = Transaction;
export type TableOverlays = Record<TableName, Overlay>;

export interface EnvironmentUsage {
  fileBytes: number;
  /** Bytes of pages that hold data or describe it; free pages are left out. */
  usedBytes: number;
}

/** The part of LMDB's statistics that we use (mdb_stat); the package types them as `{}`. */
interface TreeStats {
  pageSize: number;
  treeBranchPageCount: number;
  treeLeafPageCount: number;
  overflowPages: number;
}
interface LmdbStats extends TreeStats {
  root: TreeStats;
  free: TreeStats;
}

/**
 * Address space that is set aside for the file. The package grows a map by adding a larger one and keeps the smaller ones,
 * and each of them counts the pages it has shown as memory of this process: together twice the file. A file that outgrows
 * this, twice the largest quota that etcd advises, goes on growing so. Windows would make the file this large.
 */
const MAP_BYTES = 16 * 1024 ** 3;
/** A row within its leaf page. */
const SHORT_ROW_BYTES = 1_000;
/** Rows of a table that are looked at for a short one. */
const PREPARE_ROWS = 1_000;
/** LMDB keeps two meta pages at the head of its file. */
const META_PAGES = 2;
const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const;

/**
 * One LMDB file with our tables. The only place that knows LMDB. Every write is one transaction,
 * run and synced on the package's write thread: the event loop only hands the rows over.
 */
export class LmdbEnvironment {
  readonly path: string;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #tables: Record<TableName, BinaryDatabase>;
  /**
   * Physical key of the row at hand: one root prefix byte (zero) and the key. LMDB copies it at
   * once.
   */
  readonly #scratch: Buffer = Buffer.alloc(CHUNK_BYTES + 1);

  constructor(path: string) {
    this.path = path;
    // Without overlappingSync a commit is plain LMDB: synced when its promise resolves.
    this.#root = open<Buffer, Buffer>({
      path,
      ...BINARY,
      noSubdir: true,
      maxDbs: TABLES.length,
      overlappingSync: false,
      ...(process.platform === 'win32' ? {} : { mapSize: MAP_BYTES }),
    });
    this.#tables = Object.fromEntries(
      TABLES.map((name) => [name, this.#root.openDB<Buffer, Buffer>({ name, ...BINARY })]),
    ) as Record<TableName, BinaryDatabase>;
  }

  /**
   * To be awaited before the first write. The package's LMDB loses its place in an empty list of free pages and ends the
   * process, or reads beyond the list, when the first transaction on such a file frees two large values: a compacted copy
   * is one. A short row that is written again frees its old page.
   */
  async prepare(): Promise<void> {
    if ((this.#root.getStats() as LmdbStats).free.treeLeafPageCount > 0) return;
    const { meta, ...others } = this.#tables;
    for (const table of [meta, ...Object.values(others)]) {
      for (const { key, value } of table.getRange({ limit: PREPARE_ROWS })) {
        if (value.length > SHORT_ROW_BYTES) continue;
        // The bytes lie in a page that is about to be replaced.
        const [ownKey, ownValue] = [Buffer.from(key), Buffer.from(value)];
        await this.#root.batch(() => void table.put(ownKey, ownValue));
        this.#root.resetReadTxn();
        return;
      }
    }
  }

  /** At head, or in the view of a read transaction. */
  get(table: TableName, key: Uint8Array, transaction?: ReadTransaction): Buffer | undefined {
    const database = this.#tables[table];
    const read = (physical: Buffer) =>
      transaction === undefined
        ? database.getBinary(physical)
        : database.get(physical, { transaction });
    if (key.length <= CHUNK_BYTES) return read(this.#physical(key));
    const row = findLongRow(read, key);
    return row && read(row);
  }

  scan(
    table: TableName,
    bounds: RangeBounds,
    options: { values: boolean; transaction?: ReadTransaction },
  ): TableCursor {
    return new TableCursor(this.#tables[table], bounds, options);
  }

  /** Writes all rows in one transaction; durable when it resolves. */
  async write(overlays: Partial<TableOverlays>): Promise<void> {
    const committed = this.#root.batch(() => {
      for (const table of TABLES) {
        const overlay = overlays[table];
        if (overlay !== undefined && overlay.size > 0) this.#writeTable(table, overlay);
      }
    });
    try {
      await committed;
    } catch (error) {
      throw await rootCause(error);
    }
    // What is read from now on must see the rows, since their overlay goes.
    this.#root.resetReadTxn();
  }

  usage(): EnvironmentUsage {
    const root = this.#root.getStats() as LmdbStats;
    let pages = META_PAGES + treePages(root.root) + treePages(root.free);
    for (const table of TABLES) pages += treePages(this.#tables[table].getStats() as LmdbStats);
    return { fileBytes: statSync(this.path).size, usedBytes: pages * root.pageSize };
  }

  /** A view that stays as it is now until `done()`. */
  beginRead(): ReadTransaction {
    this.#root.resetReadTxn();
    return this.#root.useReadTransaction();
  }

  /** Writes a copy without free pages, synced, on a thread. `path` must not exist. */
  async compactTo(path: string): Promise<void> {
    await this.#root.backup(path, true);
    const file = await openFile(path, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  close(): Promise<void> {
    return this.#root.close();
  }

  #writeTable(table: TableName, overlay: Overlay): void {
    const database = this.#tables[table];
    let long: LongKeyWriter | undefined;
    const cursor = overlay.scan({});
    for (let entry = cursor.next(); entry !== undefined; entry = cursor.next()) {
      const { key, value } = entry;
      if (key.length > CHUNK_BYTES) {
        long ??= new LongKeyWriter((physical) => database.getBinary(physical));
        if (value === TOMBSTONE) long.delete(key);
        else long.put(key, value);
      } else if (value === TOMBSTONE) database.remove(this.#physical(key));
      else database.put(this.#physical(key), value);
    }
    for (const [key, value] of long?.changes() ?? []) {
      if (value === undefined) database.remove(key);
      else database.put(key, value);
    }
  }

  #physical(key: Uint8Array): Buffer {
    this.#scratch.set(key, 1);
    return this.#scratch.subarray(0, key.length + 1);
  }
}

/** Opens a state file, or makes an empty one. */
export function openEnvironment(path: string): LmdbEnvironment {
  try {
    return new LmdbEnvironment(path);
  } catch (error) {
    throw storageError('StateCorrupt', `cannot open ${path}: ${errorMessage(error)}`, {
      hint: 'Restore the folder from a backup, or remove this member and let it rejoin.',
      cause: error,
    });
  }
}

function treePages(stats: TreeStats): number {
  return stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
}

/** The package rejects with a general error that carries a promise of the real one. */
async function rootCause(error: unknown): Promise<unknown> {
  const cause = (error as { commitError?: Promise<unknown> }).commitError;
  if (cause === undefined) return error;
  return cause.then(
    () => error,
    (reason: unknown) => reason,
  );
}
