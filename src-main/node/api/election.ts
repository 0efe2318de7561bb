import {
  type CampaignRequest,
  type CampaignResponse,
  ElectionService,
  type LeaderKey,
  type LeaderRequest,
  type LeaderResponse,
  type ProclaimRequest,
  type ProclaimResponse,
  type ResignRequest,
  type ResignResponse,
} from '../../proto/etcd/v3election.ts';
import {
  type CallContext,
  type ResponseSink,
  type ServiceImplementation,
  serverStream,
  unary,
} from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import { callEnded, concurrencyError, withoutStatus } from './concurrency/errors.ts';
import { Observer } from './concurrency/observer.ts';
import {
  leavePlace,
  type Place,
  Queue,
  type TakenPlace,
  updatePlace,
} from './concurrency/queue.ts';
import { sessionLease } from './concurrency/session.ts';
import type { WaitingCalls } from './concurrency/waiting-calls.ts';
import type { ApiDeps } from './deps.ts';
import type { Guard } from './guard.ts';

export function electionService(
  backend: Backend,
  guard: Guard,
  deps: ApiDeps,
  waiting: WaitingCalls,
): ServiceImplementation {
  const election = new ElectionApi(backend, deps, waiting);
  return {
    name: 'v3electionpb.Election',
    methods: [
      unary(
        ElectionService.campaign,
        guard.unary((request, context) => withoutStatus(() => election.campaign(request, context))),
      ),
      unary(
        ElectionService.proclaim,
        guard.unary((request) => withoutStatus(() => election.proclaim(request))),
      ),
      unary(
        ElectionService.leader,
        guard.unary((request, context) => withoutStatus(() => election.leader(request, context))),
      ),
      serverStream(
        ElectionService.observe,
        guard.serverStream((request, responses, context) =>
          withoutStatus(() => election.observe(request, responses, context)),
        ),
      ),
      unary(
        ElectionService.resign,
        guard.unary((request) => withoutStatus(() => election.resign(request))),
      ),
    ],
  };
}

class ElectionApi {
  readonly #backend: Backend;
  readonly #deps: ApiDeps;
  readonly #waiting: WaitingCalls;

  constructor(backend: Backend, deps: ApiDeps, waiting: WaitingCalls) {
    this.#backend = backend;
    this.#deps = deps;
    this.#waiting = waiting;
  }

  async campaign(
    { name, lease: wanted, value }: CampaignRequest,
    { signal }: CallContext,
  ): Promise<CampaignResponse> {
    const lease = await sessionLease(this.#backend, wanted);
    if (signal.aborted) throw callEnded();
    const queue = new Queue(this.#backend, name);
    const place = await queue.take(lease, value);
    if (!place.isNew && !place.value.equals(value)) await this.#revalue(place, value, lease);
    await this.#win(queue, place, signal);
    const leader: LeaderKey = { name, key: place.key, rev: place.createRevision, lease };
    return { header: this.#backend.header(place.revision), leader };
  }

  async proclaim({ leader, value }: ProclaimRequest): Promise<ProclaimResponse> {
    const { place, lease } = await this.#resume(leader);
    const { done, revision } = await updatePlace(this.#backend, place, value, lease);
    if (!done) throw concurrencyError('NotElected');
    return { header: this.#backend.header(revision) };
  }

  async leader({ name }: LeaderRequest, { signal }: CallContext): Promise<LeaderResponse> {
    const kv = await new Queue(this.#backend, name).holder(signal);
    if (kv === undefined) throw concurrencyError('NothingElected');
    return { header: this.#backend.header(), kv };
  }

  async observe(
    { name }: LeaderRequest,
    responses: ResponseSink<LeaderResponse>,
    { signal }: CallContext,
  ): Promise<void> {
    const observer = new Observer(this.#backend, new Queue(this.#backend, name), responses, signal);
    await this.#waiting.hold(signal, () => observer.run());
  }

  /** Who does not lead any more has nothing to resign from: that is no error. */
  async resign({ leader }: ResignRequest): Promise<ResignResponse> {
    const { place } = await this.#resume(leader);
    const { revision } = await leavePlace(this.#backend, place);
    return { header: this.#backend.header(revision) };
  }

  /** A candidate that campaigns again with another value. */
  async #revalue(place: Place, value: Buffer, lease: bigint): Promise<void> {
    try {
      const { done } = await updatePlace(this.#backend, place, value, lease);
      if (!done) throw concurrencyError('NotElected');
    } catch (error) {
      await this.#leave(place);
      throw error;
    }
  }

  /**
   * As in etcd a candidate whose wait fails keeps its place, for it to campaign again, unless it
   * was the caller who gave up. Nor is it noticed that a lease has ended meanwhile: the leadership
   * that is answered then is none, and proclaiming under it fails.
   */
  async #win(queue: Queue, place: TakenPlace, signal: AbortSignal): Promise<void> {
    try {
      if (!place.hasTurn) await this.#waiting.hold(signal, (either) => queue.turnOf(place, either));
    } finally {
      const abandoned = signal.aborted && (place.isNew || !place.hasTurn);
      if (abandoned) await this.#leave(place);
    }
  }

  /** What a client knows of its leadership. */
  async #resume(leader: LeaderKey | undefined): Promise<{ place: Place; lease: bigint }> {
    if (leader === undefined) throw concurrencyError('LeaderKeyMissing');
    const { key, rev } = leader;
    const lease = await sessionLease(this.#backend, leader.lease);
    return { place: { key, createRevision: rev }, lease };
  }

  /** If it fails, the end of the lease deletes the key. */
  async #leave(place: Place): Promise<void> {
    await leavePlace(this.#backend, place).catch((error: unknown) =>
      this.#deps.logger.debug('a candidate was not withdrawn', { reason: String(error) }),
    );
  }
}
