import type { CallInput, CallName, CallOutput } from '../../src-main/contract/calls.ts';
import type { StreamInput, StreamItem, StreamName } from '../../src-main/contract/streams.ts';
import { type ServerFrame, STREAM_CREDITS, type Transport } from '../../src-main/contract/wire.ts';
import { ContractCallError } from './errors.ts';

export { asCallError, asSentence, ContractCallError, errorText } from './errors.ts';

/** Calls under way and waiting for the first connection, as many as main takes from one client. */
export const MAX_PENDING_CALLS = 512;
/** Streams that may be open at once, as many as main serves to one client. */
export const MAX_OPEN_STREAMS = 128;

export type ConnectionState = 'connecting' | 'open' | 'closed';

/** Streams of whole states: nothing is lost by opening them anew after the connection was lost. */
const RESUMED_STREAMS: ReadonlySet<StreamName> = new Set<StreamName>([
  'clusters.follow',
  'cluster.overview',
  'leases.follow',
  'storage.follow',
]);

/** zod wants bytes over an ArrayBuffer of their own; on the wire it is all the same. */
type AnyBytes<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer E)[]
    ? AnyBytes<E>[]
    : T extends object
      ? { [K in keyof T]: AnyBytes<T[K]> }
      : T;
export type ClientInput<N extends CallName> = AnyBytes<CallInput<N>>;
export type ClientStreamInput<N extends StreamName> = AnyBytes<StreamInput<N>>;

export interface CallOptions {
  signal?: AbortSignal;
}

export interface StreamHandlers<N extends StreamName> {
  /** A batch, oldest first. Main sends more only after this returned (or its promise settled). */
  onItems(items: StreamItem<N>[]): void | Promise<void>;
  /** Nothing more comes. Without an error main ended it; never called after `close`. */
  onEnd?(error: ContractCallError | null): void;
  /**
   * The connection was lost and the stream will be opened anew by itself (streams of whole states
   * only). Watches and logs get `onEnd` with code Unavailable instead: only their view knows where
   * to go on.
   */
  onInterrupted?(): void;
}

export interface StreamHandle {
  close(): void;
}

interface PendingCall {
  name: CallName;
  input: unknown;
  sent: boolean;
  resolve(output: unknown): void;
  reject(error: ContractCallError): void;
  release(): void;
}

interface OpenStream {
  name: StreamName;
  input: unknown;
  handlers: StreamHandlers<StreamName>;
  /** The id on the wire; a stream that is opened anew gets another. */
  id: number;
  sent: boolean;
  /** Batches consumed and not yet granted back. */
  consumed: number;
}

/**
 * The renderer's side of the contract: typed calls and streams over whatever transport the host
 * has.
 */
export class ContractClient {
  readonly #transport: Transport;
  readonly #calls = new Map<number, PendingCall>();
  readonly #streams = new Map<number, OpenStream>();
  readonly #stateListeners = new Set<(state: ConnectionState) => void>();
  #state: ConnectionState = 'connecting';
  #wasOpen = false;
  #nextId = 1;

