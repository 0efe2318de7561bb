import {
  type LeaseGrantRequest,
  type LeaseGrantResponse,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  type LeaseLeasesResponse,
  type LeaseRevokeRequest,
  type LeaseRevokeResponse,
  LeaseService,
  type LeaseTimeToLiveRequest,
  type LeaseTimeToLiveResponse,
} from '../../proto/etcd/rpc.ts';
import {
  bidi,
  type CallContext,
  type RequestStream,
  type ResponseSink,
  type ServiceImplementation,
  unary,
} from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import type { Guard } from './guard.ts';

export function leaseService(backend: Backend, guard: Guard): ServiceImplementation {
  const lease = new LeaseApi(backend);
  return {
    name: 'etcdserverpb.Lease',
    methods: [
      unary(
        LeaseService.leaseGrant,
        guard.unary((request, context) => lease.grant(request, context)),
      ),
      unary(
        LeaseService.leaseRevoke,
        guard.unary((request, context) => lease.revoke(request, context)),
      ),
      bidi(
        LeaseService.leaseKeepAlive,
        guard.bidi((requests, responses, context) => lease.keepAlive(requests, responses, context)),
      ),
      unary(
        LeaseService.leaseTimeToLive,
        guard.unary((request, context) => lease.timeToLive(request, context)),
      ),
      unary(
        LeaseService.leaseLeases,
        guard.unary(async () => lease.leases()),
      ),
    ],
  };
}

class LeaseApi {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async grant(request: LeaseGrantRequest, { signal }: CallContext): Promise<LeaseGrantResponse> {
    const value = request.ID === 0n ? { ...request, ID: this.#backend.nextLeaseId() } : request;
    const { response } = await this.#backend.propose<'leaseGrant'>(
      { $case: 'leaseGrant', value },
      signal,
    );
    return { ...response, header: this.#backend.header() };
  }

  async revoke(request: LeaseRevokeRequest, { signal }: CallContext): Promise<LeaseRevokeResponse> {
    const { revision } = await this.#backend.propose<'leaseRevoke'>(
      { $case: 'leaseRevoke', value: request },
      signal,
    );
    return { header: this.#backend.header(revision) };
  }

  /** One request at a time, so that a stream answers in order and never holds more than one. */
  async keepAlive(
    requests: RequestStream<LeaseKeepAliveRequest>,
    responses: ResponseSink<LeaseKeepAliveResponse>,
    { signal }: CallContext,
  ): Promise<void> {
    let drained = (): void => {};
    responses.onDrain(() => drained());
    signal.addEventListener('abort', () => drained(), { once: true });
    for await (const { ID } of requests) {
      // Taken before the renewal, so that the revision is not after it: a revocation at a later one
      // is then not mistaken for an earlier one.
      const header = this.#backend.header();
      // Without the signal: a stream lives long, and each renewal would leave a listener on it.
      const TTL = await this.#backend.leaseRenew(ID);
      const drain = new Promise<void>((resolve) => {
        drained = resolve;
      });
      if (!responses.write({ header, ID, TTL })) await drain;
    }
  }

  async timeToLive(
    { ID, keys }: LeaseTimeToLiveRequest,
    { signal }: CallContext,
  ): Promise<LeaseTimeToLiveResponse> {
    const found = await this.#backend.leaseTimeToLive(ID, signal);
    if (found === undefined) {
      return { header: this.#backend.header(), ID, TTL: -1, grantedTTL: 0, keys: [] };
    }
    // The time is the leader's, and so must be the keys: here they may lag behind.
    if (keys) await this.#backend.linearizableRead(signal);
    return {
      header: this.#backend.header(),
      ID,
      TTL: found.ttl,
      grantedTTL: found.grantedTtl,
      keys: keys ? this.#backend.state.leaseKeys(ID) : [],
    };
  }

  /** Of the local state, as in etcd 3.5: it answers without a quorum too. */
  leases(): LeaseLeasesResponse {
    const leases = this.#backend.state.leases().map(({ id }) => ({ ID: id }));
    return { header: this.#backend.header(), leases };
  }
}
