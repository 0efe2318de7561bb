import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { PeerCall, PeerCall_Kind, type PeerReply } from '../../proto/raftdeck/raft.ts';
import type { InternalRequestBody, StateMachine } from '../apply/types.ts';
import { LeaseClock, minimumTtlSeconds } from '../lease/expiry.ts';
import { LeaseIds } from './lease-ids.ts';
import { LeaseKeeper, type ProposeInTerm } from './lease-keeper.ts';
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
  propose: ProposeInTerm;
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

  /**
   * Another member's question, or our own. A leader that was cut off or paused must not prolong what
   * its successor ends, so it has to prove first that it still leads.
   */
  async answer(call: PeerCall): Promise<PeerReply> {
    try {
      if (this.#keeper.leading) await this.#deps.confirmLeadership();
      if (!this.#keeper.leading) return replyTo(call, { notLeader: true });
      if (call.kind === PeerCall_Kind.LEASE_RENEW) return await this.#renew(call);
    } catch (error) {
      this.#deps.logger.debug('a question for the leader', { reason: errorMessage(error) });
      return replyTo(call, { notLeader: true });
    }
    const left = this.#leases.timeToLive(call.leaseId);
    return replyTo(call, left === undefined ? {} : { found: true, ...left });
  }

  /** As in etcd: "not found" is true when it is said, and what is granted holds at the next leader, too. */
  async #renew(call: PeerCall): Promise<PeerReply> {
    const { leaseId } = call;
    if (this.#leases.isCheckpointed(leaseId) && !this.#leases.isExpired(leaseId)) {
      await this.#keeper.clearCheckpoint(leaseId);
    }
    // Its time may have run out meanwhile.
    if (this.#leases.isExpired(leaseId)) await this.#leases.whenSettled(leaseId);
    const ttl = this.#leases.renew(leaseId);
    if (!this.#keeper.leading) return replyTo(call, { notLeader: true });
    return replyTo(call, ttl === undefined ? {} : { found: true, ttl });
  }

  promote(term: number): void {
    this.#keeper.promote(term, this.#deps.state, this.#deps.electionTimeoutMs);
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
    const { clock, calls, requestTimeoutMs, leader } = this.#deps;
    const deadline = clock.nowMs() + requestTimeoutMs;
    while (clock.nowMs() < deadline && signal?.aborted !== true) {
      if (this.#stopped) throw nodeError('Stopped');
      const to = leader();
      let reply: PeerReply | undefined;
      if (this.#keeper.leading) reply = await this.answer(PeerCall.fromPartial({ kind, leaseId }));
      else if (to !== 0n) reply = await calls.ask(to, { kind, leaseId }, CALL_TIMEOUT_MS);
      if (reply !== undefined && !reply.notLeader) return reply;
      await new Promise<void>((resolve) => clock.setTimer(RETRY_MS, resolve));
    }
    throw nodeError(leader() === 0n ? 'NoLeader' : 'Timeout');
  }
}
