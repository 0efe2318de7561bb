import type {
  Metadata,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
} from '@grpc/grpc-js';
import type { Logger } from '../../../base/logger.ts';
import { handlerError } from '../handler-error.ts';
import { iterate } from '../iterate.ts';
import type {
  CallContext,
  CallMetadata,
  MethodImplementation,
  RequestStream,
  ResponseSink,
} from '../service.ts';
import type { RpcError } from '../status.ts';

export type UnaryMethod = Extract<MethodImplementation, { kind: 'unary' }>;
export type ServerStreamMethod = Extract<MethodImplementation, { kind: 'serverStream' }>;
export type BidiMethod = Extract<MethodImplementation, { kind: 'bidi' }>;

/** What the calls of one server share. */
export interface CallEnvironment {
  logger: Logger;
  maxQueuedBytesPerStream: number;
  /** Streams in progress, so that a stopping server can end them. */
  streams: Set<StreamCall>;
}

export interface StreamCall {
  end(error: RpcError): void;
}

type SurfaceCall = Pick<ServerUnaryCall<Buffer, Buffer>, 'metadata' | 'getDeadline' | 'getPeer'>;
type WritableCall = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

export function handleUnary(
  environment: CallEnvironment,
  method: UnaryMethod,
  call: ServerUnaryCall<Buffer, Buffer>,
  callback: sendUnaryData<Buffer>,
): void {
  const abort = new AbortController();
  call.on('cancelled', () => abort.abort());
  const context = contextOf(call, abort.signal);
  method.invoke(call.request, context).then(
    (response) => callback(null, response),
    (error: unknown) => {
      const { status, message } = handlerError(
        environment.logger,
        method.path,
        error,
        abort.signal.aborted,
      );
      callback({ code: status, details: message });
    },
  );
}

export function handleServerStream(
  environment: CallEnvironment,
  method: ServerStreamMethod,
  call: ServerWritableStream<Buffer, Buffer>,
): void {
  const { context, finish, fail } = openStream(environment, method.path, call);
  const sink = sinkOf(call, environment.maxQueuedBytesPerStream);
  method.invoke(call.request, sink, context).then(finish, fail);
}

export function handleBidi(
  environment: CallEnvironment,
  method: BidiMethod,
  call: ServerDuplexStream<Buffer, Buffer>,
): void {
  const { context, finish, fail } = openStream(environment, method.path, call);
  const sink = sinkOf(call, environment.maxQueuedBytesPerStream);
  const requests = requestsOf(call, context.signal, fail);
  method.invoke(requests, sink, context).then(finish, fail);
}

/**
 * Life and end of a streaming call: it ends once, by its handler, by the client or by the server's
 * stop.
 */
function openStream(environment: CallEnvironment, path: string, call: WritableCall) {
  const { logger, streams } = environment;
  const abort = new AbortController();
  let open = true;
  const close = (): boolean => {
    if (!open) return false;
    open = false;
    streams.delete(stream);
    return true;
  };
  const endWith = (error: RpcError): void => {
    // grpc-js takes the status of an 'error' event and sends it after the messages written so far.
    if (close()) call.emit('error', { code: error.status, details: error.message });
  };
  const stream: StreamCall = {
    end: (error) => {
      endWith(error);
      abort.abort(error);
    },
  };
  streams.add(stream);
  call.on('cancelled', () => {
    close();
    abort.abort();
  });
  return {
    context: contextOf(call, abort.signal),
    finish: () => {
      if (close()) call.end();
    },
    fail: (error: unknown) => {
      if (open) endWith(handlerError(logger, path, error, abort.signal.aborted));
      abort.abort();
    },
  };
}

function contextOf(call: SurfaceCall, signal: AbortSignal): CallContext {
  const deadline = call.getDeadline();
  const at = typeof deadline === 'number' ? deadline : deadline.getTime();
  return {
    metadata: metadataOf(call.metadata),
    signal,
    get aborted() {
      return signal.aborted;
    },
    deadline: Number.isFinite(at) ? at : undefined,
    peer: call.getPeer(),
  };
}

function metadataOf(metadata: Metadata): CallMetadata {
  return { get: (name) => metadata.get(name)[0] };
}

/** Counts the bytes that wait in the call's stream; grpc-js itself would count messages. */
function sinkOf(call: WritableCall, maxQueuedBytes: number): ResponseSink<Buffer> {
  let queuedBytes = 0;
  let drainWanted = false;
  let onDrain = (): void => {};
  return {
    write(message) {
      if (call.cancelled || call.writableEnded || call.destroyed) return true;
      queuedBytes += message.length;
      call.write(message, () => {
        queuedBytes -= message.length;
        if (drainWanted && queuedBytes <= maxQueuedBytes / 2 && !call.destroyed) {
          drainWanted = false;
          onDrain();
        }
      });
      drainWanted ||= queuedBytes >= maxQueuedBytes;
      return !drainWanted;
    },
    onDrain(listener) {
      onDrain = listener;
    },
  };
}

function requestsOf(
  call: ServerDuplexStream<Buffer, Buffer>,
  signal: AbortSignal,
  fail: (error: unknown) => void,
): RequestStream<Buffer> {
  const stream = {
    onMessage(listener: (request: Buffer) => void) {
      call.on('data', (message: Buffer) => {
        try {
          if (!signal.aborted) listener(message);
        } catch (error) {
          fail(error);
        }
      });
    },
    onEnd(listener: () => void) {
      call.on('end', listener);
    },
    pause() {
      call.pause();
    },
    resume() {
      call.resume();
    },
  };
  return { ...stream, [Symbol.asyncIterator]: () => iterate(stream, signal) };
}
