import { assert } from '../../../base/assert.ts';
import { compareBytes } from '../../../base/bytes.ts';
import type {
  RangeBounds,
  Row,
  StateStore,
  StateView,
  StoreSize,
  TableName,
} from '../../storage/types.ts';

interface Tables {
  rows: Map<TableName, Row[]>;
}

/**
 * A StateStore of sorted arrays, which also proves that nobody writes while a range is being read.
 */
export class MemoryStore implements StateStore {
  readonly #tables: Tables;
  #readers = 0;
  /** What size() answers. */
  fileBytes = 0;
  batches = 0;

  constructor(tables: Tables = { rows: new Map() }) {
    this.#tables = tables;
  }

  /** Another store on the same rows, as after a restart. */
  reopened(): MemoryStore {
    return new MemoryStore(this.#tables);
  }

  get(table: TableName, key: Uint8Array): Buffer | undefined {
    const rows = this.#table(table);
    const row = rows[lowerBound(rows, key)];
    return row !== undefined && compareBytes(row.key, key) === 0 ? row.value : undefined;
  }

  put(table: TableName, key: Uint8Array, value: Uint8Array): void {
    assert(this.#readers === 0, 'a write while a range is being read');
    const rows = this.#table(table);
    const at = lowerBound(rows, key);
    const row = { key: Buffer.from(key), value: Buffer.from(value) };
    const same = rows[at] !== undefined && compareBytes((rows[at] as Row).key, key) === 0;
    rows.splice(at, same ? 1 : 0, row);
  }

  delete(table: TableName, key: Uint8Array): void {
    assert(this.#readers === 0, 'a write while a range is being read');
    const rows = this.#table(table);
    const at = lowerBound(rows, key);
    if (rows[at] !== undefined && compareBytes((rows[at] as Row).key, key) === 0)
      rows.splice(at, 1);
  }

  *range(table: TableName, bounds: RangeBounds): Iterable<Row> {
    const rows = this.#table(table);
    const from = bounds.gt ?? bounds.gte;
    const to = bounds.lte ?? bounds.lt;
    let first = from === undefined ? 0 : lowerBound(rows, from);
    if (bounds.gt !== undefined && isAt(rows, first, bounds.gt)) first++;
    let end = to === undefined ? rows.length : lowerBound(rows, to);
    if (bounds.lte !== undefined && isAt(rows, end, bounds.lte)) end++;
    this.#readers++;
    try {
      for (let i = 0; i < end - first; i++) {
        yield rows[bounds.reverse === true ? end - 1 - i : first + i] as Row;
      }
    } finally {
      this.#readers--;
    }
  }

  *keys(table: TableName, bounds: RangeBounds): Iterable<Buffer> {
    for (const { key } of this.range(table, bounds)) yield key;
  }

  rowCount(table: TableName): number {
    return this.#table(table).length;
  }

  endBatch(): void {
    this.batches++;
  }

  async flush(): Promise<void> {}

  size(): StoreSize {
    return { fileBytes: this.fileBytes, inUseBytes: this.fileBytes };
  }

  async defragment(): Promise<void> {}

  exportSnapshot(): AsyncIterable<Buffer> {
    throw new Error('a memory store has no snapshots: use LmdbStateStore');
  }

  async openView(): Promise<StateView> {
    const rows = [...this.#tables.rows].map(
      ([table, all]) => [table, [...all]] as [TableName, Row[]],
    );
    const copy = new MemoryStore({ rows: new Map(rows) });
    return {
      get: (table, key) => copy.get(table, key),
      range: (table, bounds) => copy.range(table, bounds),
      end: () => {},
    };
  }

  async importSnapshot(): Promise<void> {
    throw new Error('a memory store has no snapshots: use LmdbStateStore');
  }

  async close(): Promise<void> {}

  #table(table: TableName): Row[] {
    let rows = this.#tables.rows.get(table);
    if (rows === undefined) {
      rows = [];
      this.#tables.rows.set(table, rows);
    }
    return rows;
  }
}

/** First position whose key is not below `key`. */
function lowerBound(rows: readonly Row[], key: Uint8Array): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes((rows[middle] as Row).key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isAt(rows: readonly Row[], at: number, key: Uint8Array): boolean {
  const row = rows[at];
  return row !== undefined && compareBytes(row.key, key) === 0;
}
