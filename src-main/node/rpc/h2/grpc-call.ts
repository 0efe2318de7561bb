import type { Logger } from '../../../base/logger.ts';
import { handlerError } from '../handler-error.ts';
import type { CallContext, CallMetadata, MethodImplementation, ResponseSink } from '../service.ts';
import { RpcError, RpcStatus } from '../status.ts';
import {
  errorTrailers,
  HeaderMetadata,
  OK_TRAILERS,
  RESPONSE_HEADERS,
  trailersOnly,
} from './grpc-headers.ts';
import type { HeaderField } from './hpack/static-table.ts';
import { MessageReader, messagePrefix, wholeMessage } from './message-reader.ts';
import { BufferedRequests } from './request-stream.ts';
import type { H2Stream, StreamListener } from './stream.ts';

/** What the calls of one server share. */
export interface CallEnvironment {
  readonly logger: Logger;
  readonly maxReceiveBytes: number;
  readonly maxQueuedBytesPerStream: number;
  /** Streaming calls in progress, so that a stopping server can end them. */
  readonly streams: Set<GrpcCall>;
}

export interface CallRequest {
  readonly method: MethodImplementation;
  readonly fields: readonly HeaderField[];
  /** grpc-encoding. */
  readonly encoding: string;
  /** From grpc-timeout. */
  readonly timeoutMs: number | undefined;
}

/** Longer timers would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One gRPC call on its stream: ends once, by its handler, the client, its deadline or a stop. */
export class GrpcCall implements StreamListener, CallContext {
  readonly deadline: number | undefined;
  readonly peer: string;
  readonly #environment: CallEnvironment;
  readonly #stream: H2Stream;
  readonly #method: MethodImplementation;
  readonly #fields: readonly HeaderField[];
  readonly #encoding: string;
  /** Only made for what `wholeMessage` does not take. */
  #reader: MessageReader | undefined;
  #metadata: CallMetadata | undefined;
  /** Only made if the handler looks at the signal. */
  #abort: AbortController | undefined;
  #aborted = false;
  #open = true;
  #headersSent = false;
  #timer: NodeJS.Timeout | undefined;
  /** The one request of a call that takes no stream of them. */
  #request: Buffer | undefined;
  readonly #requests: BufferedRequests | undefined;
  /** Of the last message that was streamed, and that one's length. */
  #prefix: Buffer | undefined;
  #prefixedBytes = 0;
  #drainWanted = false;
  #onDrain = (): void => {};

