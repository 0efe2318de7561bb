import type { Clock } from '../../base/clock.ts';
import { PeerCall, PeerReply } from '../../proto/raftdeck/raft.ts';
import { nodeError } from './proposals.ts';

/** Questions to other members that may wait at once. */
const MAX_PENDING_CALLS = 10_000;

/** A question without its number; fields that its kind does not need may be left out. */
export type PeerQuestion = Partial<Omit<PeerCall, 'id'>> & Pick<PeerCall, 'kind'>;

interface Pending {
  resolve(reply: PeerReply | undefined): void;
  cancelTimer(): void;
}

/** Questions to another member over the peer connections. Either may get lost: no answer in time is one of the answers. */
export class PeerCalls {
  readonly #clock: Clock;
  readonly #send: (to: bigint, call: PeerCall) => void;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  constructor(clock: Clock, send: (to: bigint, call: PeerCall) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Asks one member once; undefined if no answer came in time. Rejects with TooManyRequests. */
  ask(to: bigint, question: PeerQuestion, timeoutMs: number): Promise<PeerReply | undefined> {
    if (this.#pending.size >= MAX_PENDING_CALLS) {
      return Promise.reject(nodeError('TooManyRequests'));
    }
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const cancelTimer = this.#clock.setTimer(timeoutMs, () => {
        this.#pending.delete(id);
        resolve(undefined);
      });
      this.#pending.set(id, { resolve, cancelTimer });
      this.#send(to, PeerCall.fromPartial({ ...question, id }));
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

/** An answer to `call`; what is not given is empty. */
export function replyTo(call: Pick<PeerCall, 'id'>, fields: Partial<PeerReply>): PeerReply {
  return PeerReply.fromPartial({ ...fields, id: call.id });
}
