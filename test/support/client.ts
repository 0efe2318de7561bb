import {
  type Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  KVClient,
  LeaseClient,
  MaintenanceClient,
  PutRequest,
  type PutResponse,
  RangeRequest,
  type RangeResponse,
  StatusRequest,
  type StatusResponse,
  WatchClient,
  WatchRequest,
  type WatchResponse,
} from '../../src-main/proto/etcd/rpc.ts';

/** A plain client of one member, for tests: no retries, no fail-over, so that what a member answers is what is seen. */
export class TestClient {
  readonly kv: KVClient;
  readonly lease: LeaseClient;
  readonly maintenance: MaintenanceClient;
  readonly watcher: WatchClient;
  readonly #clients: Client[];

  constructor(url: string) {
    const address = url.replace(/^http:\/\//, '');
    // A member that is down must be tried again soon: the default backs off up to two minutes.
    const options = {
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 200,
    };
    const insecure = credentials.createInsecure();
    this.kv = new KVClient(address, insecure, options);
    this.lease = new LeaseClient(address, insecure, options);
    this.maintenance = new MaintenanceClient(address, insecure, options);
    this.watcher = new WatchClient(address, insecure, options);
    this.#clients = [this.kv, this.lease, this.maintenance, this.watcher];
  }

  put(key: string, value: string, timeoutMs = 10_000): Promise<PutResponse> {
    const request = PutRequest.fromPartial({ key: Buffer.from(key), value: Buffer.from(value) });
    return call((done) => this.kv.put(request, new Metadata(), within(timeoutMs), done));
  }

  get(key: string, serializable = false, timeoutMs = 10_000): Promise<RangeResponse> {
    const request = RangeRequest.fromPartial({ key: Buffer.from(key), serializable });
    return call((done) => this.kv.range(request, new Metadata(), within(timeoutMs), done));
  }

  status(timeoutMs = 2_000): Promise<StatusResponse> {
    return call((done) =>
      this.maintenance.status(StatusRequest.create({}), new Metadata(), within(timeoutMs), done),
    );
  }

  /** Watches one key until the stream is cancelled. */
  watch(
    create: { key: string; progressNotify?: boolean },
    onResponse: (response: WatchResponse) => void,
  ): ClientDuplexStream<WatchRequest, WatchResponse> {
    const stream = this.watcher.watch(new Metadata());
    stream.on('data', onResponse);
    // Cancelling ends in an error; a test that expects responses notices that there are none.
    stream.on('error', () => {});
    const createRequest = { ...create, key: Buffer.from(create.key) };
    stream.write(
      WatchRequest.fromPartial({
        requestUnion: { $case: 'createRequest', value: createRequest },
      }),
    );
    return stream;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

function within(timeoutMs: number): { deadline: number } {
  return { deadline: Date.now() + timeoutMs };
}

function call<T>(
  start: (done: (error: ServiceError | null, response: T) => void) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, response) => (error === null ? resolve(response) : reject(error)));
  });
}
