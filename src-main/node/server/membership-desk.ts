import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { Member } from '../../proto/etcd/rpc.ts';
import { MembershipChange } from '../../proto/raftdeck/internal.ts';
import {
  ConfChangeSingle_Type as Change,
  type ConfChange,
  type PeerCall,
  PeerCall_Kind,
  type PeerReply,
} from '../../proto/raftdeck/raft.ts';
import { isNodeError } from '../apply/errors.ts';
import {
  type InternalRequestBody,
  NODE_ERROR_CODES,
  type NodeErrorCode,
  type StateMachine,
} from '../apply/types.ts';
import { memberId as idOf } from '../membership/identity.ts';
import {
  mayAddVoter,
  mayPromote,
  mayRemove,
  type ReconfigurationView,
} from '../membership/reconfiguration.ts';
import { checkPeerUrls } from '../membership/urls.ts';
import type { ProposeResult, RaftStatus } from '../raft/types.ts';
import { type PeerCalls, replyTo } from './peer-calls.ts';
import { nodeError, type Proposals } from './proposals.ts';

/** Between two tries to get a change into the log while another one, or an election, is under way. */
const RETRY_MS = 50;

export interface MembershipDeskDeps {
  memberId: bigint;
  clusterToken: string;
  /** --strict-reconfig-check: refuse what would break the quorum of those that are there. */
  strict: boolean;
  /** --experimental-max-learners. */
  maxLearners: number;
  state: StateMachine;
  proposals: Proposals;
  calls: PeerCalls;
  clock: Clock;
  /** Unix milliseconds when this process began: goes into the ids of new members, so that none is ever used twice. */
  startMs: number;
  requestTimeoutMs: number;
  electionTimeoutMs: number;
  logger: Logger;
  leader(): bigint;
  isLeader(): boolean;
  raftStatus(): Pick<RaftStatus, 'role' | 'lastIndex' | 'progress'>;
  /** How long the connection to that member has stood, in milliseconds; undefined without one. */
  connectedForMs(id: bigint): number | undefined;
  proposeConfChange(change: ConfChange): ProposeResult;
  propose(request: InternalRequestBody): Promise<unknown>;
}

/**
 * Changes who is in the cluster: one change at a time through the log (thesis 4.1), checked before it is proposed by
 * what this member sees of the others, and again when it is applied by what all members know.
 */
export class MembershipDesk {
  readonly #deps: MembershipDeskDeps;
  readonly #startedMs: number;

  constructor(deps: MembershipDeskDeps) {
    this.#deps = deps;
    this.#startedMs = deps.clock.nowMs();
  }

