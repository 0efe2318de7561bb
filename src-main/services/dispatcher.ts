/**
 * Between frames and services: checks every frame and input, runs the call or stream, and turns
 * whatever is thrown into a ContractError. One Session per client; a client can hurt nothing but
 * its own session.
 */
import { z } from 'zod';
import type { Disposable } from '../base/disposable.ts';
import type { Logger } from '../base/logger.ts';
import { CALL_INPUTS, type CallName, type CallOutput, type CallParsed } from '../contract/calls.ts';
import type { ContractError } from '../contract/errors.ts';
import {
  STREAM_INPUTS,
  type StreamItem,
  type StreamName,
  type StreamParsed,
} from '../contract/streams.ts';
import type { ClientFrame, ServerFrame } from '../contract/wire.ts';
import { failure, toContractError } from './errors.ts';
import {
  OutgoingStream,
  type StreamMode,
  type StreamSink,
  type StreamSource,
  type Weight,
} from './stream.ts';

export interface CallContext {
  /** Aborted when the client cancels or is gone. */
  signal: AbortSignal;
}

export type CallHandlers = {
  [N in CallName]: (
    input: CallParsed<N>,
    context: CallContext,
  ) => CallOutput<N> | Promise<CallOutput<N>>;
};

export interface StreamHandler<N extends StreamName> {
  mode: StreamMode;
  /** Absent: every item counts as one. */
  weigh?: (item: StreamItem<N>) => Weight;
  open(
    input: StreamParsed<N>,
    sink: StreamSink<StreamItem<N>>,
  ): StreamSource | Promise<StreamSource>;
}

export type StreamHandlers = { [N in StreamName]: StreamHandler<N> };

export interface Handlers {
  calls: CallHandlers;
  streams: StreamHandlers;
}

/** Calls that one client can have under way. */
export const MAX_CALLS = 512;
/** Streams that one client can hold open. */
export const MAX_STREAMS = 128;
const MAX_NAME_CHARS = 64;

const id = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const name = z.string().max(MAX_NAME_CHARS);
const credits = z.number().int().positive();
/** Encoders leave out what is undefined. */
const input = z.unknown().default({});
const frameSchema = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('call'), id, name, input }),
  z.strictObject({ t: z.literal('cancel'), id }),
  z.strictObject({ t: z.literal('open'), id, name, input, credits }),
  z.strictObject({ t: z.literal('credit'), id, credits }),
  z.strictObject({ t: z.literal('close'), id }),
]);
/** The least that is needed to answer a malformed frame. */
const withId = z.object({ id });

type AnyStreamHandler = StreamHandler<StreamName>;
type AnyCallHandler = (input: unknown, context: CallContext) => unknown;

export class Session implements Disposable {
  readonly #handlers: Handlers;
  readonly #sendFrame: (frame: ServerFrame) => void;
  readonly #logger: Logger;
  readonly #calls = new Map<number, AbortController>();
  readonly #streams = new Map<number, OutgoingStream>();
  readonly #onDispose: () => void;
  #disposed = false;

  constructor(
    handlers: Handlers,
    send: (frame: ServerFrame) => void,
    logger: Logger,
    onDispose: () => void = () => {},
  ) {
    this.#handlers = handlers;
    this.#onDispose = onDispose;
    this.#sendFrame = send;
    this.#logger = logger;
  }

