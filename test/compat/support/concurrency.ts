import { type ClientReadableStream, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type {
  CampaignResponse,
  LeaderKey,
  LeaderResponse,
  ProclaimResponse,
  ResignResponse,
} from '../../../src-main/proto/etcd/v3election.ts';
import type { LockResponse, UnlockResponse } from '../../../src-main/proto/etcd/v3lock.ts';
import { ElectionClient, LockClient } from '../../../src-main/remote/clients.ts';
import { until } from '../../support/cluster.ts';
import { call, GrpcClients } from './grpc.ts';
import type { Target } from './targets.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

/** Longer than any hand-over that a case waits for. */
const WAIT_TIMEOUT_MS = 30_000;

/** A call that may wait long, and can be given up. */
export interface PendingCall<Response> {
  readonly answer: Promise<Response>;
  /** Undefined while it waits. */
  settled(): 'answered' | 'failed' | undefined;
  cancel(): void;
}

interface Cancellable {
  cancel(): void;
}
type Start<Response> = (
  metadata: Metadata,
  options: { deadline: number },
  done: (error: ServiceError | null, response: Response) => void,
) => Cancellable;

function pending<Response>(
  start: Start<Response>,
  timeoutMs = WAIT_TIMEOUT_MS,
): PendingCall<Response> {
  let started: Cancellable | undefined;
  let state: 'answered' | 'failed' | undefined;
  const answer = new Promise<Response>((resolve, reject) => {
    started = start(new Metadata(), { deadline: Date.now() + timeoutMs }, (error, response) => {
      state = error === null ? 'answered' : 'failed';
      if (error === null) resolve(response);
      else reject(error);
    });
  });
  // Looked at later, or given up on purpose.
  answer.catch(() => {});
  return { answer, settled: () => state, cancel: () => started?.cancel() };
}

/** The clients of one target, with those of locks and elections. */
export class ConcurrencyClients extends GrpcClients {
  readonly #lock: LockClient;
  readonly #election: ElectionClient;

  constructor(target: Pick<Target, 'address'>) {
    super(target);
    const insecure = credentials.createInsecure();
    this.#lock = new LockClient(target.address, insecure);
    this.#election = new ElectionClient(target.address, insecure);
  }

  override close(): void {
    super.close();
    this.#lock.close();
    this.#election.close();
  }

  lock(name: string, lease: bigint, timeoutMs?: number): PendingCall<LockResponse> {
    const request = { name: bytes(name), lease };
    return pending((...rest) => this.#lock.lock(request, ...rest), timeoutMs);
  }

  unlock(key: string): Promise<UnlockResponse> {
    return call((...rest) => this.#lock.unlock({ key: bytes(key) }, ...rest));
  }

  campaign(
    name: string,
    lease: bigint,
    value: string,
    timeoutMs?: number,
  ): PendingCall<CampaignResponse> {
    const request = { name: bytes(name), lease, value: bytes(value) };
    return pending((...rest) => this.#election.campaign(request, ...rest), timeoutMs);
  }

  /** Campaigns, and waits for the leadership. */
  async elect(name: string, lease: bigint, value: string): Promise<LeaderKey> {
    const { leader } = await this.campaign(name, lease, value).answer;
    if (leader === undefined) throw new Error('a campaign was answered without a leader');
    return leader;
  }

  proclaim(leader: LeaderKey | undefined, value: string): Promise<ProclaimResponse> {
    return call((...rest) => this.#election.proclaim({ leader, value: bytes(value) }, ...rest));
  }

  resign(leader: LeaderKey | undefined): Promise<ResignResponse> {
    return call((...rest) => this.#election.resign({ leader }, ...rest));
  }

  leader(name: string): Promise<LeaderResponse> {
    return call((...rest) => this.#election.leader({ name: bytes(name) }, ...rest));
  }

  observe(name: string, metadata = new Metadata()): ObserveCall {
    return new ObserveCall(this.#election.observe({ name: bytes(name) }, metadata));
  }

  /** The keys of a queue, in the order of their creation. */
  async queue(name: string): Promise<string[]> {
    const { kvs } = await this.range({
      key: bytes(`${name}/`),
      rangeEnd: bytes(`${name}0`),
      sortTarget: 2,
      sortOrder: 1,
    });
    return kvs.map(({ key }) => key.toString());
  }

  /** Waits until the queue consists of these leases, in this order. */
  async queued(name: string, ...leases: bigint[]): Promise<void> {
    const wanted = leases.map((lease) => `${name}/${lease.toString(16)}`).join();
    await until(`the queue ${wanted}`, async () =>
      (await this.queue(name)).join() === wanted ? true : undefined,
    );
  }

  /** Leases that live through any case. */
  async grantAll(...leases: bigint[]): Promise<void> {
    for (const lease of leases) await this.grant(lease, 600);
  }
}

/** One Observe call, and what it has answered so far. */
export class ObserveCall {
  readonly received: LeaderResponse[] = [];
  readonly #stream: ClientReadableStream<LeaderResponse>;

  constructor(stream: ClientReadableStream<LeaderResponse>) {
    this.#stream = stream;
    stream.on('data', (response: LeaderResponse) => this.received.push(response));
    // Cancelling is how it ends; a failure shows as a response that does not come.
    stream.on('error', () => {});
  }

  async responses(count: number): Promise<LeaderResponse[]> {
    const enough = () => (this.received.length >= count ? true : undefined);
    await until(`${count} observed leaders, has ${this.received.length}`, enough, WAIT_TIMEOUT_MS);
    return this.received.slice(0, count);
  }

  close(): void {
    this.#stream.cancel();
  }
}

/** Runs a case with clients that are closed after it. */
export async function withConcurrency<T>(
  target: Target,
  run: (clients: ConcurrencyClients) => Promise<T>,
): Promise<T> {
  const clients = new ConcurrencyClients(target);
  try {
    return await run(clients);
  } finally {
    clients.close();
  }
}
