import type { Clock } from '../../base/clock.ts';
import { type PeerCall, PeerCall_Kind, type PeerReply } from '../../proto/raftdeck/raft.ts';
import type { LeaseClock } from '../lease/expiry.ts';
import { nodeError } from './proposals.ts';

/** Questions to the leader that may wait at once. */
const MAX_PENDING_CALLS = 10_000;
/** After this long without an answer the question is put again, perhaps to another leader. */
const CALL_TIMEOUT_MS = 500;

interface Pending {
  resolve(reply: PeerReply | undefined): void;
  cancelTimer(): void;
}

/** What only the leader knows (lease deadlines), asked from any member over the peer connections. */
export class LeaderCalls {
  readonly #clock: Clock;
  readonly #send: (to: bigint, call: PeerCall) => void;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  constructor(clock: Clock, send: (to: bigint, call: PeerCall) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Asks one member once; undefined if no answer came in time. */
  ask(to: bigint, kind: PeerCall_Kind, leaseId: bigint): Promise<PeerReply | undefined> {
    if (this.#pending.size >= MAX_PENDING_CALLS)
      return Promise.reject(nodeError('TooManyRequests'));
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const cancelTimer = this.#clock.setTimer(CALL_TIMEOUT_MS, () => {
        this.#pending.delete(id);
        resolve(undefined);
      });
      this.#pending.set(id, { resolve, cancelTimer });
      this.#send(to, { id, kind, leaseId });
    });
  }

  replies(replies: PeerReply[]): void {
    for (const reply of replies) {
      const pending = this.#pending.get(reply.id);
      if (pending === undefined) continue;
      this.#pending.delete(reply.id);
      pending.cancelTimer();
      pending.resolve(reply);
    }
  }

  stop(): void {
    for (const pending of this.#pending.values()) {
      pending.cancelTimer();
      pending.resolve(undefined);
    }
    this.#pending.clear();
  }
}

/** The leader's side of `ask`. */
export function answerCall(call: PeerCall, leading: boolean, leases: LeaseClock): PeerReply {
  const reply: PeerReply = {
    id: call.id,
    notLeader: !leading,
    found: false,
    ttl: 0,
    grantedTtl: 0,
  };
  if (!leading) return reply;
  if (call.kind === PeerCall_Kind.LEASE_RENEW) {
    const ttl = leases.renew(call.leaseId);
    return ttl === undefined ? reply : { ...reply, found: true, ttl };
  }
  const left = leases.timeToLive(call.leaseId);
  if (left === undefined) return reply;
  return { ...reply, found: true, ttl: left.ttl, grantedTtl: left.grantedTtl };
}