  /**
   * Takes what the client sent, whatever it is. Answers false for a frame that cannot even be
   * answered: the host then closes the connection.
   */
  receive(value: unknown): boolean {
    if (this.#disposed) return true;
    const parsed = frameSchema.safeParse(value);
    if (parsed.success) {
      this.#onFrame(parsed.data);
      return true;
    }
    this.#logger.warn('malformed frame', { issues: parsed.error.issues.length });
    const target = withId.safeParse(value);
    if (!target.success) return false;
    this.#sendError(target.data.id, failure('InvalidArgument', 'malformed frame'));
    return true;
  }

  /** Aborts its calls, ends its streams, sends nothing more. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#onDispose();
    for (const controller of this.#calls.values()) controller.abort();
    for (const stream of this.#streams.values()) stream.dispose();
    this.#calls.clear();
    this.#streams.clear();
  }

  #onFrame(frame: ClientFrame): void {
    switch (frame.t) {
      case 'call':
        void this.#call(frame);
        break;
      case 'cancel':
        this.#calls.get(frame.id)?.abort();
        break;
      case 'open':
        void this.#open(frame);
        break;
      case 'credit':
        // A stream that ended may still be granted credits by a client that does not know yet.
        this.#streams.get(frame.id)?.grant(frame.credits);
        break;
      case 'close':
        this.#streams.get(frame.id)?.dispose();
        this.#streams.delete(frame.id);
        break;
    }
  }

  async #call(frame: Extract<ClientFrame, { t: 'call' }>): Promise<void> {
    const controller = new AbortController();
    let isOurs = false;
    try {
      if (!Object.hasOwn(CALL_INPUTS, frame.name)) {
        throw failure('Unsupported', `there is no call ${JSON.stringify(frame.name)}`);
      }
      this.#assertFreeId(frame.id);
      if (this.#calls.size >= MAX_CALLS) {
        throw failure('Unavailable', `more than ${MAX_CALLS} calls are under way`);
      }
      this.#calls.set(frame.id, controller);
      isOurs = true;
      const callName = frame.name as CallName;
      const input: unknown = CALL_INPUTS[callName].parse(frame.input ?? {});
      const handler = this.#handlers.calls[callName] as AnyCallHandler;
      const output = await untilAborted(handler(input, controller), controller.signal);
      this.#send({ t: 'result', id: frame.id, output });
    } catch (error) {
      this.#sendError(frame.id, error);
    } finally {
      if (isOurs) this.#calls.delete(frame.id);
    }
  }

  async #open(frame: Extract<ClientFrame, { t: 'open' }>): Promise<void> {
    let stream: OutgoingStream | undefined;
    try {
      if (!Object.hasOwn(STREAM_INPUTS, frame.name)) {
        throw failure('Unsupported', `there is no stream ${JSON.stringify(frame.name)}`);
      }
      this.#assertFreeId(frame.id);
      if (this.#streams.size >= MAX_STREAMS) {
        throw failure('Unavailable', `more than ${MAX_STREAMS} streams are open`);
      }
      const streamName = frame.name as StreamName;
      const input = STREAM_INPUTS[streamName].parse(frame.input ?? {});
      const handler = this.#handlers.streams[streamName] as AnyStreamHandler;
      stream = this.#newStream(frame, handler);
      this.#streams.set(frame.id, stream);
      stream.attach(await handler.open(input as StreamParsed<StreamName>, stream));
    } catch (error) {
      if (stream !== undefined) stream.end(error);
      else this.#send({ t: 'end', id: frame.id, error: this.#toError(error) });
    }
  }

  #newStream(
    frame: Extract<ClientFrame, { t: 'open' }>,
    handler: AnyStreamHandler,
  ): OutgoingStream {
    const stream: OutgoingStream = new OutgoingStream({
      id: frame.id,
      mode: handler.mode,
      weigh: (item) => handler.weigh?.(item as StreamItem<StreamName>) ?? { count: 1, bytes: 0 },
      credits: frame.credits,
      send: (out) => this.#send(out),
      toError: (error) => this.#toError(error),
      onEnd: () => {
        if (this.#streams.get(frame.id) === stream) this.#streams.delete(frame.id);
      },
    });
    return stream;
  }

  #assertFreeId(frameId: number): void {
    if (!this.#calls.has(frameId) && !this.#streams.has(frameId)) return;
    throw failure('InvalidArgument', `id ${frameId} is in use`);
  }

  #sendError(frameId: number, error: unknown): void {
    this.#send({ t: 'error', id: frameId, error: this.#toError(error) });
  }

  #toError(error: unknown): ContractError {
    return toContractError(error, this.#logger);
  }

  #send(frame: ServerFrame): void {
    if (this.#disposed) return;
    try {
      this.#sendFrame(frame);
    } catch (error) {
      // What cannot be encoded must not take the session down.
      this.#logger.error('cannot send a frame', { t: frame.t, error: String(error) });
    }
  }
}

/**
 * Rejects at once when aborted: a handler that cannot be stopped does not keep the client waiting.
 */
function untilAborted<T>(work: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(failure('Cancelled', 'the call was cancelled'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    Promise.resolve(work).then(resolve, reject);
  });
}
