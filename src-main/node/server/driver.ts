import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { MembershipChange } from '../../proto/raftdeck/internal.ts';
import {
  ConfChange,
  type Entry,
  EntryType,
  Message,
  MessageType,
} from '../../proto/raftdeck/raft.ts';
import type { BatchingStateMachine } from '../apply/state-machine.ts';
import type { Schedule } from '../mvcc/schedule.ts';
import type { RaftNode } from '../raft/index.ts';
import type { HardState, ProposeResult, Ready, Role, SnapshotMeta } from '../raft/types.ts';
import type { StateStore } from '../storage/types.ts';
import type { WriteAheadLog } from '../wal/types.ts';
import { ApplyQueue } from './apply-queue.ts';
import { decodeEntry } from './entry-codec.ts';
import type { Proposals } from './proposals.ts';
import { ReadBatcher } from './reads.ts';
import { type Persist, WalWriter } from './wal-writer.ts';

export interface DriverOptions {
  /** Which Raft group of the node this is. */
  group: number;
  raft: RaftNode;
  wal: WriteAheadLog;
  store: StateStore;
  state: BatchingStateMachine;
  proposals: Proposals;
  clock: Clock;
  schedule: Schedule;
  logger: Logger;
  tickMs: number;
  electionTimeoutMs: number;
  /** Sends to other members. SNAPSHOT messages are handed to `sendSnapshot` instead. */
  send(messages: Message[]): void;
  sendSnapshot(message: Message): void;
  /** The data of a snapshot that Raft accepted: puts it in place of the state, and calls `replaced` in that turn. */
  installSnapshot(meta: SnapshotMeta, replaced: () => void): Promise<void>;
  /** The snapshot is the state now, and the log knows. */
  onInstalled(meta: SnapshotMeta): void;
  onLeadership(leader: bigint, role: Role, term: number): void;
  onApplied(index: number): void;
  /** The node cannot go on: a failed write, a failed apply. */
  onFatal(error: unknown): void;
}

/**
 * Election timeouts without a leader after which linearizable reads are refused. One election needs no more than two,
 * so that only a minority, or a cluster that cannot agree, comes so far.
 */
const LEADERLESS_ELECTIONS = 3;

/**
 * The loop around one Raft group (DESIGN, a put from the wire to the disk and back): what a turn of the event loop
 * brought goes into Raft together, out to the followers and to the log at once, and is applied once committed.
 */
export class RaftDriver {
  readonly reads: ReadBatcher;
  readonly #o: DriverOptions;
  readonly #writer: WalWriter;
  readonly #queue = new ApplyQueue();
  #scheduled = false;
  #stopped = false;
  #installing = false;
  #throttled = false;
  /** What the run at hand has to send: one write for each member, and not one for each Ready. */
  #outgoing: Message[] = [];
  /** Newest one that is not handed to the log yet. */
  #hardState: HardState | undefined;
  #cancelTick: () => void = () => {};
  #leader = 0n;
  #role: Role = 'follower';
  #term = 0;

