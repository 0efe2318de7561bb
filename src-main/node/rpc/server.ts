import type { RequestListener } from 'node:http';
import type { Logger } from '../../base/logger.ts';
import type { ListenAddress } from './listener.ts';
import type { ServiceImplementation } from './service.ts';

/**
 * Bytes that a request may have beyond --max-request-bytes on the wire, as in etcd (embed's
 * grpcOverheadBytes).
 */
export const GRPC_OVERHEAD_BYTES = 512 * 1024;

/** Default of `maxQueuedBytesPerStream`. */
export const DEFAULT_MAX_QUEUED_BYTES_PER_STREAM = 1024 * 1024;

export interface RpcServerOptions {
  services: readonly ServiceImplementation[];
  /** Each is bound; port 0 takes a free one. */
  listen: readonly ListenAddress[];
  /** A larger message ends its call with RESOURCE_EXHAUSTED. Sending is not limited. */
  maxReceiveBytes: number;
  /** From here on a stream's sink answers false, until half of it has left. */
  maxQueuedBytesPerStream?: number;
  /** Answers HTTP/1.1 on the same ports; without it such connections are closed. */
  http1?: RequestListener;
  logger: Logger;
}

/** Serves gRPC, and HTTP/1.1 beside it. A transport implements it. */
export interface RpcServer {
  /**
   * Resolves with what was bound, in the order of `listen`. Throws CodedError<ListenErrorCode>;
   * then nothing stays bound.
   */
  start(): Promise<ListenAddress[]>;
  /**
   * Takes no more connections, ends streams with UNAVAILABLE, lets unary calls finish for at most
   * `graceMs` and then cuts what is left. Resolves when every socket is closed. Calling it twice is
   * harmless.
   */
  stop(graceMs: number): Promise<void>;
}
