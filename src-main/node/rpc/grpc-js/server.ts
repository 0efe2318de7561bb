import { createServer, type Server as HttpServer } from 'node:http';
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { type ListenAddress, SniffingListener } from '../listener.ts';
import {
  DEFAULT_MAX_QUEUED_BYTES_PER_STREAM,
  type RpcServer,
  type RpcServerOptions,
} from '../server.ts';
import type { MethodImplementation } from '../service.ts';
import { RpcError, RpcStatus } from '../status.ts';
import { type CallEnvironment, handleBidi, handleServerStream, handleUnary } from './calls.ts';

/** An HTTP/1.1 client that neither sends nor reads for so long is cut. */
const HTTP1_IDLE_TIMEOUT_MS = 30_000;

const identity = (bytes: Buffer): Buffer => bytes;

/** Serves the services on @grpc/grpc-js, and HTTP/1.1 on the same ports. */
export function createGrpcJsServer(options: RpcServerOptions): RpcServer {
  return new GrpcJsServer(options);
}

class GrpcJsServer implements RpcServer {
  readonly #options: RpcServerOptions;
  readonly #grpc: Server;
  readonly #http: HttpServer;
  readonly #injector: ConnectionInjector;
  readonly #listener: SniffingListener;
  readonly #environment: CallEnvironment;
  #stopped: Promise<void> | undefined;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#environment = {
      logger: options.logger,
      maxQueuedBytesPerStream:
        options.maxQueuedBytesPerStream ?? DEFAULT_MAX_QUEUED_BYTES_PER_STREAM,
      streams: new Set(),
    };
    this.#grpc = new Server({
      'grpc.max_receive_message_length': options.maxReceiveBytes,
      'grpc.max_send_message_length': -1,
      'grpc.enable_channelz': 0,
    });
    for (const service of options.services) {
      for (const method of service.methods) register(this.#grpc, this.#environment, method);
    }
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    const onHttp1 = options.http1;
    this.#http = createServer(onHttp1 ?? ((_, response) => response.writeHead(404).end()));
    this.#http.timeout = HTTP1_IDLE_TIMEOUT_MS;
    this.#listener = new SniffingListener(
      {
        http2: (socket) => this.#injector.injectConnection(socket),
        http1: (socket) => (onHttp1 ? this.#http.emit('connection', socket) : socket.destroy()),
      },
      options.logger,
    );
  }

  start(): Promise<ListenAddress[]> {
    return this.#listener.listen(this.#options.listen);
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    this.#listener.stopAccepting();
    // Streams live as long as their clients want, so waiting for them would always take the whole
    // grace period.
    const goodbye = new RpcError(RpcStatus.UNAVAILABLE, 'the server is shutting down');
    for (const stream of [...this.#environment.streams]) stream.end(goodbye);
    this.#http.closeIdleConnections();
    const drained = new Promise<void>((resolve) => this.#grpc.tryShutdown(() => resolve()));
    const hardStop = setTimeout(() => {
      this.#options.logger.warn('calls were cut at stop', { graceMs });
      this.#grpc.forceShutdown();
      this.#listener.destroySockets();
    }, graceMs);
    await Promise.all([drained, this.#listener.allClosed()]);
    clearTimeout(hardStop);
  }
}

function register(grpc: Server, environment: CallEnvironment, method: MethodImplementation): void {
  const { path, kind } = method;
  switch (kind) {
    case 'unary': {
      const handler = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
        handleUnary(environment, method, call, callback);
      grpc.register(path, handler, identity, identity, 'unary');
      break;
    }
    case 'serverStream': {
      const handler = (call: ServerWritableStream<Buffer, Buffer>) =>
        handleServerStream(environment, method, call);
      grpc.register(path, handler, identity, identity, 'serverStream');
      break;
    }
    case 'bidi': {
      const handler = (call: ServerDuplexStream<Buffer, Buffer>) =>
        handleBidi(environment, method, call);
      grpc.register(path, handler, identity, identity, 'bidi');
      break;
    }
  }
}
