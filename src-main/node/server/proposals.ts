import { CodedError } from '../../base/errors.ts';
import type { Caller } from '../api/backend.ts';
import type { ApplyResult, InternalRequestBody, NodeErrorCode } from '../apply/types.ts';
import { decodeEntry, encodeEntry } from './entry-codec.ts';

/** Requests that may wait for their entry at once; more are refused with TooManyRequests. */
export const MAX_PENDING_PROPOSALS = 20_000;

export type Applied = Extract<ApplyResult, { ok: true }>;

interface Waiting {
  deadlineMs: number;
  /** The leader it was handed to; a change of leader may have lost it. */
  leader: bigint;
  /** Set for what only the leader of that term may propose: it is not handed to another one. */
  onlyInTerm: number | undefined;
  caller: Caller | undefined;
  resolve(result: Applied): void;
  reject(error: CodedError<NodeErrorCode>): void;
}

export function nodeError(code: NodeErrorCode, message: string = code): CodedError<NodeErrorCode> {
  return new CodedError(code, message);
}

/**
 * Pairs applied entries with the calls that wait for them, by an id that is unique among members and restarts:
 * 16 bits of the member, 48 bits that start from the time (as etcd's idutil does).
 */
export class Proposals {
  readonly #waiting = new Map<bigint, Waiting>();
  /** Encoded entries that wait for the next turn, in order. */
  #outbox: { id: bigint; data: Buffer }[] = [];
  #nextId: bigint;

  constructor(memberId: bigint, startMs: number) {
    const member = BigInt.asUintN(16, memberId) << 48n;
    this.#nextId = member | (BigInt.asUintN(40, BigInt(Math.floor(startMs))) << 8n);
  }

  get size(): number {
    return this.#waiting.size;
  }

  get hasOutbox(): boolean {
    return this.#outbox.length > 0;
  }

  add(
    request: InternalRequestBody,
    deadlineMs: number,
    leader: bigint,
    caller: Caller | undefined,
    onlyInTerm?: number,
  ): Promise<Applied> {
    if (this.#waiting.size >= MAX_PENDING_PROPOSALS) {
      return Promise.reject(nodeError('TooManyRequests'));
    }
    const { id, applied } = this.expect(deadlineMs, leader, caller, onlyInTerm);
    this.#outbox.push({ id, data: encodeEntry(id, request) });
    return applied;
  }

  /** An id for an entry that the caller proposes itself, and its answer. */
  expect(
    deadlineMs: number,
    leader: bigint,
    caller: Caller | undefined,
    onlyInTerm?: number,
  ): { id: bigint; applied: Promise<Applied> } {
    const id = this.#nextId++;
    const applied = new Promise<Applied>((resolve, reject) => {
      this.#waiting.set(id, { deadlineMs, leader, onlyInTerm, caller, resolve, reject });
    });
    return { id, applied };
  }

  isWaiting(id: bigint): boolean {
    return this.#wanted(id) !== undefined;
  }

  /** Nobody proposes that entry any more. */
  refuse(id: bigint, code: NodeErrorCode): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.reject(nodeError(code));
  }

  /**
   * What came in since the last turn. Requests whose caller left or timed out are not proposed any
   * more, nor are those of a term in which this member led, once it does not (`leadingTerm`).
   */
  takeOutbox(leadingTerm: number | undefined): Buffer[] {
    const taken: Buffer[] = [];
    for (const { id, data } of this.#outbox) {
      const waiting = this.#wanted(id);
      if (waiting === undefined) continue;
      if (waiting.onlyInTerm === undefined || waiting.onlyInTerm === leadingTerm) taken.push(data);
      else this.refuse(id, 'NotLeader');
    }
    this.#outbox = [];
    return taken;
  }

  /** Proposing was refused: everything goes back, to be tried again. */
  putBack(data: Buffer[]): void {
    const again = data.map((bytes) => ({ id: decodeEntry(bytes).id, data: bytes }));
    this.#outbox = again.concat(this.#outbox);
  }

  settle(id: bigint, result: ApplyResult): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (result.ok) waiting.resolve(result);
    else waiting.reject(nodeError(result.code));
  }

  /**
   * Who waits for the entry. One whose caller has left is dropped when it is met, so that nobody need listen for that;
   * if its entry is in the log already, only the answer is no longer wanted.
   */
  #wanted(id: bigint): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting?.caller?.aborted !== true) return waiting;
    this.#waiting.delete(id);
    return undefined;
  }

  /** Rejects what is overdue. The map is in order of arrival and deadlines are alike, so the first fresh one ends it. */
  expire(nowMs: number, leader: bigint): void {
    for (const [id, waiting] of this.#waiting) {
      if (waiting.deadlineMs > nowMs) return;
      this.#waiting.delete(id);
      waiting.reject(nodeError(waiting.leader === leader ? 'Timeout' : 'TimeoutDueToLeaderFail'));
    }
  }

  failAll(code: NodeErrorCode): void {
    for (const waiting of this.#waiting.values()) waiting.reject(nodeError(code));
    this.#waiting.clear();
    this.#outbox = [];
  }
}
