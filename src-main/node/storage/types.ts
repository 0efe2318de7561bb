/** The tables of one Raft group's state (DESIGN, state in LMDB). Each orders its keys by bytes. */
export const TABLES = [
  'current',
  'revisions',
  'history',
  'meta',
  'leases',
  'leaseKeys',
  'alarms',
  'members',
] as const;
export type TableName = (typeof TABLES)[number];

export interface Row {
  key: Buffer;
  value: Buffer;
}

/** Half-open unless `gt`/`lte` are given. Missing bounds are open. */
export interface RangeBounds {
  gte?: Uint8Array;
  gt?: Uint8Array;
  lt?: Uint8Array;
  lte?: Uint8Array;
  reverse?: boolean;
}

export interface StoreSize {
  /** Bytes of the file, as quota and Status.dbSize mean it: what is allocated in the database file. */
  fileBytes: number;
  /** Bytes of pages that hold data: Status.dbSizeInUse. */
  inUseBytes: number;
}

/**
 * Everything as it was at one moment, while writes go on. It is read from disk and may be read over many turns of the
 * event loop. As long as it is held the file cannot reuse pages that are freed meanwhile, so hold it for seconds.
 * Throws whatever has become of it: StateClosed, or StateBusy if an import has replaced the state.
 */
export interface StateView {
  get(table: TableName, key: Uint8Array): Buffer | undefined;
  /** Lazily ordered rows. Several ranges may be read at a time. */
  range(table: TableName, bounds: RangeBounds): Iterable<Row>;
  /** Lets go of it. Does nothing the second time. */
  end(): void;
}

/**
 * State of one node: a memory overlay over LMDB, read as one ordered view. Writes are synchronous into the overlay
 * and reach the disk together, in one LMDB transaction, when flushed. Whatever a caller wrote between two flushes is
 * on disk wholly or not at all; the applied index is one of the rows written. Buffers handed out stay valid and must
 * not be changed; buffers handed in must not be changed afterwards.
 */
export interface StateStore {
  get(table: TableName, key: Uint8Array): Buffer | undefined;
  put(table: TableName, key: Uint8Array, value: Uint8Array): void;
  delete(table: TableName, key: Uint8Array): void;
  /** Lazily ordered rows. The iterator must be finished within the turn; writes during it are not allowed. */
  range(table: TableName, bounds: RangeBounds): Iterable<Row>;
  /** The same, keys alone. */
  keys(table: TableName, bounds: RangeBounds): Iterable<Buffer>;
  /** Marks that what was written so far belongs together (the end of one applied batch); may start a background flush. */
  endBatch(): void;
  /** Set while more is held in memory than should be: whoever writes waits for it, so that memory stays bounded. */
  readonly pressure?: Promise<void> | undefined;
  /** Everything written so far is on disk when it resolves. */
  flush(): Promise<void>;
  size(): StoreSize;
  /** Rewrites the file without free pages. Reads and writes wait only as long as the swap needs. */
  defragment(): Promise<void>;
  /** All rows as of now, in bounded chunks, while writes go on. */
  exportSnapshot(): AsyncIterable<Buffer>;
  /** A view of all rows as of the call. Throws StateBusy above a limit of exports and views at once. */
  openView(): Promise<StateView>;
  /**
   * Replaces everything by an exported snapshot, atomically: a crash leaves the old state or the new. Refuses a torn or
   * foreign stream. `replaced` is called in the turn from which on the new state is read: whoever keeps something of
   * the old one in memory reads it anew there.
   */
  importSnapshot(chunks: AsyncIterable<Uint8Array>, replaced?: () => void): Promise<void>;
  close(): Promise<void>;
}
