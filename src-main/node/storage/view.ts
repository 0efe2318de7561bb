import { assert } from '../../base/assert.ts';
import type { LmdbEnvironment, ReadTransaction } from './environment.ts';
import type { TableCursor } from './table-cursor.ts';
import type { RangeBounds, Row, StateView, TableName } from './types.ts';

/** One reader's hold on a file: its read transaction, and the cursors that read now. */
export class ReadView implements StateView {
  /** Set once the transaction is held. */
  environment: LmdbEnvironment | undefined;
  readonly ready: Promise<void>;
  readonly #onEnd: (view: ReadView) => void;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};
  #transaction: ReadTransaction | undefined;
  readonly #cursors = new Set<TableCursor>();
  #failure: Error | undefined;
  #ended = false;

  constructor(onEnd: (view: ReadView) => void) {
    this.#onEnd = onEnd;
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A view that nobody reads must not end the process when it fails.
    this.ready.catch(() => {});
  }

  begin(environment: LmdbEnvironment): void {
    if (this.#ended) return;
    this.environment = environment;
    this.#transaction = environment.beginRead();
    this.#resolve();
  }

  get(table: TableName, key: Uint8Array): Buffer | undefined {
    this.check();
    const transaction = this.#transaction as ReadTransaction;
    return (this.environment as LmdbEnvironment).get(table, key, transaction);
  }

  *range(table: TableName, bounds: RangeBounds): Generator<Row, undefined> {
    this.check();
    const options = { values: true, transaction: this.#transaction as ReadTransaction };
    const cursor = (this.environment as LmdbEnvironment).scan(table, bounds, options);
    this.#cursors.add(cursor);
    try {
      for (let row = cursor.next(); row !== undefined; row = cursor.next()) {
        yield row;
        this.check();
      }
    } finally {
      if (this.#cursors.delete(cursor)) cursor.close();
    }
    return undefined;
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    assert(!this.#ended, 'a view that was let go is read');
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#reject(error);
    this.end();
  }

  /** The transaction goes last: its cursors have to be closed first. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const cursor of this.#cursors) cursor.close();
    this.#cursors.clear();
    this.#transaction?.done();
    this.#onEnd(this);
  }
}
