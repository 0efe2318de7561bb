import {
  type Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  type AlarmMember,
  AlarmRequest,
  AlarmRequest_AlarmAction,
  CompactionRequest,
  DefragmentRequest,
  DeleteRangeRequest,
  LeaseGrantRequest,
  PutRequest,
  type PutResponse,
  RangeRequest,
  type RangeResponse,
  StatusRequest,
  type StatusResponse,
  TxnRequest,
  type TxnResponse,
  WatchRequest,
  type WatchResponse,
} from '../../src-main/proto/etcd/rpc.ts';
import { FaultSet, type RaftResponse } from '../../src-main/proto/raftdeck/inspect.ts';
import {
  ClusterClient,
  FaultLabClient,
  InspectClient,
  KVClient,
  LeaseClient,
  MaintenanceClient,
  WatchClient,
} from '../../src-main/remote/clients.ts';

/** A plain client of one member, for tests: no retries, no fail-over, so that what a member answers is what is seen. */
export class TestClient {
  readonly kv: KVClient;
  readonly lease: LeaseClient;
  readonly cluster: ClusterClient;
  readonly maintenance: MaintenanceClient;
  readonly watcher: WatchClient;
  readonly inspector: InspectClient;
  readonly faultLab: FaultLabClient;
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
    this.cluster = new ClusterClient(address, insecure, options);
    this.inspector = new InspectClient(address, insecure, options);
    this.faultLab = new FaultLabClient(address, insecure, options);
    const etcd = [this.kv, this.lease, this.maintenance, this.watcher, this.cluster];
    this.#clients = [...etcd, this.inspector, this.faultLab];
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

  /** What etcd's status does not tell. */
  inspect(afterEvent = 0, timeoutMs = 2_000): Promise<RaftResponse> {
    return call((done) =>
      this.inspector.raft({ afterEvent }, new Metadata(), within(timeoutMs), done),
    );
  }

  /** Replaces the faults of that member; none heals it. */
  setFaults(faults: Parameters<typeof FaultSet.fromPartial>[0], timeoutMs = 2_000) {
    const request = FaultSet.fromPartial(faults);
    return call<FaultSet>((done) =>
      this.faultLab.set(request, new Metadata(), within(timeoutMs), done),
    );
  }

  /** As the key was at a revision. */
  at(key: string, revision: number): Promise<RangeResponse> {
    const request = RangeRequest.fromPartial({ key: Buffer.from(key), revision });
    return call((done) => this.kv.range(request, new Metadata(), within(10_000), done));
  }

  /** Every key that begins so, with its value, from this member's own state. */
  async local(prefix: string, timeoutMs = 10_000): Promise<Map<string, string>> {
    // Zero bytes stand for the first key and for no end.
    const key = Buffer.from(prefix === '' ? '\0' : prefix);
    const rangeEnd = Buffer.from(prefix === '' ? '\0' : prefix);
    if (prefix !== '') rangeEnd[rangeEnd.length - 1] = (rangeEnd.at(-1) as number) + 1;
    const request = RangeRequest.fromPartial({ key, rangeEnd, serializable: true });
    const { kvs } = await call<RangeResponse>((done) =>
      this.kv.range(request, new Metadata(), within(timeoutMs), done),
    );
    return new Map(kvs.map((kv) => [kv.key.toString(), kv.value.toString()]));
  }

  async delete(key: string, timeoutMs = 10_000): Promise<void> {
    const request = DeleteRangeRequest.fromPartial({ key: Buffer.from(key) });
    await call((done) => this.kv.deleteRange(request, new Metadata(), within(timeoutMs), done));
  }

  txn(request: Parameters<typeof TxnRequest.fromPartial>[0]): Promise<TxnResponse> {
    const whole = TxnRequest.fromPartial(request);
    return call((done) => this.kv.txn(whole, new Metadata(), within(10_000), done));
  }

  /** Resolves once the history is gone from the state, unless `physical` is false. */
  async compact(revision: number, physical = true): Promise<void> {
    const request = CompactionRequest.fromPartial({ revision, physical });
    await call((done) => this.kv.compact(request, new Metadata(), within(60_000), done));
  }

  async grant(ttlSeconds: number): Promise<void> {
    const request = LeaseGrantRequest.fromPartial({ TTL: ttlSeconds });
    await call((done) => this.lease.leaseGrant(request, new Metadata(), within(10_000), done));
  }

  async alarms(): Promise<AlarmMember[]> {
    const request = AlarmRequest.fromPartial({ action: AlarmRequest_AlarmAction.GET });
    const { alarms } = await call<{ alarms: AlarmMember[] }>((done) =>
      this.maintenance.alarm(request, new Metadata(), within(10_000), done),
    );
    return alarms;
  }

  /** All that there are, as etcdctl does. */
  async disarm(): Promise<void> {
    for (const { memberID, alarm } of await this.alarms()) {
      const action = AlarmRequest_AlarmAction.DEACTIVATE;
      const request = AlarmRequest.fromPartial({ action, memberID, alarm });
      await call((done) => this.maintenance.alarm(request, new Metadata(), within(10_000), done));
    }
  }

  async defragment(): Promise<void> {
    const request = DefragmentRequest.create({});
    await call((done) =>
      this.maintenance.defragment(request, new Metadata(), within(60_000), done),
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
