import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LmdbEnvironment, ReadTransaction } from './environment.ts';
import { SnapshotWriter } from './snapshot-format.ts';
import type { TableCursor } from './table-cursor.ts';
import { TABLES, type TableName } from './types.ts';

/** One export's hold on a file: its read transaction, and the cursor that reads now. */
export class ExportView {
  /** Set once the transaction is held. */
  environment: LmdbEnvironment | undefined;
  readonly ready: Promise<void>;
  readonly #onEnd: (view: ExportView) => void;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};
  #transaction: ReadTransaction | undefined;
  #cursor: TableCursor | undefined;
  #failure: Error | undefined;
  #ended = false;

  constructor(onEnd: (view: ExportView) => void) {
    this.#onEnd = onEnd;
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // An export that nobody reads must not end the process when it fails.
    this.ready.catch(() => {});
  }

  begin(environment: LmdbEnvironment): void {
    if (this.#ended) return;
    this.environment = environment;
    this.#transaction = environment.beginRead();
    this.#resolve();
  }

  /** The next cursor, within the view's transaction. */
  scan(table: TableName): TableCursor {
    this.check();
    const transaction = this.#transaction as ReadTransaction;
    this.#cursor = (this.environment as LmdbEnvironment).scan(
      table,
      {},
      { values: true, transaction },
    );
    return this.#cursor;
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#reject(error);
    this.end();
  }

  /** Lets go of the transaction; its cursor has to be closed first. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cursor?.close();
    this.#transaction?.done();
    this.#onEnd(this);
  }
}

/** The view's rows as a snapshot stream. Between two chunks the event loop runs. */
export function exportRows(view: ExportView): AsyncIterable<Buffer> {
  const chunks = generate(view);
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => chunks.next(),
      // A generator that was never started does not run its `finally`.
      return: () => {
        view.end();
        return chunks.return(undefined);
      },
    }),
  };
}

async function* generate(view: ExportView): AsyncGenerator<Buffer, undefined> {
  try {
    await view.ready;
    const writer = new SnapshotWriter();
    for (const table of TABLES) {
      const cursor = view.scan(table);
      for (let row = cursor.next(); row !== undefined; row = cursor.next()) {
        writer.row(table, row);
        for (let chunk = writer.take(); chunk !== undefined; chunk = writer.take()) {
          yield chunk;
          await nextTurn();
          view.check();
        }
      }
    }
    yield* writer.finish();
    return undefined;
  } finally {
    view.end();
  }
}
