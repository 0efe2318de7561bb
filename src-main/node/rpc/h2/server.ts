import { createServer, type Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { type ListenAddress, SniffingListener } from '../listener.ts';
import {
  DEFAULT_MAX_QUEUED_BYTES_PER_STREAM,
  type RpcServer,
  type RpcServerOptions,
} from '../server.ts';
import type { MethodImplementation } from '../service.ts';
import { RpcError, RpcStatus } from '../status.ts';
import { H2Connection } from './connection.ts';
import { ErrorCode, StreamError } from './frames.ts';
import { type CallEnvironment, GrpcCall } from './grpc-call.ts';
import {
  httpError,
  isGrpcContentType,
  parseRequestHead,
  parseTimeoutMs,
  type RequestHead,
  trailersOnly,
} from './grpc-headers.ts';
import type { HeaderField } from './hpack/static-table.ts';
import type { H2Stream } from './stream.ts';
import { TurnScheduler } from './turn-scheduler.ts';

/** An HTTP/1.1 client that neither sends nor reads for so long is cut. */
const HTTP1_IDLE_TIMEOUT_MS = 30_000;

/** Serves the services on our own HTTP/2 over node:net, and HTTP/1.1 on the same ports. */
export function createH2Server(options: RpcServerOptions): RpcServer {
  return new H2Server(options);
}

class H2Server implements RpcServer {
  readonly #options: RpcServerOptions;
  readonly #http: HttpServer;
  readonly #listener: SniffingListener;
  readonly #environment: CallEnvironment;
  readonly #methods = new Map<string, MethodImplementation>();
  readonly #connections = new Set<H2Connection>();
  readonly #scheduler = new TurnScheduler();
  #stopped: Promise<void> | undefined;
  #lastFields: readonly HeaderField[] | undefined;
  #lastHead: RequestHead | undefined;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#environment = {
      logger: options.logger,
      maxReceiveBytes: options.maxReceiveBytes,
      maxQueuedBytesPerStream:
        options.maxQueuedBytesPerStream ?? DEFAULT_MAX_QUEUED_BYTES_PER_STREAM,
      streams: new Set(),
    };
    for (const service of options.services) {
      for (const method of service.methods) this.#methods.set(method.path, method);
    }
    const onHttp1 = options.http1;
    this.#http = createServer(onHttp1 ?? ((_, response) => response.writeHead(404).end()));
    this.#http.timeout = HTTP1_IDLE_TIMEOUT_MS;
    this.#listener = new SniffingListener(
      {
        http2: (socket) => this.#accept(socket),
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
    for (const call of [...this.#environment.streams]) call.end(goodbye);
    for (const connection of this.#connections) connection.shutdown();
    this.#http.closeIdleConnections();
    const hardStop = setTimeout(() => {
      this.#options.logger.warn('calls were cut at stop', { graceMs });
      this.#listener.destroySockets();
    }, graceMs);
    await this.#listener.allClosed();
    clearTimeout(hardStop);
  }

  #accept(socket: Socket): void {
    const connection = new H2Connection(socket, {
      logger: this.#options.logger,
      onRequest: (stream, fields) => this.#onRequest(stream, fields),
      schedule: (dirty) => this.#scheduler.schedule(dirty),
      onClose: (closed) => this.#connections.delete(closed),
    });
    this.#connections.add(connection);
  }

  /** A client's calls mostly have the same fields, and then they are the very same object: see HpackDecoder. */
  #headOf(fields: readonly HeaderField[]): RequestHead | undefined {
    if (this.#lastFields !== fields) {
      this.#lastHead = parseRequestHead(fields);
      this.#lastFields = fields;
    }
    return this.#lastHead;
  }

  #onRequest(stream: H2Stream, fields: readonly HeaderField[]): void {
    const head = this.#headOf(fields);
    if (!head) throw new StreamError(stream.id, ErrorCode.PROTOCOL_ERROR, 'a malformed request');
    if (head.method !== 'POST') {
      stream.end(httpError(405, `gRPC calls are POST requests, not ${head.method}`));
      return;
    }
    if (!isGrpcContentType(head.contentType)) {
      stream.end(httpError(415, `invalid gRPC request content-type "${head.contentType}"`));
      return;
    }
    const method = this.#methods.get(head.path);
    if (!method) {
      const message = `unknown method ${head.path}`;
      stream.end(trailersOnly(new RpcError(RpcStatus.UNIMPLEMENTED, message)));
      return;
    }
    try {
      const timeoutMs = head.timeout === undefined ? undefined : parseTimeoutMs(head.timeout);
      const request = { method, fields, encoding: head.encoding, timeoutMs };
      stream.listener = new GrpcCall(this.#environment, stream, request);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      stream.end(trailersOnly(error));
    }
  }
}