  constructor(transport: Transport) {
    this.#transport = transport;
    transport.onFrame((frame) => this.#onFrame(frame));
    transport.onState((state) => this.#onState(state));
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Called with the state of now, and after every change. */
  onState(listener: (state: ConnectionState) => void): () => void {
    this.#stateListeners.add(listener);
    listener(this.#state);
    return () => this.#stateListeners.delete(listener);
  }

  /**
   * Rejects with ContractCallError: Unavailable when main is gone, Cancelled when the signal
   * aborts, else main's own code. A call that was under way when the connection broke may or may
   * not have been carried out.
   */
  call<N extends CallName>(
    name: N,
    input: ClientInput<N>,
    options: CallOptions = {},
  ): Promise<CallOutput<N>> {
    const { signal } = options;
    return new Promise<CallOutput<N>>((resolve, reject) => {
      if (signal?.aborted) return reject(cancelled());
      if (!this.#canWait()) return reject(unavailable());
      if (this.#calls.size >= MAX_PENDING_CALLS) {
        return reject(
          new ContractCallError('Unavailable', `${MAX_PENDING_CALLS} calls are under way`),
        );
      }
      const id = this.#nextId++;
      const onAbort = () => this.#cancel(id);
      signal?.addEventListener('abort', onAbort, { once: true });
      const call: PendingCall = {
        name,
        input,
        sent: false,
        resolve: (output) => resolve(output as CallOutput<N>),
        reject,
        release: () => signal?.removeEventListener('abort', onAbort),
      };
      this.#calls.set(id, call);
      if (this.#state === 'open') this.#sendCall(id, call);
    });
  }

  /**
   * Opens a stream. It lives until `close`, its end, or, for watches and logs, the loss of the
   * connection.
   */
  open<N extends StreamName>(
    name: N,
    input: ClientStreamInput<N>,
    handlers: StreamHandlers<N>,
  ): StreamHandle {
    const stream: OpenStream = {
      name,
      input,
      // The map of streams forgets which N each is of; frames are matched by id, so the items fit.
      handlers: handlers as unknown as StreamHandlers<StreamName>,
      id: this.#nextId++,
      sent: false,
      consumed: 0,
    };
    const refusal = this.#refusalOf(name);
    if (refusal !== null) {
      let closed = false;
      queueMicrotask(() => {
        if (!closed) handlers.onEnd?.(refusal);
      });
      return {
        close: () => {
          closed = true;
        },
      };
    }
    this.#streams.set(stream.id, stream);
    if (this.#state === 'open') this.#sendOpen(stream);
    return { close: () => this.#closeStream(stream) };
  }

  /**
   * Before the first connection things wait for it; afterwards they fail at once while it is gone.
   */
  #canWait(): boolean {
    return this.#state === 'open' || (this.#state === 'connecting' && !this.#wasOpen);
  }

  #refusalOf(name: StreamName): ContractCallError | null {
    if (this.#streams.size >= MAX_OPEN_STREAMS) {
      return new ContractCallError('Unavailable', `${MAX_OPEN_STREAMS} streams are open`);
    }
    return this.#canWait() || RESUMED_STREAMS.has(name) ? null : unavailable();
  }

  #sendCall(id: number, call: PendingCall): void {
    call.sent = true;
    try {
      this.#transport.send({ t: 'call', id, name: call.name, input: call.input });
    } catch (error) {
      this.#calls.delete(id);
      call.release();
      call.reject(sendError(error));
    }
  }

  #sendOpen(stream: OpenStream): void {
    stream.sent = true;
    stream.consumed = 0;
    const { id, name, input } = stream;
    try {
      this.#transport.send({ t: 'open', id, name, input, credits: STREAM_CREDITS });
    } catch (error) {
      this.#streams.delete(id);
      stream.handlers.onEnd?.(sendError(error));
    }
  }

  #cancel(id: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    if (call.sent && this.#state === 'open') this.#transport.send({ t: 'cancel', id });
    call.reject(cancelled());
  }

  #closeStream(stream: OpenStream): void {
    if (!this.#streams.delete(stream.id)) return;
    if (stream.sent && this.#state === 'open') this.#transport.send({ t: 'close', id: stream.id });
  }

  #onFrame(frame: ServerFrame): void {
    switch (frame.t) {
      case 'result':
        this.#takeCall(frame.id)?.resolve(frame.output);
        break;
      case 'error':
        this.#takeCall(frame.id)?.reject(ContractCallError.from(frame.error));
        break;
      case 'items':
        void this.#onItems(frame.id, frame.items);
        break;
      case 'end': {
        const stream = this.#streams.get(frame.id);
        if (stream === undefined || !this.#streams.delete(frame.id)) return;
        const { error } = frame;
        stream.handlers.onEnd?.(error === undefined ? null : ContractCallError.from(error));
      }
    }
  }

  #takeCall(id: number): PendingCall | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    call?.release();
    return call;
  }

  async #onItems(id: number, items: unknown[]): Promise<void> {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    try {
      await stream.handlers.onItems(items as StreamItem<StreamName>[]);
    } catch (error) {
      // A view that fails on one batch must not stall its stream for good.
      reportError(error);
    }
    if (this.#streams.get(id) !== stream || this.#state !== 'open') return;
    stream.consumed++;
    if (stream.consumed < STREAM_CREDITS / 2) return;
    this.#transport.send({ t: 'credit', id, credits: stream.consumed });
    stream.consumed = 0;
  }

  #onState(state: ConnectionState): void {
    if (state === this.#state) return;
    const wasOpen = this.#state === 'open';
    this.#state = state;
    if (state === 'open') this.#onOpen();
    else if (wasOpen || state === 'closed') this.#onLost();
    for (const listener of [...this.#stateListeners]) listener(state);
  }

  #onOpen(): void {
    this.#wasOpen = true;
    for (const [id, call] of [...this.#calls]) if (!call.sent) this.#sendCall(id, call);
    for (const stream of [...this.#streams.values()]) if (!stream.sent) this.#sendOpen(stream);
  }

  #onLost(): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) {
      call.release();
      call.reject(unavailable());
    }
    for (const stream of [...this.#streams.values()]) {
      // Its own handlers may have closed it meanwhile.
      if (!this.#streams.delete(stream.id)) continue;
      if (!RESUMED_STREAMS.has(stream.name)) {
        stream.handlers.onEnd?.(unavailable());
        continue;
      }
      const wasSent = stream.sent;
      // Frames of the old connection must not reach the new stream.
      stream.id = this.#nextId++;
      stream.sent = false;
      this.#streams.set(stream.id, stream);
      if (wasSent) stream.handlers.onInterrupted?.();
    }
  }
}

function unavailable(): ContractCallError {
  return new ContractCallError('Unavailable', 'the connection to Raftdeck is lost');
}

function cancelled(): ContractCallError {
  return new ContractCallError('Cancelled', 'the call was cancelled');
}

function sendError(error: unknown): ContractCallError {
  return new ContractCallError('Internal', error instanceof Error ? error.message : String(error));
}
