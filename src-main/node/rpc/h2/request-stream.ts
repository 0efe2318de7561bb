import { iterate } from '../iterate.ts';
import type { RequestStream } from '../service.ts';
import type { WireMessage } from './message-reader.ts';

export interface RequestsHost {
  /** Its signal ends an iteration; only read if there is one. */
  readonly context: { readonly signal: AbortSignal };
  /** Throws for one that is malformed. */
  open(message: WireMessage): Buffer;
  releaseCredit(bytes: number): void;
  /** A listener threw. */
  fail(error: unknown): void;
}

/**
 * Messages of a client that streams. While nobody takes them they stay here and their flow control
 * credit is held back, so that the stream's window bounds them.
 */
export class BufferedRequests implements RequestStream<Buffer> {
  readonly #host: RequestsHost;
  #waiting: WireMessage[] = [];
  #heldBytes = 0;
  #paused = false;
  #delivering = false;
  #ended = false;
  #endTold = false;
  #failed = false;
  #onMessage: ((message: Buffer) => void) | undefined;
  #onEnd: (() => void) | undefined;

  constructor(host: RequestsHost) {
    this.#host = host;
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.#onMessage = listener;
    this.#deliver();
  }

  onEnd(listener: () => void): void {
    this.#onEnd = listener;
    if (this.#endTold) queueMicrotask(listener);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  [Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    return iterate(this, this.#host.context.signal);
  }

  push(message: WireMessage): void {
    this.#waiting.push(message);
    this.#deliver();
  }

  /** So many bytes came off the wire; their credit goes back once everything here is taken. */
  hold(bytes: number): void {
    this.#heldBytes += bytes;
    this.#releaseIfIdle();
  }

  /** The client has half-closed. */
  end(): void {
    this.#ended = true;
    this.#deliver();
  }

  get #flowing(): boolean {
    return this.#onMessage !== undefined && !this.#paused && !this.#failed;
  }

  #deliver(): void {
    // A listener may resume or be fed while it runs; the outer loop goes on with it.
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      let at = 0;
      while (this.#flowing && at < this.#waiting.length) {
        const message = this.#waiting[at];
        at += 1;
        if (message) this.#onMessage?.(this.#host.open(message));
      }
      this.#waiting.splice(0, at);
      if (this.#ended && !this.#endTold && this.#flowing && this.#waiting.length === 0) {
        this.#endTold = true;
        this.#onEnd?.();
      }
    } catch (error) {
      this.#failed = true;
      this.#waiting = [];
      this.#host.fail(error);
    } finally {
      this.#delivering = false;
    }
    this.#releaseIfIdle();
  }

  #releaseIfIdle(): void {
    if (!this.#flowing || this.#waiting.length > 0 || this.#heldBytes === 0) return;
    const bytes = this.#heldBytes;
    this.#heldBytes = 0;
    this.#host.releaseCredit(bytes);
  }
}
