import { type ContractClient, errorText, type StreamHandle } from '../../api/client.ts';
import type { LogBook } from './log-book.svelte.ts';

/** The last lines of each node that are read when the view opens. */
const TAIL_LINES = 1_000;
const REOPEN_MS = 2_000;

/** Keeps the book filled; opens the stream again after it broke, from the tail. */
export class LogStream {
  error = $state<string | null>(null);
  readonly #client: ContractClient;
  readonly #clusterId: string;
  readonly #book: LogBook;
  #stream: StreamHandle | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: ContractClient, clusterId: string, book: LogBook) {
    this.#client = client;
    this.#clusterId = clusterId;
    this.#book = book;
    this.#open();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
  }

  #open(): void {
    let isFirst = true;
    this.#stream = this.#client.open(
      'logs.follow',
      { clusterId: this.#clusterId, tail: TAIL_LINES },
      {
        onItems: (items) => {
          // The tail has again what was there before.
          if (isFirst) this.#book.clear();
          isFirst = false;
          this.error = null;
          for (const lines of items) this.#book.take(lines);
        },
        onEnd: (error) => {
          this.error = error === null ? '' : errorText(error);
          this.#timer = setTimeout(() => this.#open(), REOPEN_MS);
        },
      },
    );
  }
}
