import type { BinaryDatabase, ReadTransaction } from './environment.ts';
import {
  CHUNK_BYTES,
  childPrefix,
  decodePointer,
  isPointer,
  nodeEnd,
  pointerKey,
  ROOT_PREFIX,
  rowKey,
} from './physical-keys.ts';
import type { RangeBounds } from './types.ts';

export interface StoredRow {
  key: Buffer;
  /** Empty if the cursor was asked for keys alone. */
  value: Buffer;
}

/** A bound relative to one node: what is left of it below the node. */
interface Bound {
  rest: Uint8Array;
  inclusive: boolean;
}

interface Frame {
  prefix: Buffer;
  /** The bytes of the key that lead to this node from the one above. */
  chunk: Buffer;
  lower: Bound | undefined;
  upper: Bound | undefined;
  rows: Iterator<StoredRow | Buffer>;
}

const NOTHING: Buffer = Buffer.alloc(0);

/** Walks one table in key order, entering the nodes of long keys where it meets their pointers. */
export class TableCursor {
  readonly #database: BinaryDatabase;
  readonly #values: boolean;
  readonly #reverse: boolean;
  readonly #transaction: ReadTransaction | undefined;
  readonly #frames: Frame[] = [];

  constructor(
    database: BinaryDatabase,
    bounds: RangeBounds,
    options: { values: boolean; transaction?: ReadTransaction },
  ) {
    this.#database = database;
    this.#values = options.values;
    this.#transaction = options.transaction;
    this.#reverse = bounds.reverse === true;
    const lower = bounds.gt ?? bounds.gte;
    const upper = bounds.lte ?? bounds.lt;
    this.#enter(
      ROOT_PREFIX,
      NOTHING,
      lower && { rest: lower, inclusive: bounds.gt === undefined },
      upper && { rest: upper, inclusive: bounds.lte !== undefined },
    );
  }

  next(): StoredRow | undefined {
    for (;;) {
      const frame = this.#frames[this.#frames.length - 1];
      if (frame === undefined) return undefined;
      const result = frame.rows.next();
      if (result.done) {
        this.#frames.pop();
        continue;
      }
      const item = result.value;
      const physical = this.#values ? (item as StoredRow).key : (item as Buffer);
      const value = this.#values ? (item as StoredRow).value : NOTHING;
      if (isPointer(frame.prefix, physical)) this.#follow(frame, physical, value);
      else return { key: this.#keyOf(frame, physical), value };
    }
  }

  close(): void {
    for (const frame of this.#frames.splice(0).reverse()) frame.rows.return?.();
  }

  #keyOf(frame: Frame, physical: Buffer): Buffer {
    const rest = physical.subarray(frame.prefix.length);
    if (this.#frames.length === 1) return rest;
    return Buffer.concat([...this.#frames.map(({ chunk }) => chunk), rest]);
  }

  #follow(frame: Frame, physical: Buffer, value: Buffer): void {
    const chunk = physical.subarray(frame.prefix.length, physical.length - 1);
    const stored = this.#values ? value : this.#database.get(physical, this.#options());
    const { child } = decodePointer(stored as Buffer);
    const prefix = childPrefix(child);
    this.#enter(prefix, chunk, below(frame.lower, chunk), below(frame.upper, chunk));
  }

  #enter(prefix: Buffer, chunk: Buffer, lower: Bound | undefined, upper: Bound | undefined): void {
    const from = lower === undefined ? { rest: NOTHING, inclusive: true } : lower;
    const low = physicalBound(prefix, from);
    const high =
      upper === undefined
        ? { key: nodeEnd(prefix), inclusive: false }
        : physicalBound(prefix, upper);
    const range = {
      start: this.#reverse ? high.key : low.key,
      exclusiveStart: !(this.#reverse ? high.inclusive : low.inclusive),
      end: this.#reverse ? low.key : high.key,
      inclusiveEnd: this.#reverse ? low.inclusive : high.inclusive,
      reverse: this.#reverse,
      ...this.#options(),
    };
    const rows = this.#values ? this.#database.getRange(range) : this.#database.getKeys(range);
    this.#frames.push({ prefix, chunk, lower, upper, rows: rows[Symbol.iterator]() });
  }

  #options(): { transaction?: ReadTransaction } {
    return this.#transaction === undefined ? {} : { transaction: this.#transaction };
  }
}

/**
 * A long bound starts or ends inside the node its pointer names: the pointer itself is always met.
 */
function physicalBound(prefix: Buffer, bound: Bound): { key: Buffer; inclusive: boolean } {
  if (bound.rest.length <= CHUNK_BYTES) {
    return { key: rowKey(prefix, bound.rest), inclusive: bound.inclusive };
  }
  return { key: pointerKey(prefix, bound.rest), inclusive: true };
}

/**
 * What is left of a bound inside the node that `chunk` leads to; undefined if the whole node lies
 * within.
 */
function below(bound: Bound | undefined, chunk: Buffer): Bound | undefined {
  if (bound === undefined || bound.rest.length <= CHUNK_BYTES) return undefined;
  if (Buffer.compare(bound.rest.subarray(0, CHUNK_BYTES), chunk) !== 0) return undefined;
  return { rest: bound.rest.subarray(CHUNK_BYTES), inclusive: bound.inclusive };
}
