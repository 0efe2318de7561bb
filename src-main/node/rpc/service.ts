/**
 * gRPC services as handlers see them, whatever carries the bytes. A transport (grpc-js/ for now)
 * serves `ServiceImplementation`s and deals in encoded messages alone: each method brings its own
 * codec along.
 */
import { errorMessage } from '../../base/errors.ts';
import { RpcError, RpcStatus } from './status.ts';

/**
 * A method of a service and its codec. ts-proto's generated service definitions have this shape.
 */
export interface MethodDescriptor<Request, Response> {
  /** "/package.Service/Method". */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (response: Response) => Buffer;
}
export type UnaryDescriptor<Request, Response> = MethodDescriptor<Request, Response> & {
  readonly requestStream: false;
  readonly responseStream: false;
};
export type ServerStreamDescriptor<Request, Response> = MethodDescriptor<Request, Response> & {
  readonly requestStream: false;
  readonly responseStream: true;
};
export type BidiDescriptor<Request, Response> = MethodDescriptor<Request, Response> & {
  readonly requestStream: true;
  readonly responseStream: true;
};

export interface CallMetadata {
  /**
   * The first value under this lower-case name; undefined if there is none. Binary (-bin) values
   * are decoded.
   */
  get(name: string): string | Buffer | undefined;
}

export interface CallContext {
  readonly metadata: CallMetadata;
  /**
   * Aborted when the client cancels or vanishes, when the deadline passes and, for streams, when
   * the server stops. What a handler answers afterwards goes nowhere.
   */
  readonly signal: AbortSignal;
  /** As `signal.aborted`. Making a signal costs more than many a call: who need not be told asks here. */
  readonly aborted: boolean;
  /** Milliseconds since the epoch; undefined if the client set none. */
  readonly deadline: number | undefined;
  /** "address:port" of the client, for logs. */
  readonly peer: string;
}

/** Messages from the client, in order. Consumed either by `onMessage` or by iterating, not both. */
export interface RequestStream<Request> extends AsyncIterable<Request> {
  /**
   * Messages start to flow with the first call; an exception of the listener ends the call as a
   * handler's would.
   */
  onMessage(listener: (request: Request) => void): void;
  /** The client has sent its last message (half-close). Not called when the call is aborted. */
  onEnd(listener: () => void): void;
  /**
   * Takes no further messages off the wire; a few that are already here may still be delivered
   * after `resume`.
   */
  pause(): void;
  resume(): void;
}

/** Messages to the client. */
export interface ResponseSink<Response> {
  /**
   * Always takes the message. False: as many bytes as the transport's limit wait for this client,
   * so the caller should hold back until `onDrain`. After the call has ended it does nothing and
   * answers true.
   */
  write(response: Response): boolean;
  /** Called each time that there is room again after a `write` answered false. One listener. */
  onDrain(listener: () => void): void;
}

export type UnaryHandler<Request, Response> = (
  request: Request,
  context: CallContext,
) => Promise<Response>;
/** The call ends with OK when the promise resolves, and with the error's status when it rejects. */
export type ServerStreamHandler<Request, Response> = (
  request: Request,
  responses: ResponseSink<Response>,
  context: CallContext,
) => Promise<void>;
/** The call ends with OK when the promise resolves, and with the error's status when it rejects. */
export type BidiHandler<Request, Response> = (
  requests: RequestStream<Request>,
  responses: ResponseSink<Response>,
  context: CallContext,
) => Promise<void>;

/** A method over encoded messages: what a transport calls. */
export type MethodImplementation =
  | {
      readonly kind: 'unary';
      readonly path: string;
      readonly invoke: (request: Buffer, context: CallContext) => Promise<Buffer>;
    }
  | {
      readonly kind: 'serverStream';
      readonly path: string;
      readonly invoke: ServerStreamHandler<Buffer, Buffer>;
    }
  | {
      readonly kind: 'bidi';
      readonly path: string;
      readonly invoke: BidiHandler<Buffer, Buffer>;
    };

export interface ServiceImplementation {
  /** "package.Service". */
  readonly name: string;
  readonly methods: readonly MethodImplementation[];
}

export function unary<Request, Response>(
  descriptor: UnaryDescriptor<Request, Response>,
  handler: UnaryHandler<Request, Response>,
): MethodImplementation {
  const { path, responseSerialize } = descriptor;
  const invoke = (bytes: Buffer, context: CallContext): Promise<Buffer> => {
    try {
      return handler(decode(descriptor, bytes), context).then(responseSerialize);
    } catch (error) {
      return Promise.reject(error);
    }
  };
  return { kind: 'unary', path, invoke };
}

export function serverStream<Request, Response>(
  descriptor: ServerStreamDescriptor<Request, Response>,
  handler: ServerStreamHandler<Request, Response>,
): MethodImplementation {
  return {
    kind: 'serverStream',
    path: descriptor.path,
    invoke: async (bytes, responses, context) =>
      handler(
        decode(descriptor, bytes),
        encodingSink(descriptor.responseSerialize, responses),
        context,
      ),
  };
}

export function bidi<Request, Response>(
  descriptor: BidiDescriptor<Request, Response>,
  handler: BidiHandler<Request, Response>,
): MethodImplementation {
  return {
    kind: 'bidi',
    path: descriptor.path,
    invoke: (requests, responses, context) =>
      handler(
        decodingStream(descriptor, requests),
        encodingSink(descriptor.responseSerialize, responses),
        context,
      ),
  };
}

function decode<Request>(descriptor: MethodDescriptor<Request, never>, bytes: Buffer): Request {
  try {
    return descriptor.requestDeserialize(bytes);
  } catch (error) {
    // The status that grpc-go answers to bytes that are no such message.
    throw new RpcError(
      RpcStatus.INTERNAL,
      `grpc: error unmarshalling request: ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

function encodingSink<Response>(
  encode: (response: Response) => Buffer,
  sink: ResponseSink<Buffer>,
): ResponseSink<Response> {
  return {
    write: (response) => sink.write(encode(response)),
    onDrain: (listener) => sink.onDrain(listener),
  };
}

function decodingStream<Request>(
  descriptor: MethodDescriptor<Request, never>,
  stream: RequestStream<Buffer>,
): RequestStream<Request> {
  return {
    onMessage: (listener) => stream.onMessage((bytes) => listener(decode(descriptor, bytes))),
    onEnd: (listener) => stream.onEnd(listener),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    async *[Symbol.asyncIterator]() {
      for await (const bytes of stream) yield decode(descriptor, bytes);
    },
  };
}