  constructor(environment: CallEnvironment, stream: H2Stream, request: CallRequest) {
    const { method, timeoutMs } = request;
    this.#environment = environment;
    this.#stream = stream;
    this.#method = method;
    this.#fields = request.fields;
    this.peer = stream.peer;
    this.#encoding = request.encoding;
    if (timeoutMs !== undefined) {
      this.deadline = Date.now() + timeoutMs;
      if (timeoutMs <= MAX_TIMER_MS) {
        this.#timer = setTimeout(() => this.#onDeadline(), timeoutMs);
      }
    }
    if (method.kind !== 'unary') environment.streams.add(this);
    if (method.kind !== 'bidi') return;
    const requests = new BufferedRequests({
      context: this,
      open: (message) => this.#messages().open(message),
      releaseCredit: (bytes) => stream.releaseCredit(bytes),
      fail: (error) => this.#fail(error),
    });
    this.#requests = requests;
    // After the constructor, as the handler may answer at once.
    queueMicrotask(() => {
      if (this.#open) this.#run(() => method.invoke(requests, this.#sink(), this));
    });
  }

  get metadata(): CallMetadata {
    this.#metadata ??= new HeaderMetadata(this.#fields);
    return this.#metadata;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.#aborted) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  /** Ends the call from outside; its handler sees the signal. */
  end(error: RpcError): void {
    this.#sendError(error);
    this.#abortSignal(error);
  }

  onData(bytes: Buffer): void {
    if (!this.#open) return;
    try {
      if (this.#requests) {
        this.#messages().push(bytes, (message) => this.#requests?.push(message));
        this.#requests.hold(bytes.length);
      } else {
        this.#onRequestBytes(bytes);
        // The size limit bounds what one request holds.
        this.#stream.releaseCredit(bytes.length);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #onRequestBytes(bytes: Buffer): void {
    if (this.#reader === undefined) {
      const whole = wholeMessage(bytes, this.#environment.maxReceiveBytes);
      if (whole !== undefined) {
        this.#onOnlyRequest(whole);
        return;
      }
    }
    const reader = this.#messages();
    reader.push(bytes, (message) => this.#onOnlyRequest(reader.open(message)));
  }

  #messages(): MessageReader {
    this.#reader ??= new MessageReader(this.#environment.maxReceiveBytes, this.#encoding);
    return this.#reader;
  }

  onEnd(): void {
    if (!this.#open) return;
    if (this.#reader?.midMessage) {
      this.#fail(new RpcError(RpcStatus.INTERNAL, 'the request ended within a message'));
      return;
    }
    if (this.#requests) {
      this.#requests.end();
      return;
    }
    const request = this.#request;
    const method = this.#method;
    if (!request) {
      const message = `received no request message for ${method.path}`;
      this.#fail(new RpcError(RpcStatus.INTERNAL, message));
      return;
    }
    this.#request = undefined;
    if (method.kind === 'unary') this.#runUnary(method.invoke, request);
    else if (method.kind === 'serverStream') {
      this.#run(() => method.invoke(request, this.#sink(), this));
    }
  }

  onAbort(): void {
    this.#close();
    this.#abortSignal(undefined);
  }

  onSent(): void {
    const { maxQueuedBytesPerStream } = this.#environment;
    if (!this.#drainWanted || this.#stream.queuedBytes > maxQueuedBytesPerStream / 2) return;
    this.#drainWanted = false;
    if (!this.#open) return;
    try {
      this.#onDrain();
    } catch (error) {
      this.#fail(error);
    }
  }

  #onOnlyRequest(message: Buffer): void {
    if (this.#request) {
      const text = `received a second request message for ${this.#method.path}`;
      throw new RpcError(RpcStatus.INTERNAL, text);
    }
    this.#request = message;
  }

  #runUnary(
    invoke: (request: Buffer, context: CallContext) => Promise<Buffer>,
    request: Buffer,
  ): void {
    started(() => invoke(request, this)).then(
      (response) => {
        if (this.#close()) this.#stream.respond(RESPONSE_HEADERS, response, OK_TRAILERS);
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #run(invoke: () => Promise<void>): void {
    started(invoke).then(
      () => {
        if (!this.#close()) return;
        this.#sendHeaders();
        this.#stream.end(OK_TRAILERS);
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #sink(): ResponseSink<Buffer> {
    return {
      write: (message) => {
        if (!this.#open) return true;
        this.#sendMessage(message);
        this.#drainWanted ||= this.#stream.queuedBytes >= this.#environment.maxQueuedBytesPerStream;
        return !this.#drainWanted;
      },
      onDrain: (listener) => {
        this.#onDrain = listener;
      },
    };
  }

  #sendHeaders(): void {
    if (this.#headersSent) return;
    this.#headersSent = true;
    this.#stream.sendHeaders(RESPONSE_HEADERS);
  }

  #sendMessage(message: Buffer): void {
    this.#sendHeaders();
    // Messages of a stream are often of one size.
    if (this.#prefix === undefined || this.#prefixedBytes !== message.length) {
      this.#prefix = messagePrefix(message.length);
      this.#prefixedBytes = message.length;
    }
    this.#stream.write(this.#prefix);
    this.#stream.write(message);
  }

  #sendError(error: RpcError): void {
    if (!this.#close()) return;
    this.#stream.end(this.#headersSent ? errorTrailers(error) : trailersOnly(error));
  }

  #fail(error: unknown): void {
    if (this.#open) {
      const { logger } = this.#environment;
      this.#sendError(handlerError(logger, this.#method.path, error, this.#aborted));
    }
    this.#abortSignal(undefined);
  }

  #onDeadline(): void {
    this.end(new RpcError(RpcStatus.DEADLINE_EXCEEDED, 'context deadline exceeded'));
  }

  #abortSignal(reason: RpcError | undefined): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#abort?.abort(reason);
  }

  /** False: the call had ended before. */
  #close(): boolean {
    if (!this.#open) return false;
    this.#open = false;
    this.#request = undefined;
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#method.kind !== 'unary') this.#environment.streams.delete(this);
    return true;
  }
}

/** A handler that throws before it has made its promise fails its call and nothing else. */
function started<Result>(invoke: () => Promise<Result>): Promise<Result> {
  try {
    return invoke();
  } catch (error) {
    return Promise.reject(error);
  }
}
