import { ReceiveWindow, SendWindow } from './flow.ts';
import type { ConstantHeaders } from './hpack/encoder.ts';
import type { HeaderField } from './hpack/static-table.ts';
import { STREAM_RECEIVE_WINDOW_BYTES } from './limits.ts';
import { messagePrefix } from './message-reader.ts';

/** Who serves a request: told in order what arrives on its stream. */
export interface StreamListener {
  /** A view into what was read; the credit for it is the listener's to give back. */
  onData(bytes: Buffer): void;
  /** The client has half-closed. */
  onEnd(): void;
  /** The client reset the stream or the connection is lost; nothing further is called or sent. */
  onAbort(): void;
  /** Queued bytes have gone out; `queuedBytes` has shrunk. */
  onSent(): void;
}

/** In the place of a chunk that was sent. */
const SENT = Buffer.alloc(0);

export type ResponseHeaders = ConstantHeaders | readonly HeaderField[];

/** What a stream wants of its connection. */
export interface StreamHost {
  schedule(stream: H2Stream): void;
  releaseCredit(stream: H2Stream, bytes: number): void;
}

/**
 * One request and its answer. Nothing is sent at once: the connection takes what is queued at the
 * end of the turn, as far as the windows allow.
 */
export class H2Stream {
  readonly id: number;
  readonly peer: string;
  readonly sendWindow: SendWindow;
  readonly receiveWindow = new ReceiveWindow(STREAM_RECEIVE_WINDOW_BYTES);
  readonly #host: StreamHost;
  listener: StreamListener | undefined;
  /** The client has sent END_STREAM. */
  remoteClosed = false;
  /** Both sides are done, or the stream was reset. */
  closed = false;
  /** Stands in the connection's list of streams with something to send. */
  scheduled = false;

  /** Header blocks to send; undefined when sent or not yet given. */
  headers: ResponseHeaders | undefined;
  /** The one message of a response that is complete; it is framed when it is sent. */
  message: Buffer | undefined;
  trailers: ResponseHeaders | undefined;
  /** Nothing can be added any more. */
  #ended = false;
  #chunks: Buffer[] | undefined;
  /** Index of the first chunk that is not wholly sent, and how much of it is. */
  #head = 0;
  #headOffset = 0;
  #queuedBytes = 0;

  constructor(id: number, peer: string, initialSendWindowBytes: number, host: StreamHost) {
    this.id = id;
    this.peer = peer;
    this.sendWindow = new SendWindow(initialSendWindowBytes);
    this.#host = host;
  }

  /** Bytes that wait for the client's window or for the socket. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get ended(): boolean {
    return this.#ended;
  }

  sendHeaders(headers: ResponseHeaders): void {
    this.headers = headers;
    this.#host.schedule(this);
  }

  write(bytes: Buffer): void {
    if (this.#ended || this.closed || bytes.length === 0) return;
    this.#queue(bytes);
    this.#host.schedule(this);
  }

  /** The whole response at once, of one gRPC message: nothing was sent before, nothing follows. */
  respond(headers: ResponseHeaders, message: Buffer, trailers: ResponseHeaders): void {
    if (this.#ended || this.closed) return;
    this.#ended = true;
    this.headers = headers;
    this.message = message;
    this.trailers = trailers;
    this.#host.schedule(this);
  }

  /** Queues `message` as bytes, to be sent piece by piece. For the connection alone. */
  queueMessage(message: Buffer): void {
    this.message = undefined;
    this.#queue(messagePrefix(message.length));
    if (message.length > 0) this.#queue(message);
  }

  #queue(bytes: Buffer): void {
    this.#chunks ??= [];
    this.#chunks.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  /** Ends the response; what is queued goes before it. */
  end(trailers: ResponseHeaders): void {
    if (this.#ended || this.closed) return;
    this.#ended = true;
    this.trailers = trailers;
    this.#host.schedule(this);
  }

  /** Lets the client send so many bytes more. */
  releaseCredit(bytes: number): void {
    if (!this.closed && !this.remoteClosed) this.#host.releaseCredit(this, bytes);
  }

  /**
   * Takes `bytes` off the queue, which must hold as many, and hands them over piece by piece. For
   * the connection alone.
   */
  take(bytes: number, piece: (chunk: Buffer, start: number, end: number) => void): void {
    this.#queuedBytes -= bytes;
    const chunks = this.#chunks ?? [];
    for (let left = bytes; left > 0; ) {
      const chunk = chunks[this.#head];
      if (!chunk) return;
      const start = this.#headOffset;
      const end = Math.min(chunk.length, start + left);
      piece(chunk, start, end);
      left -= end - start;
      this.#headOffset = end;
      if (end < chunk.length) break;
      // A stream that is never quite empty must not keep what it has sent.
      chunks[this.#head] = SENT;
      this.#headOffset = 0;
      this.#head += 1;
    }
    // Moving what remains is worth it once half of the array is spent.
    if (this.#head === 0 || this.#head * 2 < chunks.length) return;
    chunks.splice(0, this.#head);
    this.#head = 0;
  }

  /** Forgets what is queued. For the connection alone. */
  discard(): void {
    this.closed = true;
    this.headers = undefined;
    this.message = undefined;
    this.trailers = undefined;
    this.#chunks = undefined;
    this.#head = 0;
    this.#headOffset = 0;
    this.#queuedBytes = 0;
  }
}
