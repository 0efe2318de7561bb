import { type WalFiles, writeAll } from '../wal/files.ts';

/** A snapshot that comes in: spooled to a file, until that is whole or somebody calls it off. */
export class Reception {
  /** Of the leader that sends it. */
  readonly term: number;
  /** Resolves when nothing of it is left. */
  readonly ended: Promise<void>;
  #end = () => {};
  #cancelled: Error | undefined;
  #onCancel: (error: Error) => void = () => {};
  #spooling = true;

  constructor(term: number) {
    this.term = term;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /**
   * Whether one from that term may take its place. A leader sends one at a time, so that another one of its own shows
   * that it has given this one up; one of an earlier leader is worth nothing any more. Both would otherwise be waited
   * for until their connection is known to be dead. What is whole is with Raft already.
   */
  yieldsTo(term: number): boolean {
    return this.#spooling && term >= this.term;
  }

  cancel(error: Error): void {
    this.#cancelled = error;
    this.#onCancel(error);
  }

  /** Rejects with the error that it was called off with. */
  async spool(files: WalFiles, path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
    const file = await files.create(path);
    const source = chunks[Symbol.asyncIterator]();
    let position = 0;
    try {
      for (;;) {
        const next = await this.#next(source);
        if (next.done === true) break;
        await writeAll(file, next.value, position);
        position += next.value.length;
      }
      if (this.#cancelled !== undefined) throw this.#cancelled;
    } finally {
      this.#spooling = false;
      // Not awaited: where nothing comes any more it ends with its connection.
      source.return?.().catch(() => {});
      await file.close();
    }
  }

  end(): void {
    this.#end();
  }

  #next(source: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
    if (this.#cancelled !== undefined) return Promise.reject(this.#cancelled);
    return new Promise((resolve, reject) => {
      this.#onCancel = reject;
      source.next().then(resolve, reject);
    });
  }
}
