import { assert } from '../../base/assert.ts';
import {
  type ConfChange,
  EntryType,
  type Message,
  MessageType,
} from '../../proto/raftdeck/raft.ts';
import { configurationOf, confStateOf, isMember, isSoleVoter } from './confchange.ts';
import { RaftCore } from './core.ts';
import {
  campaignIfDeferred,
  campaignOnTimeout,
  handleVoteRequest,
  inLease,
  stepCandidate,
} from './election.ts';
import { isFromLeader, stepFollower, takeSnapshot } from './follower.ts';
import {
  autoLeave,
  encodeConfChange,
  handlePropose,
  handleSnapshotStatus,
  handleUnreachable,
  proposeAsLeader,
  proposeConfChangeAsLeader,
  releaseHeld,
  stepLeader,
  tickLeader,
  transferLeader,
} from './leader.ts';
import { ENTRY_OVERHEAD_BYTES } from './log.ts';
import { applyConfChange, switchTo } from './membership.ts';
import { localRead } from './readindex.ts';
import { acknowledgeSelf, canStartReads, flushAppends, startReads } from './replication.ts';
import {
  type ConfState,
  type Entry,
  NONE,
  type ProposeResult,
  type RaftConfig,
  type RaftId,
  type RaftRestore,
  type RaftStatus,
  type Ready,
  type Role,
  type SnapshotMeta,
} from './types.ts';
import { isWellFormed, LOCAL_TYPES, RESPONSE_TYPES, VOTE_TYPES } from './validate.ts';

/**
 * One member of one Raft group, without clock, disk or network (Raft thesis; behaviour after etcd's
 * raft).
 *
 * The driver steps messages and ticks in, and as long as `hasReady` does what each `ready()` says,
 * see Ready. Writes of several Readies may be under way if they reach the disk in order; then
 * `persisted` is called for each Ready with entries, in order, with its last entry's index and
 * term, and messagesAfterPersist of one never go before those of an earlier one, even if it has
 * nothing to write itself.
 */
export class RaftNode {
  readonly #core: RaftCore;

  constructor(config: RaftConfig, restore: RaftRestore) {
    this.#core = new RaftCore(config, restore);
  }

  get id(): RaftId {
    return this.#core.id;
  }
  get term(): number {
    return this.#core.term;
  }
  get role(): Role {
    return this.#core.role;
  }
  get isLeader(): boolean {
    return this.#core.role === 'leader';
  }
  /** NONE while it is not known. */
  get leader(): RaftId {
    return this.#core.leader;
  }
  get commit(): number {
    return this.#core.log.commit;
  }
  get appliedIndex(): number {
    return this.#core.log.applied;
  }
  get confState(): ConfState {
    return confStateOf(this.#core.configuration);
  }

  /** One tick of the driver's clock: the unit of the configuration's timeouts. */
  tick(): void {
    const core = this.#core;
    for (const context of core.forwarded.tick()) core.readStates.push({ context, index: -1 });
    core.held.tick(core.config.electionTicks);
    if (core.role === 'leader') {
      tickLeader(core);
      releaseHeld(core);
      return;
    }
    core.electionElapsed++;
    // Nobody else could lead, so there is nobody to wait for.
    const sole = isSoleVoter(core.configuration, core.id);
    // A node that may not campaign goes on counting: it must not look as if it had just heard a
    // leader.
    if (sole || core.electionElapsed >= core.electionTimeout) campaignOnTimeout(core);
  }

  /**
   * Starts an election without waiting for the timeout; nothing happens if this node cannot lead.
   */
  campaign(): void {
    campaignOnTimeout(this.#core);
  }

  /**
   * A message from a peer, or one of the driver's own about the peer in `from`: UNREACHABLE,
   * SNAPSHOT_STATUS (reject: it failed) and TRANSFER_LEADER. Those three must not be accepted from
   * the network.
   */
  step(message: Message): void {
    const core = this.#core;
    if (LOCAL_TYPES.has(message.type)) {
      this.#stepLocal(message);
      return;
    }
    if (message.to !== core.id || message.from === core.id || !isWellFormed(message)) return;
    if (VOTE_TYPES.has(message.type)) core.learnCommit(message);
    if (this.#stepTermless(message) || !this.#settleTerm(message)) return;
    if (message.type === MessageType.VOTE || message.type === MessageType.PRE_VOTE) {
      handleVoteRequest(core, message);
    } else if (core.role === 'leader') {
      assert(!isFromLeader(message.type), `two leaders in term ${core.term}`);
      stepLeader(core, message);
    } else if (core.role === 'follower') {
      stepFollower(core, message);
    } else if (isFromLeader(message.type)) {
      // Somebody else has won the term.
      core.becomeFollower(message.term, message.from);
      stepFollower(core, message);
    } else {
      stepCandidate(core, message);
    }
    releaseHeld(core);
  }

  #stepLocal(message: Message): void {
    const core = this.#core;
    if (core.role !== 'leader') return;
    if (message.type === MessageType.SNAPSHOT_STATUS) {
      handleSnapshotStatus(core, message.from, message.reject);
    } else if (message.type === MessageType.UNREACHABLE) {
      handleUnreachable(core, message.from);
    } else {
      transferLeader(core, message.from);
    }
  }

  #stepTermless(message: Message): boolean {
    const core = this.#core;
    switch (message.type) {
      case MessageType.PROPOSE:
        handlePropose(core, message);
        return true;
      case MessageType.READ_INDEX: {
        const read = { context: message.readContext, from: message.from };
        const accepted = core.role === 'leader' && core.reads.add(read);
        if (!accepted) core.answerRead(read.from, read.context, -1);
        return true;
      }
      case MessageType.READ_INDEX_RESPONSE: {
        const context = core.forwarded.take(message.readContext);
        if (context === undefined) return true;
        core.readStates.push({ context, index: message.reject ? -1 : message.index });
        return true;
      }
      default:
        return false;
    }
  }

  /** Brings the term up to the message's. False if the message has nothing more to say. */
  #settleTerm(message: Message): boolean {
    const core = this.#core;
    const { type, term, from } = message;
    // A member that was removed must not depose anybody by answers that come late.
    if (RESPONSE_TYPES.has(type) && !isMember(core.configuration, from)) return false;
    if (term === core.term) return true;
    if (term < core.term) {
      this.#answerOldTerm(message);
      return false;
    }
    if (type === MessageType.VOTE || type === MessageType.PRE_VOTE) {
      if (inLease(core, message)) return false;
      if (type === MessageType.PRE_VOTE) return true;
    }
    // A granted pre-vote carries the term that was asked about, which nobody has entered.
    if (type === MessageType.PRE_VOTE_RESPONSE && !message.reject) return true;
    core.becomeFollower(term, isFromLeader(type) ? from : NONE);
    return true;
  }

