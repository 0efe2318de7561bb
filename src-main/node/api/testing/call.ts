import type { Clock } from '../../../base/clock.ts';
import { silentLogger } from '../../../base/logger.ts';
import { iterate } from '../../rpc/iterate.ts';
import type {
  BidiDescriptor,
  CallContext,
  MethodImplementation,
  ServerStreamDescriptor,
  UnaryDescriptor,
} from '../../rpc/service.ts';
import type { Backend } from '../backend.ts';
import type { ApiDeps } from '../deps.ts';
import { createServices } from '../services.ts';

/** What a client has of a method: the other half of the codec. */
interface ClientCodec<Request, Response> {
  requestSerialize: (request: Request) => Buffer;
  responseDeserialize: (bytes: Buffer) => Response;
}

/** Time that passes only when the test says so. */
export class TestClock implements Clock {
  #nowMs = 0;
  #timers: { atMs: number; callback: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const due = this.#timers
        .filter(({ atMs }) => atMs <= untilMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#nowMs = due.atMs;
      due.callback();
    }
    this.#nowMs = untilMs;
  }
}

/** Calls the services as a transport does, by encoded messages. */
export class TestCaller {
  readonly clock = new TestClock();
  readonly #methods: Map<string, MethodImplementation>;

  constructor(backend: Backend, deps: Partial<ApiDeps> = {}) {
    const services = createServices(backend, {
      logger: silentLogger,
      clock: this.clock,
      ...deps,
    });
    const methods = services.flatMap((service) => service.methods);
    this.#methods = new Map(methods.map((method) => [method.path, method]));
  }

  async unary<Request, Response>(
    descriptor: UnaryDescriptor<Request, Response> & ClientCodec<Request, Response>,
    request: Request,
    metadata: Record<string, string> = {},
    signal = new AbortController().signal,
  ): Promise<Response> {
    const method = this.#methods.get(descriptor.path);
    if (method?.kind !== 'unary') throw new Error(`no unary ${descriptor.path}`);
    const context = contextOf(signal, metadata);
    const bytes = await method.invoke(descriptor.requestSerialize(request), context);
    return descriptor.responseDeserialize(bytes);
  }

  serverStream<Request, Response>(
    descriptor: ServerStreamDescriptor<Request, Response> & ClientCodec<Request, Response>,
    request: Request,
    metadata: Record<string, string> = {},
  ): TestServerStream<Response> {
    const method = this.#methods.get(descriptor.path);
    if (method?.kind !== 'serverStream') throw new Error(`no server stream ${descriptor.path}`);
    const bytes = descriptor.requestSerialize(request);
    return new TestServerStream(descriptor.responseDeserialize, method, bytes, metadata);
  }

  bidi<Request, Response>(
    descriptor: BidiDescriptor<Request, Response> & ClientCodec<Request, Response>,
    metadata: Record<string, string> = {},
  ): TestStream<Request, Response> {
    const method = this.#methods.get(descriptor.path);
    if (method?.kind !== 'bidi') throw new Error(`no bidi ${descriptor.path}`);
    return new TestStream(descriptor, method, metadata);
  }
}

/** A server-streaming call seen from the client, with a sink whose room the test controls. */
export class TestServerStream<Response> {
  readonly received: Response[] = [];
  /** Settles as the handler does. */
  readonly ended: Promise<void>;
  /** The sink answers false while this is set. */
  full = false;
  readonly #abort = new AbortController();
  #onDrain: () => void = () => {};

  constructor(
    decode: (bytes: Buffer) => Response,
    method: Extract<MethodImplementation, { kind: 'serverStream' }>,
    request: Buffer,
    metadata: Record<string, string>,
  ) {
    const responses = {
      write: (bytes: Buffer) => {
        this.received.push(decode(bytes));
        return !this.full;
      },
      onDrain: (listener: () => void) => {
        this.#onDrain = listener;
      },
    };
    this.ended = method.invoke(request, responses, contextOf(this.#abort.signal, metadata));
    // A test that expects a failure awaits it later.
    this.ended.catch(() => {});
  }

  cancel(): void {
    this.#abort.abort();
  }

  /** The client has read everything. */
  drain(): void {
    this.full = false;
    this.#onDrain();
  }
}

/** A bidi call seen from the client, with a sink whose room the test controls. */
export class TestStream<Request, Response> {
  readonly received: Response[] = [];
  /** Settles as the handler does. */
  readonly ended: Promise<void>;
  /** The sink answers false while this is set. */
  full = false;
  paused = false;
  readonly #codec: ClientCodec<Request, Response>;
  readonly #abort = new AbortController();
  #onMessage: (bytes: Buffer) => void = () => {};
  #onEnd: () => void = () => {};
  #onDrain: () => void = () => {};
  #backlog: Buffer[] = [];
  #halfClosed = false;

  constructor(
    codec: ClientCodec<Request, Response>,
    method: Extract<MethodImplementation, { kind: 'bidi' }>,
    metadata: Record<string, string>,
  ) {
    this.#codec = codec;
    const stream = {
      onMessage: (listener: (bytes: Buffer) => void) => {
        this.#onMessage = listener;
      },
      onEnd: (listener: () => void) => {
        this.#onEnd = listener;
      },
      pause: () => {
        this.paused = true;
      },
      resume: () => {
        this.paused = false;
        this.#flush();
      },
    };
    const { signal } = this.#abort;
    const requests = { ...stream, [Symbol.asyncIterator]: () => iterate(stream, signal) };
    const responses = {
      write: (bytes: Buffer) => {
        this.received.push(codec.responseDeserialize(bytes));
        return !this.full;
      },
      onDrain: (listener: () => void) => {
        this.#onDrain = listener;
      },
    };
    this.ended = method.invoke(requests, responses, contextOf(signal, metadata));
  }

  send(request: Request): void {
    this.#backlog.push(this.#codec.requestSerialize(request));
    this.#flush();
  }

  /** Seen after everything that was sent. */
  halfClose(): void {
    this.#halfClosed = true;
    this.#flush();
  }

  cancel(): void {
    this.#abort.abort();
  }

  /** The client has read everything. */
  drain(): void {
    this.full = false;
    this.#onDrain();
  }

  #flush(): void {
    while (!this.paused) {
      const bytes = this.#backlog.shift();
      if (bytes === undefined) break;
      this.#onMessage(bytes);
    }
    if (this.#halfClosed && this.#backlog.length === 0 && !this.paused) this.#onEnd();
  }
}

function contextOf(signal: AbortSignal, metadata: Record<string, string>): CallContext {
  return {
    signal,
    get aborted() {
      return signal.aborted;
    },
    deadline: undefined,
    peer: 'test',
    metadata: { get: (name) => metadata[name] },
  };
}
