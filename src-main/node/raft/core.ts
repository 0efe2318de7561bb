import { assert } from '../../base/assert.ts';
import { MessageType } from '../../proto/raftdeck/raft.ts';
import { type Configuration, configurationOf, isVoter } from './confchange.ts';
import { HeldProposals } from './held-proposals.ts';
import { RaftLog } from './log.ts';
import type { Progress } from './progress.ts';
import { ForwardedReads, ReadRounds } from './readindex.ts';
import {
  type HardState,
  type Message,
  NONE,
  type RaftConfig,
  type RaftId,
  type RaftRestore,
  type Ready,
  type Role,
  type SnapshotMeta,
} from './types.ts';

/**
 * Messages held between two calls of ready(), of each kind. Beyond it they are lost, as on a
 * network.
 */
export const MAX_OUTBOX_MESSAGES = 16_384;

/** Sent only after what they promise is durable: votes, pre-votes' answers and acknowledgements. */
const AFTER_PERSIST: ReadonlySet<MessageType> = new Set([
  MessageType.APPEND_RESPONSE,
  MessageType.VOTE,
  MessageType.VOTE_RESPONSE,
  MessageType.PRE_VOTE_RESPONSE,
]);

/** They stand outside of terms: their receiver acts on its role alone. */
const TERMLESS: ReadonlySet<MessageType> = new Set([
  MessageType.PROPOSE,
  MessageType.READ_INDEX,
  MessageType.READ_INDEX_RESPONSE,
]);

export interface PendingSnapshot {
  meta: SnapshotMeta;
  /** Whom to tell once it is installed. */
  from: RaftId;
  /** The driver is at it. Until it is done no entries are taken in or given out. */
  installing: boolean;
}

export type OutgoingMessage = Partial<Message> & Pick<Message, 'type' | 'to'>;

/**
 * One group's Raft state at one node, and what every role needs. The roles are in files of their
 * own.
 */
export class RaftCore {
  readonly id: RaftId;
  readonly config: RaftConfig;
  readonly log: RaftLog;
  readonly reads = new ReadRounds();
  readonly forwarded: ForwardedReads;
  /** Other members' proposals that wait for whoever leads next. */
  readonly held = new HeldProposals();

  role: Role = 'follower';
  /** Current term. Never goes down. */
  term: number;
  /** Whom this node voted for in the term; set at most once in each term. */
  vote: RaftId;
  /** Leader of the term as far as known. */
  leader: RaftId = NONE;
  configuration: Configuration;

  /**
   * Ticks since a leader was heard, a vote was given or an election began; on a leader, since its
   * last check.
   */
  electionElapsed = 0;
  /** Ticks since the last heartbeats; leader only. */
  heartbeatElapsed = 0;
  /** This round's timeout in ticks, in [electionTicks, 2 * electionTicks). */
  electionTimeout = 0;
  /** The leader has asked this node to take over, and a change of members must be applied first. */
  campaignOnceApplied = false;
  /** Candidates: the answers so far. */
  votes = new Map<RaftId, boolean>();

  /** Leader: every member, itself included. Empty otherwise. */
  progress = new Map<RaftId, Progress>();
  /** Leader: something may have to be sent at the next flush. */
  unsent = false;
  /**
   * Leader: index of its own first entry; what precedes is committed by it only through it (thesis
   * 3.6.2).
   */
  termStart = 0;
  /** Leader: it won without asking anybody, so its vote may not be durable yet. */
  electedAlone = false;
  /** Leader: being replaced by this member. */
  transferee: RaftId = NONE;
  /** Leader: no configuration change is proposed before this index is applied. */
  pendingConfIndex = 0;
  /** Leader: bytes of its own entries that are not committed. */
  uncommittedBytes = 0;
  /** Bytes of forwarded proposals that wait in the outbox. */
  forwardedBytes = 0;

  snapshot: PendingSnapshot | undefined;
  messages: Message[] = [];
  messagesAfterPersist: Message[] = [];
  readStates: Ready['readStates'] = [];
  /** What the last Ready had. */
  handedHardState: HardState;

  constructor(config: RaftConfig, restore: RaftRestore) {
    assert(config.id !== NONE, 'a member needs an id');
    assert(config.electionTicks > config.heartbeatTicks, 'election timeout must exceed heartbeats');
    assert(config.heartbeatTicks > 0, 'heartbeat interval must be positive');
    assert(config.maxBytesPerAppend > 0, 'maxBytesPerAppend must be positive');
    this.id = config.id;
    this.config = config;
    this.term = restore.hardState.term;
    this.vote = restore.hardState.vote;
    // The commit index is written without a sync of its own, so what is applied may be ahead of it.
    const commit = Math.max(restore.hardState.commit, restore.applied, restore.snapshot.index);
    this.log = new RaftLog(restore.snapshot, restore.entries, commit, restore.applied);
    assert(this.term >= this.log.lastTerm, 'the log is ahead of the term');
    this.configuration = configurationOf(restore.confState);
    this.forwarded = new ForwardedReads(config.random);
    this.handedHardState = { ...restore.hardState };
    this.#drawElectionTimeout();
  }

