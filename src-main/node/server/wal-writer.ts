import type { Message } from '../../proto/raftdeck/raft.ts';
import type { WalBatch, WriteAheadLog } from '../wal/types.ts';

export interface Persist {
  batch: WalBatch;
  /** What may only be sent once the batch is durable. */
  messages: Message[];
}

/**
 * Group commit: whatever arrives while one sync runs goes out together with the next. There is no timer, so a lone
 * batch is written at once.
 */
export class WalWriter {
  readonly #wal: WriteAheadLog;
  readonly #onDurable: (done: Persist[]) => void;
  readonly #onFailure: (error: unknown) => void;
  #queue: Persist[] = [];
  #writing: Promise<void> | undefined;

  constructor(
    wal: WriteAheadLog,
    onDurable: (done: Persist[]) => void,
    onFailure: (error: unknown) => void,
  ) {
    this.#wal = wal;
    this.#onDurable = onDurable;
    this.#onFailure = onFailure;
  }

  get idle(): boolean {
    return this.#writing === undefined && this.#queue.length === 0;
  }

  push(item: Persist): void {
    this.#queue.push(item);
  }

  /** Starts a write if none runs. */
  kick(): void {
    if (this.#writing !== undefined || this.#queue.length === 0) return;
    const items = this.#queue;
    this.#queue = [];
    this.#writing = this.#wal.append(items.map((item) => item.batch)).then(
      () => {
        this.#writing = undefined;
        this.#onDurable(items);
      },
      (error: unknown) => {
        this.#writing = undefined;
        this.#onFailure(error);
      },
    );
  }

  /** Resolves once everything pushed so far is durable. */
  async drain(): Promise<void> {
    while (!this.idle) {
      this.kick();
      await this.#writing;
    }
  }
}