  /** Answers the new member's record. Throws NodeError. */
  async add(peerUrls: string[], isLearner: boolean, signal?: AbortSignal): Promise<Member> {
    const { strict, clusterToken, startMs, clock } = this.#deps;
    const peerURLs = checkPeerUrls(peerUrls);
    if (peerURLs === undefined) throw nodeError('MemberBadUrls');
    if (strict) refuse(mayAddVoter(this.#view(), isLearner));
    const nowMs = startMs + clock.nowMs() - this.#startedMs;
    const ID = idOf(peerURLs, `${clusterToken}${nowMs}`);
    const member: Member = { ID, name: '', peerURLs, clientURLs: [], isLearner };
    await this.#change(isLearner ? Change.ADD_LEARNER : Change.ADD_VOTER, member, false, signal);
    return member;
  }

  async remove(id: bigint, signal?: AbortSignal): Promise<void> {
    if (this.#deps.strict) refuse(mayRemove(this.#view(), id));
    await this.#change(Change.REMOVE, Member.fromPartial({ ID: id }), false, signal);
  }

  async update(id: bigint, peerUrls: string[]): Promise<void> {
    const urls = checkPeerUrls(peerUrls);
    if (urls === undefined) throw nodeError('MemberBadUrls');
    await this.#deps.propose({ $case: 'memberUpdate', value: { memberId: id, peerUrls: urls } });
  }

  /** Only the leader knows how far a learner is: any other member asks it. */
  async promote(id: bigint, signal?: AbortSignal): Promise<void> {
    const { isLeader, leader, calls, clock, requestTimeoutMs } = this.#deps;
    const deadline = clock.nowMs() + requestTimeoutMs;
    while (clock.nowMs() < deadline && signal?.aborted !== true) {
      if (isLeader()) return await this.#promoteHere(id, signal);
      const to = leader();
      const question = { kind: PeerCall_Kind.MEMBER_PROMOTE, memberId: id };
      const left = deadline - clock.nowMs();
      const reply = to === 0n ? undefined : await calls.ask(to, question, left);
      if (reply !== undefined && !reply.notLeader) {
        if (reply.error === '') return;
        throw nodeError(isCode(reply.error) ? reply.error : 'Timeout');
      }
      await this.#sleep(RETRY_MS);
    }
    throw nodeError(leader() === 0n ? 'NoLeader' : 'Timeout');
  }

  /** Another member's wish to promote a learner. */
  async answer(call: PeerCall): Promise<PeerReply> {
    if (!this.#deps.isLeader()) return replyTo(call, { notLeader: true });
    try {
      await this.#promoteHere(call.memberId);
      return replyTo(call, {});
    } catch (error) {
      return replyTo(call, { error: isNodeError(error) ? error.code : 'Timeout' });
    }
  }

  async #promoteHere(id: bigint, signal?: AbortSignal): Promise<void> {
    const { strict, state } = this.#deps;
    refuse(mayPromote(this.#view(), id, strict));
    const member = state.members().find(({ ID }) => ID === id);
    if (member === undefined) throw nodeError('MemberNotFound');
    await this.#change(Change.ADD_VOTER, { ...member, isLearner: false }, true, signal);
  }

  /** Resolves once the change is applied here. A change that gets lost on its way is proposed again under its old id. */
  async #change(type: Change, member: Member, promote: boolean, signal?: AbortSignal) {
    const { proposals, proposeConfChange, clock, logger, electionTimeoutMs } = this.#deps;
    const deadline = clock.nowMs() + this.#deps.requestTimeoutMs;
    const { id, applied } = proposals.expect(deadline, this.#deps.leader(), signal);
    const { maxLearners } = this.#deps;
    const context = MembershipChange.encode({ id, member, promote, maxLearners }).finish();
    const change: ConfChange = {
      changes: [{ type, nodeId: member.ID }],
      explicitJoint: false,
      context: Buffer.from(context),
    };
    const settled = applied.then(noop, noop);
    let tries = 0;
    while (proposals.isWaiting(id)) {
      const result = proposeConfChange(change);
      if (result === 'invalidConfChange') proposals.refuse(id, this.#whyInvalid(member.ID));
      const proposed = result === 'ok' || result === 'forwarded';
      if (proposed) tries++;
      await Promise.race([settled, this.#sleep(proposed ? electionTimeoutMs : RETRY_MS)]);
    }
    await applied.catch((error: unknown) => {
      // The first try may have come with a snapshot, which tells nobody: the second one is refused because of it.
      if (
        tries < 2 ||
        !isNodeError(error) ||
        !REPEATED.has(error.code) ||
        !this.#is(type, member)
      ) {
        throw error;
      }
    });
    logger.info('membership changed', { member: member.ID.toString(16), type, promote });
  }

  /** Whether the members are as the change would have them. */
  #is(type: Change, { ID }: Member): boolean {
    const known = this.#deps.state.members().find((member) => member.ID === ID);
    if (type === Change.REMOVE) return known === undefined;
    return known !== undefined && (type === Change.ADD_LEARNER || !known.isLearner);
  }

  /** What the checks look at, as it is now. */
  #view(): ReconfigurationView {
    const { memberId, state, raftStatus, connectedForMs } = this.#deps;
    const { progress, lastIndex, role } = raftStatus();
    const match = new Map(progress.map((one) => [one.id, one.match]));
    return {
      self: memberId,
      members: state.members(),
      connectedForMs,
      progress: role === 'leader' ? { lastIndex, match } : undefined,
    };
  }

  /** Raft refuses what names nobody, and what would leave no voter. */
  #whyInvalid(id: bigint): NodeErrorCode {
    const known = this.#deps.state.members().some(({ ID }) => ID === id);
    return known ? 'MemberNotEnoughStarted' : 'MemberNotFound';
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.setTimer(ms, resolve));
  }
}

/** What a change is answered that was made before. */
const REPEATED: ReadonlySet<NodeErrorCode> = new Set([
  'MemberExist',
  'MemberNotFound',
  'MemberNotLearner',
]);
const CODES: ReadonlySet<string> = new Set(NODE_ERROR_CODES);

function isCode(code: string): code is NodeErrorCode {
  return CODES.has(code);
}

function noop(): void {}

function refuse(code: NodeErrorCode | undefined): void {
  if (code !== undefined) throw nodeError(code);
}
