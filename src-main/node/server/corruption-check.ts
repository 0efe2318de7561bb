import { idToHex } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { CodedError, errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { AlarmRequest_AlarmAction, AlarmType } from '../../proto/etcd/rpc.ts';
import { type PeerCall, PeerCall_Kind, type PeerReply } from '../../proto/raftdeck/raft.ts';
import { isNodeError } from '../apply/errors.ts';
import type { InternalRequestBody, StateMachine } from '../apply/types.ts';
import type { KvHash } from '../mvcc/hash.ts';
import { type PeerCalls, replyTo } from './peer-calls.ts';

/** How long a peer may take to compute its hash. */
const HASH_TIMEOUT_MS = 30_000;
/** At the start: how long to wait for the peers to be there, in election timeouts. */
const START_WAIT_ELECTIONS = 5;
const POLL_MS = 20;

export interface CorruptionCheckDeps {
  memberId: bigint;
  state: StateMachine;
  calls: PeerCalls;
  clock: Clock;
  logger: Logger;
  electionTimeoutMs: number;
  /** --experimental-corrupt-check-time; 0 is off. */
  intervalMs: number;
  isLeader(): boolean;
  /** Whether questions to that member and its answers arrive now. */
  canAsk(id: bigint): boolean;
  linearizableRead(): Promise<void>;
  /** Throws Compacted or FutureRev. */
  hashKv(revision: number): Promise<KvHash>;
  propose(request: InternalRequestBody): Promise<unknown>;
}

/** A peer's hash of its key space, or why there is none. */
type PeerHash = { id: bigint; reply: PeerReply | undefined };

/**
 * Compares the hash of this member's key space with the others' (etcd's corrupt.go): once before it serves, and from
 * time to time on the leader. Only an answer for the same revision and the same compaction says something; whoever
 * does not answer has not passed.
 */
export class CorruptionChecker {
  readonly #deps: CorruptionCheckDeps;
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(deps: CorruptionCheckDeps) {
    this.#deps = deps;
  }

  /** Before this member serves anybody. Rejects with CorruptData if a peer has something else at the same revision. */
  async checkAtStart(): Promise<void> {
    const { logger, hashKv, memberId } = this.#deps;
    await this.#waitForPeers();
    const own = await hashKv(0);
    const answers = await this.#askPeers(own.hashRevision);
    const differing = answers.filter(({ id, reply }) => this.#differs(id, own, reply));
    if (differing.length > 0) {
      const peers = differing.map(({ id }) => idToHex(id)).join();
      throw new CodedError(
        'CorruptData',
        `at revision ${own.hashRevision} this member (${idToHex(memberId)}) holds other data than ${peers}`,
        {
          hint: 'Find out which one is wrong; remove that member, its data folder, and add it anew.',
        },
      );
    }
    logger.info('corruption check at start', {
      revision: own.hashRevision,
      compared: answers.filter(({ reply }) => reply?.error === '').length,
      peers: answers.length,
    });
  }

  /** Checks at intervals whenever this member leads. */
  start(): void {
    const { intervalMs, clock, logger } = this.#deps;
    if (intervalMs <= 0 || this.#stopped) return;
    this.#cancel = clock.setTimer(intervalMs, () => {
      this.checkNow()
        .catch((error: unknown) =>
          logger.warn('corruption check not done', { reason: errorMessage(error) }),
        )
        .finally(() => this.start());
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** One round, if this member leads. A member whose data differs gets the CORRUPT alarm, which stops writes everywhere. */
  async checkNow(): Promise<void> {
    const { isLeader, linearizableRead, hashKv, state, memberId } = this.#deps;
    if (!isLeader()) return;
    await linearizableRead();
    const own = await hashKv(0);
    const answers = await this.#askPeers(own.hashRevision);
    // Others may have applied more meanwhile, under a new leader even, and be right.
    await linearizableRead();
    const again = await hashKv(own.hashRevision).catch(() => undefined);
    const stable = again?.compactRevision === own.compactRevision;
    if (stable && again.hash !== own.hash) await this.#raise(memberId);
    for (const { id, reply } of answers) {
      // Nobody can have had more than this member has since it was confirmed as leader after the answers.
      const ahead = reply !== undefined && reply.revision > state.revision;
      if (ahead || this.#differs(id, own, reply)) await this.#raise(id);
    }
  }

  /** Another member's question. */
  async answer(call: PeerCall): Promise<PeerReply> {
    const { hashKv, state } = this.#deps;
    try {
      const { hash, compactRevision } = await hashKv(call.revision);
      return replyTo(call, { hash, compactRevision, revision: state.revision });
    } catch (error) {
      const code = isNodeError(error) ? error.code : 'Internal';
      return replyTo(call, { error: code, revision: state.revision });
    }
  }

  #differs(id: bigint, own: KvHash, reply: PeerReply | undefined): boolean {
    const { logger } = this.#deps;
    const peer = idToHex(id);
    if (reply === undefined || reply.error !== '') {
      logger.warn('corruption check: peer not compared', {
        peer,
        reason: reply === undefined ? 'no answer' : reply.error,
      });
      return false;
    }
    if (reply.compactRevision !== own.compactRevision) {
      logger.info('corruption check: peer is compacted elsewhere', { peer });
      return false;
    }
    if (reply.hash === own.hash) return false;
    logger.error('corruption check: data differs', {
      peer,
      revision: own.hashRevision,
      ours: own.hash,
      theirs: reply.hash,
    });
    return true;
  }

  #askPeers(revision: number): Promise<PeerHash[]> {
    const question = { kind: PeerCall_Kind.HASH_KV, revision };
    return Promise.all(
      this.#peers().map(async (id) => ({
        id,
        reply: this.#deps.canAsk(id)
          ? await this.#deps.calls.ask(id, question, HASH_TIMEOUT_MS)
          : undefined,
      })),
    );
  }

  #peers(): bigint[] {
    const { state, memberId } = this.#deps;
    return state
      .members()
      .map(({ ID }) => ID)
      .filter((id) => id !== memberId);
  }

  /** A whole cluster that starts at once must have time to meet; a peer that is down must not keep this one from serving. */
  async #waitForPeers(): Promise<void> {
    const { clock, electionTimeoutMs, canAsk } = this.#deps;
    const deadline = clock.nowMs() + START_WAIT_ELECTIONS * electionTimeoutMs;
    while (clock.nowMs() < deadline && !this.#peers().every(canAsk)) {
      await new Promise<void>((resolve) => clock.setTimer(POLL_MS, resolve));
    }
  }

  async #raise(memberID: bigint): Promise<void> {
    const { state, propose, logger } = this.#deps;
    const raised = state
      .alarms()
      .some((alarm) => alarm.memberID === memberID && alarm.alarm === AlarmType.CORRUPT);
    if (raised) return;
    logger.error('raising the CORRUPT alarm', { member: idToHex(memberID) });
    const action = AlarmRequest_AlarmAction.ACTIVATE;
    await propose({ $case: 'alarm', value: { action, memberID, alarm: AlarmType.CORRUPT } });
  }
}
