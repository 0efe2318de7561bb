import { randomUUID } from 'node:crypto';
import {
  type CallOptions,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import {
  type CompactionResponse,
  DeleteRangeRequest,
  type DeleteRangeResponse,
  type HashKVResponse,
  type LeaseGrantResponse,
  type LeaseRevokeResponse,
  PutRequest,
  type PutResponse,
  RangeRequest,
  type RangeResponse,
  TxnRequest,
  type TxnResponse,
  WatchCreateRequest,
  WatchRequest,
  type WatchResponse,
} from '../../../src-main/proto/etcd/rpc.ts';
import {
  ClusterClient,
  KVClient,
  LeaseClient,
  MaintenanceClient,
  WatchClient,
} from '../../../src-main/remote/clients.ts';
import { until } from '../../support/cluster.ts';
import type { Target } from './targets.ts';

const CALL_TIMEOUT_MS = 20_000;

/** Our generated clients over grpc-js, all of them on one target. */
export class GrpcClients {
  readonly kv: KVClient;
  readonly watch: WatchClient;
  readonly lease: LeaseClient;
  readonly cluster: ClusterClient;
  readonly maintenance: MaintenanceClient;

  /** `ownConnection`: not the one that all others to the same address share. */
  constructor({ address }: Pick<Target, 'address'>, ownConnection = false) {
    const insecure = credentials.createInsecure();
    const options = {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // Tells pools of connections apart, whatever its value means.
      ...(ownConnection && { 'grpc.primary_user_agent': `own-${randomUUID()}` }),
    };
    this.kv = new KVClient(address, insecure, options);
    this.watch = new WatchClient(address, insecure, options);
    this.lease = new LeaseClient(address, insecure, options);
    this.cluster = new ClusterClient(address, insecure, options);
    this.maintenance = new MaintenanceClient(address, insecure, options);
  }

  close(): void {
    for (const client of [this.kv, this.watch, this.lease, this.cluster, this.maintenance]) {
      client.close();
    }
  }

  /** The revision that the store is at. */
  async revision(): Promise<number> {
    const { header } = await this.range({ key: Buffer.of(0) });
    return header?.revision ?? 0;
  }

  range(request: Parameters<typeof RangeRequest.fromPartial>[0]): Promise<RangeResponse> {
    const full = RangeRequest.fromPartial(request);
    return call((...rest) => this.kv.range(full, ...rest));
  }

  put(request: Parameters<typeof PutRequest.fromPartial>[0]): Promise<PutResponse> {
    const full = PutRequest.fromPartial(request);
    return call((...rest) => this.kv.put(full, ...rest));
  }

  /** Puts text under text. */
  async set(key: string, value: string): Promise<PutResponse> {
    return this.put({ key: Buffer.from(key), value: Buffer.from(value) });
  }

  deleteRange(
    request: Parameters<typeof DeleteRangeRequest.fromPartial>[0],
  ): Promise<DeleteRangeResponse> {
    const full = DeleteRangeRequest.fromPartial(request);
    return call((...rest) => this.kv.deleteRange(full, ...rest));
  }

  txn(request: Parameters<typeof TxnRequest.fromPartial>[0]): Promise<TxnResponse> {
    const full = TxnRequest.fromPartial(request);
    return call((...rest) => this.kv.txn(full, ...rest));
  }

  compact(revision: number, physical = false): Promise<CompactionResponse> {
    return call((...rest) => this.kv.compact({ revision, physical }, ...rest));
  }

  grant(ID: bigint, TTL: number): Promise<LeaseGrantResponse> {
    return call((...rest) => this.lease.leaseGrant({ ID, TTL }, ...rest));
  }

  hashKv(revision = 0): Promise<HashKVResponse> {
    return call((...rest) => this.maintenance.hashKv({ revision }, ...rest));
  }

  revoke(ID: bigint): Promise<LeaseRevokeResponse> {
    return call((...rest) => this.lease.leaseRevoke({ ID }, ...rest));
  }
}

type Done<Response> = (error: ServiceError | null, response: Response) => void;

/** Makes a unary call with a deadline: `call((...rest) => clients.kv.put(request, ...rest))`. */
export function call<Response>(
  start: (metadata: Metadata, options: Partial<CallOptions>, done: Done<Response>) => unknown,
  timeoutMs: number = CALL_TIMEOUT_MS,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + timeoutMs };
    start(new Metadata(), options, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

export interface GrpcFailure {
  code: number;
  message: string;
}

/** The status that a call fails with. Throws if it does not fail. */
export async function failure(answer: Promise<unknown>): Promise<GrpcFailure> {
  try {
    await answer;
  } catch (error) {
    const { code, details } = error as ServiceError;
    return { code, message: details };
  }
  throw new Error('the call succeeded, though it had to fail');
}

/**
 * Throws unless the call fails because its time is up. The client's clock may say so first, or the server's; for that
 * etcd's server has no code of its own.
 */
export async function ranOutOfTime(answer: Promise<unknown>): Promise<void> {
  const { code, message } = await failure(answer);
  if (code === status.DEADLINE_EXCEEDED) return;
  if (code === status.UNKNOWN && message === 'context deadline exceeded') return;
  throw new Error(`not late but ${code}: ${message}`);
}

/** What a call answers, or the status that it fails with. */
export async function outcome(answer: Promise<unknown>): Promise<unknown> {
  return answer.catch(() => failure(answer));
}

/** Runs a case with clients that are closed after it. */
export async function withClients<T>(
  target: Target,
  run: (clients: GrpcClients) => Promise<T>,
): Promise<T> {
  const clients = new GrpcClients(target);
  try {
    return await run(clients);
  } finally {
    clients.close();
  }
}

/** One Watch call, and what it has answered so far. */
export class WatchCall {
  readonly received: WatchResponse[] = [];
  /** The status that the call ends with; one that is closed here ends with CANCELLED. */
  readonly ended: Promise<GrpcFailure>;
  readonly #stream: ClientDuplexStream<WatchRequest, WatchResponse>;

  constructor(
    clients: GrpcClients,
    metadata: Record<string, string> = {},
    onResponse: (response: WatchResponse) => void = () => {},
  ) {
    const sent = new Metadata();
    for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
    this.#stream = clients.watch.watch(sent);
    this.#stream.on('data', (response: WatchResponse) => {
      this.received.push(response);
      onResponse(response);
    });
    this.#stream.on('error', () => {});
    this.ended = new Promise((resolve) =>
      this.#stream.on('status', ({ code, details }) => resolve({ code, message: details })),
    );
  }

  send(request: Parameters<typeof WatchRequest.fromPartial>[0]): void {
    this.#stream.write(WatchRequest.fromPartial(request));
  }

  create(value: Partial<WatchCreateRequest>): void {
    const full = WatchCreateRequest.fromPartial(value);
    this.send({ requestUnion: { $case: 'createRequest', value: full } });
  }

  cancel(watchId: number): void {
    this.send({ requestUnion: { $case: 'cancelRequest', value: { watchId } } });
  }

  requestProgress(): void {
    this.send({ requestUnion: { $case: 'progressRequest', value: {} } });
  }

  /** What came for one watcher. */
  eventsOf(watchId: number): WatchResponse['events'] {
    return this.received.flatMap((one) => (one.watchId === watchId ? one.events : []));
  }

  /** Stops reading: what comes then stays with the server. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Waits until `count` responses have come in all, and answers them. */
  async responses(count: number): Promise<WatchResponse[]> {
    const enough = () => (this.received.length >= count ? true : undefined);
    await until(`${count} watch responses, has ${this.received.length}`, enough, CALL_TIMEOUT_MS);
    return this.received.slice(0, count);
  }

  /** Waits for `count` events over all responses and answers them, however they were grouped. */
  async events(count: number): Promise<WatchResponse['events']> {
    const all = () => this.received.flatMap(({ events }) => events);
    const enough = () => (all().length >= count ? true : undefined);
    await until(`${count} watch events, has ${all().length}`, enough, CALL_TIMEOUT_MS);
    return all().slice(0, count);
  }

  close(): void {
    this.#stream.cancel();
  }
}