  get isVoter(): boolean {
    return isVoter(this.configuration, this.id);
  }

  /** A member that may become leader: it votes and is not about to get its state replaced. */
  get promotable(): boolean {
    return this.isVoter && this.snapshot === undefined;
  }

  /** Leader: an entry of its own term is committed, so its commit index is current (thesis 6.4). */
  get committedInTerm(): boolean {
    return this.log.commit >= this.termStart;
  }

  /**
   * What votes and their answers say of the commit index, with the term of the entry there in
   * rejectHint.
   * @see learnCommit
   */
  commitClaim(): Pick<Message, 'commit' | 'rejectHint'> {
    const { commit } = this.log;
    return { commit, rejectHint: this.log.term(commit) ?? 0 };
  }

  /**
   * A configuration takes effect when its entry is known to be committed, and whoever knew may be
   * gone or removed before telling. Two members with different ideas of the configuration could
   * then refuse each other for ever, so votes and answers tell what is committed (after raft-rs).
   * By log matching the same entry means the same prefix.
   */
  learnCommit(message: Message): void {
    const { commit, rejectHint } = message;
    if (this.role === 'leader' || rejectHint === 0 || commit <= this.log.commit) return;
    if (this.log.matches(commit, rejectHint)) this.log.commitTo(commit);
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.commit };
  }

  becomeFollower(term: number, leader: RaftId): void {
    assert(term >= this.term, 'term goes down');
    this.reset(term);
    this.role = 'follower';
    this.leader = leader;
  }

  /** What every change of role or term does. */
  reset(term: number): void {
    if (term !== this.term) {
      this.term = term;
      this.vote = NONE;
    }
    this.#refuseReads();
    this.leader = NONE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.#drawElectionTimeout();
    this.campaignOnceApplied = false;
    this.votes = new Map();
    this.progress = new Map();
    this.unsent = false;
    this.termStart = 0;
    this.electedAlone = false;
    this.transferee = NONE;
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
  }

  #drawElectionTimeout(): void {
    const ticks = this.config.electionTicks;
    this.electionTimeout = ticks + this.config.random.below(ticks);
  }

  /** Nobody will confirm them any more: whoever asked should ask again. */
  #refuseReads(): void {
    for (const read of this.reads.reset()) this.answerRead(read.from, read.context, -1);
    for (const context of this.forwarded.reset()) this.readStates.push({ context, index: -1 });
  }

  /** Index -1 refuses. */
  answerRead(from: RaftId, context: number, index: number): void {
    if (from === NONE) {
      this.readStates.push({ context, index });
      return;
    }
    this.send({
      type: MessageType.READ_INDEX_RESPONSE,
      to: from,
      readContext: context,
      index: Math.max(index, 0),
      reject: index < 0,
    });
  }

  /**
   * Fills in sender and term, and puts the message where it may go out without a promise broken.
   * False: lost.
   */
  send(fields: OutgoingMessage): boolean {
    assert(fields.to !== this.id && fields.to !== NONE, 'message to nobody');
    const late = AFTER_PERSIST.has(fields.type) || this.#leadershipAtRisk();
    const box = late ? this.messagesAfterPersist : this.messages;
    if (box.length >= MAX_OUTBOX_MESSAGES) return false;
    box.push({
      type: fields.type,
      to: fields.to,
      from: this.id,
      term: fields.term ?? (TERMLESS.has(fields.type) ? 0 : this.term),
      index: fields.index ?? 0,
      logTerm: fields.logTerm ?? 0,
      entries: fields.entries ?? [],
      commit: fields.commit ?? 0,
      reject: fields.reject ?? false,
      rejectHint: fields.rejectHint ?? 0,
      snapshot: fields.snapshot,
      readContext: fields.readContext ?? 0,
      forced: fields.forced ?? false,
    });
    return true;
  }

  /**
   * A sole voter leads by its own vote, before that vote is durable. If it crashed now it could
   * lead the same term again with other entries, so nothing may leave it before its first entry of
   * the term is durable, and with it, being written no later, the vote. Any other leader was
   * answered by voters, whom it asked after it had persisted.
   */
  #leadershipAtRisk(): boolean {
    return this.role === 'leader' && this.electedAlone && this.log.stable < this.termStart;
  }
}