  constructor(options: DriverOptions) {
    this.#o = options;
    this.reads = new ReadBatcher(
      (context) => options.raft.readIndex(context),
      Math.max(50, options.electionTimeoutMs / 2),
      LEADERLESS_ELECTIONS * options.electionTimeoutMs,
    );
    this.#writer = new WalWriter(
      options.wal,
      (done) => this.#durable(done),
      (error) => this.#fatal(error),
    );
  }

  /** A snapshot is replacing the state: nothing else may write to it. */
  get isInstalling(): boolean {
    return this.#installing;
  }

  start(): void {
    const tick = () => {
      if (this.#stopped) return;
      this.#cancelTick = this.#o.clock.setTimer(this.#o.tickMs, tick);
      this.#o.raft.tick();
      const now = this.#o.clock.nowMs();
      this.#o.proposals.expire(now, this.#o.raft.leader);
      this.reads.tick(now, this.#o.raft.leader !== 0n);
      if (this.#hasWork) this.wake();
    };
    this.#cancelTick = this.#o.clock.setTimer(this.#o.tickMs, tick);
    this.wake();
  }

  /** Steps messages that came in and handles the outcome in this turn's run. */
  step(messages: Message[]): void {
    if (this.#stopped) return;
    try {
      for (const message of messages) this.#o.raft.step(message);
    } catch (error) {
      // Whoever brought the messages might take it for a fault of theirs, and go on.
      this.#fatal(error);
      return;
    }
    this.wake();
  }

  /** Proposes a change of the membership; the caller waits for its entry by the id it carries. */
  proposeConfChange(change: ConfChange): ProposeResult {
    if (this.#stopped) return 'noLeader';
    const result = this.#o.raft.proposeConfChange(change);
    this.wake();
    return result;
  }

  /** A message to that member was lost: Raft probes instead of streaming on. */
  unreachable(id: bigint): void {
    if (this.#stopped) return;
    this.#o.raft.step(unreachableMessage(id));
    this.wake();
  }

  /** Runs once at the end of this turn: everything the turn brought is handled together. */
  wake(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#o.schedule(() => {
      this.#scheduled = false;
      if (this.#stopped) return;
      try {
        this.#run();
      } catch (error) {
        this.#fatal(error);
      }
    });
  }

  /** Writes a log record beside Raft's own, in order with them. Durable when it resolves. */
  async persist(item: Persist): Promise<void> {
    this.#writer.push(item);
    await this.#writer.drain();
  }

  /** Most ticks of an idle node bring nothing: they need no run. */
  get #hasWork(): boolean {
    const { raft, proposals } = this.#o;
    return (
      raft.hasReady() ||
      proposals.hasOutbox ||
      this.reads.wantsRound ||
      !this.#queue.empty ||
      this.#leadershipChanged
    );
  }

  get #leadershipChanged(): boolean {
    const { leader, role, term } = this.#o.raft;
    return leader !== this.#leader || role !== this.#role || term !== this.#term;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTick();
    this.#o.proposals.failAll('Stopped');
    this.reads.failAll('Stopped');
    await this.#writer.drain();
  }

  #run(): void {
    const { raft } = this.#o;
    this.#propose();
    this.reads.startRound(this.#o.clock.nowMs());
    // Also during the installation of a snapshot: heartbeats must be answered meanwhile.
    while (raft.hasReady()) this.#take(raft.ready());
    // Before the log and the state: the others work meanwhile.
    this.#sendOutgoing();
    this.#writer.kick();
    if (!this.#installing) this.#apply();
    this.#noticeLeadership();
    // More to do, but only after I/O had its turn.
    if (!this.#queue.empty && !this.#throttled) this.wake();
  }

  #propose(): void {
    const { proposals, raft } = this.#o;
    if (!proposals.hasOutbox || raft.leader === 0n) return;
    const data = proposals.takeOutbox(raft.isLeader ? raft.term : undefined);
    if (data.length === 0) return;
    const result = raft.propose(data);
    // Refused for now (no leader, a transfer, too much in flight): they wait for the next turn or their time-out.
    if (result !== 'ok' && result !== 'forwarded') proposals.putBack(data);
  }

  #take(ready: Ready): void {
    this.#send(ready.messages);
    this.#pushToLog(ready);
    if (ready.snapshot !== undefined) this.#install(ready.snapshot);
    if (ready.committed.length > 0) this.#queue.push(ready.committed);
    for (const { context, index } of ready.readStates) {
      this.reads.confirmed(context, index, this.#o.state.appliedIndex);
    }
  }

  #pushToLog(ready: Ready): void {
    const { hardState, entries, messagesAfterPersist, mustSync } = ready;
    // A commit index alone is worth no sync: it is learned anew after a crash, so it rides along with the next write.
    this.#hardState = hardState ?? this.#hardState;
    if (!mustSync) {
      if (messagesAfterPersist.length === 0) return;
      if (this.#writer.idle) {
        this.#send(messagesAfterPersist);
        return;
      }
    }
    this.#writer.push({
      batch: { group: this.#o.group, hardState: this.#hardState, entries },
      messages: messagesAfterPersist,
    });
    this.#hardState = undefined;
  }

  #durable(done: Persist[]): void {
    if (this.#stopped) return;
    try {
      for (const { batch, messages } of done) {
        const last = batch.entries?.at(-1);
        if (last !== undefined) this.#o.raft.persisted(last.index, last.term);
        this.#send(messages);
      }
      // Not deferred to the next turn: the commit of a lone put waits for nothing else.
      this.#run();
    } catch (error) {
      this.#fatal(error);
    }
  }

  /** Goes at the end of the run. */
  #send(messages: Message[]): void {
    if (this.#outgoing.length === 0) this.#outgoing = messages;
    else this.#outgoing = this.#outgoing.concat(messages);
  }

  #sendOutgoing(): void {
    if (this.#outgoing.length === 0) return;
    const { snapshots, others } = splitSnapshots(this.#outgoing);
    this.#outgoing = [];
    this.#o.send(others);
    for (const message of snapshots) this.#o.sendSnapshot(message);
  }

  #apply(): void {
    if (this.#queue.empty || this.#throttled) return;
    const { state, raft, store } = this.#o;
    if (store.pressure !== undefined) {
      this.#waitForStore(store.pressure);
      return;
    }
    // One row of metadata and one batch boundary for all of them. Answers go out in later turns, after endBatch.
    state.beginBatch();
    for (const entry of this.#queue.take()) this.#applyEntry(entry);
    state.endBatch();
    raft.applied(state.appliedIndex);
    this.reads.applied(state.appliedIndex);
    this.#o.onApplied(state.appliedIndex);
    if (raft.hasReady()) this.wake();
  }

  /** The disk is slower than the log: entries wait here until the state in memory has shrunk. */
  #waitForStore(pressure: Promise<void>): void {
    this.#throttled = true;
    pressure.then(
      () => {
        this.#throttled = false;
        this.wake();
      },
      (error: unknown) => this.#fatal(error),
    );
  }

  #applyEntry(entry: Entry): void {
    const { state, proposals } = this.#o;
    // A snapshot may have overtaken entries that were handed out before it.
    if (entry.index <= state.appliedIndex) return;
    assert(
      entry.index === state.appliedIndex + 1,
      `applying ${entry.index} after ${state.appliedIndex}`,
    );
    if (entry.type === EntryType.CONF_CHANGE) {
      this.#applyConfChange(entry);
    } else if (entry.data.length === 0) {
      state.applyEmpty(entry.index, entry.term);
    } else {
      const request = decodeEntry(entry.data);
      proposals.settle(request.id, state.apply(entry.index, entry.term, request));
    }
  }

  #applyConfChange({ index, term, data }: Entry): void {
    const { state, raft, proposals } = this.#o;
    const change = ConfChange.decode(data);
    // Leaving a joint configuration carries nothing.
    const wanted = change.context.length > 0 ? MembershipChange.decode(change.context) : undefined;
    const kind = change.changes[0]?.type;
    const code =
      wanted !== undefined && kind !== undefined
        ? state.checkMembershipChange(wanted, kind)
        : undefined;
    if (code !== undefined) {
      state.applyEmpty(index, term);
      proposals.settle(wanted?.id ?? 0n, { ok: false, code, revision: state.revision });
      return;
    }
    // What is known of a member that is promoted may be newer than what the proposer knew.
    const member = wanted?.promote === true ? undefined : wanted?.member;
    state.applyConfChange(index, term, raft.applyConfChange(change), member);
    proposals.settle(wanted?.id ?? 0n, { ok: true, response: {}, revision: state.revision });
  }

  #install(meta: SnapshotMeta): void {
    this.#installing = true;
    this.#queue.clear();
    void this.#installNow(meta).catch((error: unknown) => this.#fatal(error));
  }

  async #installNow(meta: SnapshotMeta): Promise<void> {
    const { raft, state, logger, group } = this.#o;
    await this.#writer.drain();
    await this.#o.installSnapshot(meta, () => state.reload());
    assert(state.appliedIndex === meta.index, `snapshot ${meta.index} holds ${state.appliedIndex}`);
    const { index, term, confState } = meta;
    assert(confState !== undefined, 'a snapshot names its configuration');
    const batch = { group, hardState: this.#hardState, snapshot: { index, term, confState } };
    this.#hardState = undefined;
    await this.persist({ batch, messages: [] });
    raft.snapshotInstalled(meta);
    this.#installing = false;
    this.reads.applied(index);
    this.#o.onApplied(index);
    this.#o.onInstalled(meta);
    logger.info('snapshot installed', { index, term });
    this.wake();
  }

  #noticeLeadership(): void {
    if (!this.#leadershipChanged) return;
    const { leader, term, role } = this.#o.raft;
    this.#leader = leader;
    this.#role = role;
    this.#term = term;
    this.#o.onLeadership(leader, role, term);
  }

  #fatal(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancelTick();
    this.#o.proposals.failAll('Stopped');
    this.reads.failAll('Stopped');
    this.#o.onFatal(error);
  }
}

function unreachableMessage(from: bigint): Message {
  return Message.fromPartial({ type: MessageType.UNREACHABLE, from });
}

function splitSnapshots(messages: Message[]): { snapshots: Message[]; others: Message[] } {
  if (!messages.some((message) => message.snapshot !== undefined)) {
    return { snapshots: [], others: messages };
  }
  return {
    snapshots: messages.filter((message) => message.snapshot !== undefined),
    others: messages.filter((message) => message.snapshot === undefined),
  };
}
