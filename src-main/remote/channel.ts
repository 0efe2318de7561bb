import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
} from '@grpc/grpc-js';
import type { Disposable } from '../base/disposable.ts';
import { type Endpoint, isLoopback } from './endpoint.ts';
import { type CallContext, toRemoteError } from './errors.ts';

/** A generated method of src-main/proto/etcd/rpc.ts, without the parts that only servers need. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

/** Room for TLS files and for a user; plain text and nobody for now. */
export interface SecurityOptions {
  tls?: { rootCerts?: Buffer; privateKey?: Buffer; certChain?: Buffer };
}

export interface CallLimits {
  timeoutMs: number;
  signal?: AbortSignal;
  /** Fails at once with NoLeader where the member knows of none, instead of timing out. */
  requireLeader?: boolean;
}

/** etcd's server accepts a ping every 5 s, and none while no call is open (clientv3's defaults). */
const KEEPALIVE_TIME_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;
/** A restarted node is found again within half a second. */
const INITIAL_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 500;
/**
 * What one message may hold: a single value can be as large as a server's --max-request-bytes.
 * Listings are paged so that they stay below etcd clients' usual 4 MiB.
 */
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;

/** One connection to one endpoint. Calls fail with RemoteError. */
export class EndpointChannel implements Disposable {
  readonly endpoint: Endpoint;
  readonly #client: Client;

  constructor(endpoint: Endpoint, security: SecurityOptions = {}) {
    this.endpoint = endpoint;
    const tls = security.tls ?? {};
    const creds = endpoint.secure
      ? credentials.createSsl(tls.rootCerts, tls.privateKey, tls.certChain)
      : credentials.createInsecure();
    this.#client = new Client(endpoint.address, creds, {
      'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      'grpc.keepalive_permit_without_calls': 0,
      'grpc.initial_reconnect_backoff_ms': INITIAL_BACKOFF_MS,
      'grpc.max_reconnect_backoff_ms': MAX_BACKOFF_MS,
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      // Sockets of its own, so that closing this channel closes them.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.service_config_disable_resolution': 1,
      // A proxy for the outside world knows nothing of this machine's loopback.
      'grpc.enable_http_proxy': isLoopback(endpoint) ? 0 : 1,
    });
  }

  unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    limits: CallLimits,
  ): Promise<Response> {
    const context = this.#context(method);
    return new Promise<Response>((resolve, reject) => {
      const { signal } = limits;
      const fail = (error: unknown) => reject(toRemoteError(error, context));
      const options: CallOptions = { deadline: Date.now() + limits.timeoutMs };
      try {
        const call = this.#client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          request,
          leaderMetadata(limits.requireLeader ?? false),
          options,
          (error, response) => {
            signal?.removeEventListener('abort', abort);
            if (error !== null) fail(error);
            else resolve(response as Response);
          },
        );
        const abort = () => call.cancel();
        if (signal?.aborted) abort();
        else signal?.addEventListener('abort', abort, { once: true });
      } catch (error) {
        // A closed client throws instead of calling back.
        fail(error);
      }
    });
  }

  duplex<Request, Response>(
    method: Method<Request, Response>,
    options: { requireLeader: boolean },
  ): ClientDuplexStream<Request, Response> {
    return this.#client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      leaderMetadata(options.requireLeader),
    );
  }

  serverStream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
  ): ClientReadableStream<Response> {
    return this.#client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
    );
  }

  dispose(): void {
    this.#client.close();
  }

  #context(method: { path: string }): CallContext {
    return { endpoint: this.endpoint.address, method: methodName(method) };
  }
}

export function methodName(method: { path: string }): string {
  return method.path.slice(method.path.lastIndexOf('/') + 1);
}

/** etcd's rpctypes.MetadataRequireLeaderKey. */
function leaderMetadata(requireLeader: boolean): Metadata {
  const metadata = new Metadata();
  if (requireLeader) metadata.set('hasleader', 'true');
  return metadata;
}
