import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { PeerCall, PeerCall_Kind, type PeerReply } from '../../proto/raftdeck/raft.ts';
import type { InternalRequestBody, StateMachine } from '../apply/types.ts';
import { LeaseClock, minimumTtlSeconds } from '../lease/expiry.ts';
import { LeaseIds } from './lease-ids.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { type PeerCalls, replyTo } from './peer-calls.ts';
import { nodeError } from './proposals.ts';

/** After this long without an answer the question is put again, perhaps to another leader. */
const CALL_TIMEOUT_MS = 500;
/** Between two tries to reach the leader. */
const RETRY_MS = 50;

export interface LeaseDeskDeps {
  memberId: bigint;
  state: StateMachine;
  clock: Clock;
  /** Unix milliseconds. */
  startMs: number;
  electionTimeoutMs: number;
  requestTimeoutMs: number;
  logger: Logger;
  leader(): bigint;
  calls: PeerCalls;
  /** Proves that this member still leads (ReadIndex). */
  confirmLeadership(): Promise<void>;
  propose(request: InternalRequestBody): Promise<unknown>;
}

/** Everything about leases that depends on time: deadlines at the leader, and the way there for the other members. */
export class LeaseDesk {
  readonly #deps: LeaseDeskDeps;
  readonly #leases: LeaseClock;
  readonly #keeper: LeaseKeeper;
  readonly #ids: LeaseIds;
  #stopped = false;

  constructor(deps: LeaseDeskDeps) {
    this.#deps = deps;
    this.#leases = new LeaseClock(deps.clock, minimumTtlSeconds(deps.electionTimeoutMs));
    deps.state.onLeaseEvents(this.#leases);
    this.#keeper = new LeaseKeeper(deps.clock, this.#leases, deps.propose, deps.logger);
    this.#ids = new LeaseIds(deps.memberId, deps.startMs);
  }

  nextId(): bigint {
    return this.#ids.next();
  }

  /** A lease must outlive an election, or a change of leader would end it (etcd's minimum TTL). */
  withMinimumTtl(body: InternalRequestBody): InternalRequestBody {
    if (body.$case !== 'leaseGrant') return body;
    const TTL = Math.max(body.value.TTL, minimumTtlSeconds(this.#deps.electionTimeoutMs));
    return { $case: 'leaseGrant', value: { ...body.value, TTL } };
  }

  /** Seconds granted anew; 0 if there is no such lease. */
  async renew(id: bigint, signal?: AbortSignal): Promise<number> {
    const reply = await this.#ask(PeerCall_Kind.LEASE_RENEW, id, signal);
    return reply.found ? reply.ttl : 0;
  }

  async timeToLive(
    id: bigint,
    signal?: AbortSignal,
  ): Promise<{ ttl: number; grantedTtl: number } | undefined> {
    const reply = await this.#ask(PeerCall_Kind.LEASE_TIME_TO_LIVE, id, signal);
    return reply.found ? { ttl: reply.ttl, grantedTtl: reply.grantedTtl } : undefined;
  }

  /** Another member's question. */
  answer(call: PeerCall): PeerReply {
    if (!this.#keeper.leading) return replyTo(call, { notLeader: true });
    if (call.kind === PeerCall_Kind.LEASE_RENEW) {
      const ttl = this.#leases.renew(call.leaseId);
      return replyTo(call, ttl === undefined ? {} : { found: true, ttl });
    }
    const left = this.#leases.timeToLive(call.leaseId);
    return replyTo(call, left === undefined ? {} : { found: true, ...left });
  }

  promote(): void {
    this.#keeper.promote(this.#deps.state, this.#deps.electionTimeoutMs);
  }

  demote(): void {
    this.#keeper.demote();
  }

  stop(): void {
    this.#stopped = true;
    this.#keeper.demote();
  }

  /** Puts the question until the leader of the moment answers it, or time is up. */
  async #ask(kind: PeerCall_Kind, leaseId: bigint, signal?: AbortSignal): Promise<PeerReply> {
    const { clock, calls, requestTimeoutMs, leader, confirmLeadership } = this.#deps;
    const deadline = clock.nowMs() + requestTimeoutMs;
    while (clock.nowMs() < deadline && signal?.aborted !== true) {
      if (this.#stopped) throw nodeError('Stopped');
      if (this.#keeper.leading) {
        // A leader that was cut off must not prolong what its successor ends: it has to prove that it still leads.
        await confirmLeadership();
        if (this.#keeper.leading) return this.answer(PeerCall.fromPartial({ kind, leaseId }));
      }
      const to = leader();
      const reply = to === 0n ? undefined : await calls.ask(to, { kind, leaseId }, CALL_TIMEOUT_MS);
      if (reply !== undefined && !reply.notLeader) return reply;
      await new Promise<void>((resolve) => clock.setTimer(RETRY_MS, resolve));
    }
    throw nodeError(leader() === 0n ? 'NoLeader' : 'Timeout');
  }
}