  /**
   * Whoever acts for an old term learns the new one: else a member with a higher term could never
   * come back.
   */
  #answerOldTerm(message: Message): void {
    const core = this.#core;
    if (isFromLeader(message.type)) {
      core.send({ type: MessageType.APPEND_RESPONSE, to: message.from, reject: true });
    } else if (message.type === MessageType.PRE_VOTE) {
      core.send({
        type: MessageType.PRE_VOTE_RESPONSE,
        to: message.from,
        reject: true,
        ...core.commitClaim(),
      });
    }
  }

  /** All or nothing. The buffers are kept by reference: they must not change any more. */
  propose(data: Buffer[]): ProposeResult {
    if (data.length === 0) return 'ok';
    if (this.isLeader) return proposeAsLeader(this.#core, EntryType.NORMAL, data);
    return this.#forward(EntryType.NORMAL, data);
  }

  proposeConfChange(change: ConfChange): ProposeResult {
    if (this.isLeader) return proposeConfChangeAsLeader(this.#core, change);
    return this.#forward(EntryType.CONF_CHANGE, [encodeConfChange(change)]);
  }

  #forward(type: EntryType, data: Buffer[]): ProposeResult {
    const core = this.#core;
    if (core.leader === NONE) return 'noLeader';
    let bytes = 0;
    for (const payload of data) bytes += payload.length + ENTRY_OVERHEAD_BYTES;
    const limit = core.config.maxUncommittedBytes;
    if (core.forwardedBytes > 0 && core.forwardedBytes + bytes > limit) return 'tooManyUncommitted';
    const entries = data.map((payload): Entry => ({ term: 0, index: 0, type, data: payload }));
    if (!core.send({ type: MessageType.PROPOSE, to: core.leader, entries })) {
      return 'tooManyUncommitted';
    }
    core.forwardedBytes += bytes;
    return 'forwarded';
  }

  /**
   * Asks up to which index a read must wait to be linearizable. True: a readState with this context
   * follows, with the index, or with -1 if leadership changed or the leader did not answer. False:
   * no leader, or too many reads.
   */
  readIndex(context: number): boolean {
    const core = this.#core;
    if (this.isLeader) return core.reads.add(localRead(context));
    if (core.leader === NONE) return false;
    const wire = core.forwarded.add(context, core.config.electionTicks);
    if (wire === undefined) return false;
    core.send({ type: MessageType.READ_INDEX, to: core.leader, readContext: wire });
    return true;
  }

  /** Index of a snapshot that was taken and is not in place of the state yet. */
  get pendingSnapshot(): number | undefined {
    return this.#core.snapshot?.meta.index;
  }

  hasReady(): boolean {
    const core = this.#core;
    return (
      core.messages.length > 0 ||
      core.messagesAfterPersist.length > 0 ||
      core.readStates.length > 0 ||
      core.unsent ||
      core.log.hasUnwritten ||
      (core.log.hasCommitted && core.snapshot?.installing !== true) ||
      core.snapshot?.installing === false ||
      canStartReads(core) ||
      this.#changedHardState() !== undefined
    );
  }

  /** Takes and clears what there is to do. */
  ready(): Ready {
    const core = this.#core;
    if (canStartReads(core)) startReads(core);
    if (core.unsent) flushAppends(core);
    const snapshot = takeSnapshot(core);
    const entries = core.log.takeUnwritten();
    const hardState = this.#changedHardState();
    const handed = core.handedHardState;
    const voted =
      hardState !== undefined && (hardState.term !== handed.term || hardState.vote !== handed.vote);
    core.handedHardState = hardState ?? handed;
    const ready: Ready = {
      hardState,
      mustSync: entries.length > 0 || snapshot !== undefined || voted,
      entries,
      snapshot,
      messages: core.messages,
      messagesAfterPersist: core.messagesAfterPersist,
      committed: core.snapshot?.installing ? [] : core.log.takeCommitted(),
      readStates: core.readStates,
    };
    core.messages = [];
    core.messagesAfterPersist = [];
    core.readStates = [];
    core.forwardedBytes = 0;
    return ready;
  }

  #changedHardState() {
    const state = this.#core.hardState();
    const handed = this.#core.handedHardState;
    const same =
      state.term === handed.term && state.vote === handed.vote && state.commit === handed.commit;
    return same ? undefined : state;
  }

  /**
   * The write of the Ready whose last entry has this index and term is durable, with all before it.
   * What no write under way is named by is ignored, so a truncation or a snapshot in between does
   * no harm.
   */
  persisted(index: number, term: number): void {
    if (this.#core.log.persisted(index, term)) acknowledgeSelf(this.#core);
  }

  /**
   * The state machine holds everything up to the index. Entries that change the configuration
   * included.
   */
  applied(index: number): void {
    this.#core.log.appliedTo(index);
    autoLeave(this.#core);
    campaignIfDeferred(this.#core);
  }

  /** The snapshot of an earlier Ready is durable in the log and in place of the state. */
  snapshotInstalled(meta: SnapshotMeta): void {
    const core = this.#core;
    const pending = core.snapshot;
    assert(pending?.installing, 'no snapshot is being installed');
    assert(
      pending.meta.index === meta.index && pending.meta.term === meta.term,
      'another snapshot is being installed',
    );
    assert(meta.confState !== undefined, 'a snapshot has a configuration');
    core.snapshot = undefined;
    core.log.restore(meta.index, meta.term);
    switchTo(core, configurationOf(meta.confState));
    core.send({ type: MessageType.APPEND_RESPONSE, to: pending.from, index: meta.index });
  }

  /**
   * To call as a CONF_CHANGE entry is applied, in order. What it answers is part of the applied
   * state.
   */
  applyConfChange(change: ConfChange): ConfState {
    applyConfChange(this.#core, change);
    return this.confState;
  }

  /**
   * Forgets entries up to the index, which is applied durably. Followers that need them get a
   * snapshot.
   */
  compact(index: number): void {
    this.#core.log.compact(index);
  }

  /** What the entries in memory weigh together. */
  get logBytes(): number {
    return this.#core.log.bytes;
  }

  /** The lowest index to compact to if at most `maxBytes` of entries are to stay in memory. */
  indexToKeep(maxBytes: number): number {
    return this.#core.log.indexBefore(maxBytes);
  }

  /**
   * Names a snapshot at an applied index. Its configuration is the present one, so for a snapshot
   * that stands alone the index is the applied one; for an earlier index it only marks where the
   * log is cut.
   */
  snapshotMeta(index: number): SnapshotMeta {
    assert(index <= this.#core.log.applied, `entry ${index} is not applied`);
    const term = this.#core.log.term(index);
    assert(term !== undefined, `entry ${index} is compacted`);
    return { index, term, confState: this.confState };
  }

  /**
   * Hands leadership over; given up after an election timeout. False if this node does not lead or
   * it cannot.
   */
  transferLeader(to: RaftId): boolean {
    return transferLeader(this.#core, to);
  }

  status(): RaftStatus {
    const core = this.#core;
    return {
      id: core.id,
      role: core.role,
      term: core.term,
      vote: core.vote,
      leader: core.leader,
      commit: core.log.commit,
      applied: core.log.applied,
      firstIndex: core.log.firstIndex,
      lastIndex: core.log.lastIndex,
      lastTerm: core.log.lastTerm,
      confState: this.confState,
      electionElapsed: core.electionElapsed,
      electionTimeout: core.electionTimeout,
      progress: [...core.progress.values()].map((progress) => progress.view()),
    };
  }
}
