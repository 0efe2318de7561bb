import { type Random, seededRandom } from '../../../base/prng.ts';
import { ConfChange, EntryType, type Message, MessageType } from '../../../proto/raftdeck/raft.ts';
import { RaftNode } from '../node.ts';
import type { ConfState, Entry, RaftConfig, RaftId, Ready } from '../types.ts';
import {
  type AppState,
  applyOp,
  imageLast,
  imageTerm,
  type LogImage,
  opOf,
  tornOp,
  type WriteOp,
} from './disk.ts';
import type { Observed, Oracle } from './oracle.ts';

/** A message as the simulated network has it: a snapshot's data comes along. */
export interface Packet {
  message: Message;
  state: AppState | undefined;
}

export type SimConfig = Omit<RaftConfig, 'id' | 'random'>;

export const SIM_CONFIG: SimConfig = {
  electionTicks: 10,
  heartbeatTicks: 2,
  preVote: true,
  checkQuorum: true,
  maxBytesPerAppend: 256,
  maxInflightAppends: 4,
  maxUncommittedBytes: 4096,
};

export interface SimNodeOptions {
  id: RaftId;
  seed: number;
  config: SimConfig;
  confState: ConfState;
  /**
   * Where the log starts: 1 for first members of a cluster that others join, 0 for those. The first
   * configuration is in no entry, so whoever joins must begin with a snapshot, and with a log that
   * starts after 1 it has to.
   */
  base: 0 | 1;
  /** Terms of the entries that are in its log from the start. */
  log: readonly number[];
  /** It has seen at least this term. */
  term: number;
  oracle: Oracle;
  /** All nodes, for checks across them. */
  nodes(): readonly Observed[];
  send(packet: Packet): void;
}

/**
 * One member with its disk and its state machine, driven as the product's driver does it, but step
 * by step.
 */
export class SimNode implements Observed {
  readonly id: RaftId;
  readonly #o: SimNodeOptions;
  /** Undefined while it is down. */
  raft: RaftNode | undefined;
  /** How often it was started. */
  lives = 0;
  readonly durable: LogImage;
  mirror: LogImage;
  app: AppState;
  durableApp: AppState;
  writes: WriteOp[] = [];
  toApply: Entry[] = [];
  /** Read contexts and the index that each must at least get. */
  readonly reads = new Map<number, number>();
  readonly confirmedReads: { context: number; index: number }[] = [];
  refusedReads = 0;
  /** Snapshots installed in all lives. */
  installs = 0;
  #lastContext = 0;
  #seenCommit = 0;
  /** Data of snapshots that were received, by index. */
  #received = new Map<number, AppState>();

  constructor(options: SimNodeOptions) {
    this.id = options.id;
    this.#o = options;
    const { base, confState, log, term } = options;
    this.app = { applied: base, confState, digest: 0 };
    this.durableApp = this.app;
    const hardState = { term: Math.max(base, term, ...log), vote: 0n, commit: base };
    const entries = log.map((t, i): Entry => {
      return { term: t, index: base + 1 + i, type: EntryType.NORMAL, data: Buffer.from([t]) };
    });
    this.durable = { hardState, base: { index: base, term: base }, entries };
    this.mirror = this.durable;
    this.start();
  }

  get up(): RaftNode {
    if (this.raft === undefined) throw new Error(`node ${this.id} is down`);
    return this.raft;
  }

  start(): void {
    this.lives++;
    const { base, entries, hardState } = this.durable;
    this.mirror = { hardState, base, entries: entries.slice() };
    this.app = this.durableApp;
    const random = seededRandom(this.#o.seed * 1009 + Number(this.id) * 31 + this.lives * 7919);
    this.raft = new RaftNode(
      { ...this.#o.config, id: this.id, random },
      {
        hardState: { ...hardState, commit: Math.min(hardState.commit, imageLast(this.durable)) },
        confState: this.app.confState,
        snapshot: base,
        entries,
        applied: this.app.applied,
      },
    );
    this.#seenCommit = this.raft.commit;
    this.drain();
  }

  /**
   * Loses what was not durable, but of the writes under way any number, and a part of one, may have
   * made it.
   */
  crash(random: Random): void {
    const survive = random.below(this.writes.length + 1);
    for (const op of this.writes.slice(0, survive)) this.#makeDurable(op);
    const torn = this.writes[survive];
    if (torn !== undefined && torn.install === undefined && random.below(2) === 0) {
      this.#write(tornOp(torn, random.below(torn.entries.length + 1)));
    }
    this.raft = undefined;
    this.writes = [];
    this.toApply = [];
    this.reads.clear();
    this.#received.clear();
  }

  receive({ message, state }: Packet): void {
    if (this.raft === undefined) return;
    if (state !== undefined && message.snapshot !== undefined) {
      this.#received.set(message.snapshot.index, state);
    }
    this.raft.step(message);
    this.drain();
  }

  /** Any call on the node, and what follows from it. */
  act<T>(call: (raft: RaftNode) => T): T {
    const result = call(this.up);
    this.drain();
    return result;
  }

  read(): boolean {
    const context = ++this.#lastContext;
    this.reads.set(context, this.#o.oracle.maxCommit);
    const accepted = this.up.readIndex(context);
    if (!accepted) this.reads.delete(context);
    this.drain();
    return accepted;
  }

  drain(): void {
    const raft = this.up;
    while (raft.hasReady()) this.#take(raft.ready());
    this.#observe();
  }

  #take(ready: Ready): void {
    const oracle = this.#o.oracle;
    applyOp(this.mirror, { hardState: undefined, entries: ready.entries, mark: undefined });
    for (const message of ready.messages) this.#send(message);
    oracle.handedOut(this, ready.committed);
    this.toApply.push(...ready.committed);
    const { snapshot } = ready;
    let install: WriteOp['install'];
    if (snapshot !== undefined) {
      const state = this.#received.get(snapshot.index);
      if (state === undefined) throw new Error(`no data for snapshot ${snapshot.index}`);
      install = { meta: snapshot, state };
    }
    this.writes.push(opOf(ready, install));
    this.#release();
    for (const state of ready.readStates) this.#readAnswered(state.context, state.index);
  }

  #readAnswered(context: number, index: number): void {
    const atLeast = this.reads.get(context);
    if (atLeast === undefined) throw new Error(`answer to a read nobody asked: ${context}`);
    this.reads.delete(context);
    if (index === -1) {
      this.refusedReads++;
      return;
    }
    if (index < atLeast)
      throw new Error(`read at ${this.id} got ${index}, committed was ${atLeast}`);
    this.confirmedReads.push({ context, index });
  }

  #send(message: Message): void {
    this.#o.oracle.sent(this, message);
    if (message.type !== MessageType.SNAPSHOT) {
      this.#o.send({ message, state: undefined });
      return;
    }
    // As the product does it: what is streamed is the state of now, and the message names that.
    const snapshot = this.up.snapshotMeta(this.app.applied);
    this.#o.send({ message: { ...message, snapshot }, state: this.app });
  }

  /** Sends what waits for nothing but earlier writes. */
  #release(): void {
    for (const op of this.writes) {
      if (op.mustSync) return;
      this.#sendAfter(op);
    }
  }

  #sendAfter(op: WriteOp): void {
    if (op.afterSent) return;
    op.afterSent = true;
    for (const message of op.after) this.#send(message);
  }

  #makeDurable(op: WriteOp): void {
    this.#write(op);
    if (op.install !== undefined) this.durableApp = op.install.state;
  }

  #write(op: Pick<WriteOp, 'hardState' | 'entries' | 'mark'>): void {
    const first = op.entries[0];
    if (first !== undefined) {
      const prevTerm = imageTerm(this.durable, first.index - 1);
      if (prevTerm === undefined) throw new Error(`no entry before ${first.index} at ${this.id}`);
      this.#o.oracle.entries(this.id, prevTerm, op.entries);
    }
    applyOp(this.durable, op);
  }

  /** The oldest writes reach the disk. */
  sync(count = this.writes.length): void {
    const raft = this.up;
    const done = this.writes.splice(0, count);
    for (const op of done) this.#makeDurable(op);
    for (const op of done) {
      const last = op.entries.at(-1);
      if (last !== undefined) raft.persisted(last.index, last.term);
      this.#sendAfter(op);
      if (op.install !== undefined) this.#installed(raft, op.install);
    }
    this.#release();
    this.drain();
  }

  #installed(raft: RaftNode, install: NonNullable<WriteOp['install']>): void {
    if (install.meta.index <= this.app.applied) throw new Error('a snapshot replaced newer state');
    this.installs++;
    this.app = install.state;
    this.toApply = [];
    const { index, term } = install.meta;
    applyOp(this.mirror, { hardState: undefined, entries: [], mark: { index, term } });
    raft.snapshotInstalled(install.meta);
  }

  apply(count = this.toApply.length): void {
    const raft = this.up;
    for (const entry of this.toApply.splice(0, count)) {
      if (entry.index !== this.app.applied + 1) throw new Error(`gap before ${entry.index}`);
      let { confState, digest } = this.app;
      if (entry.type === EntryType.CONF_CHANGE) {
        confState = raft.applyConfChange(ConfChange.decode(entry.data));
      }
      digest = (Math.imul(digest, 31) + entry.term * 7 + entry.index) | 0;
      for (const byte of entry.data) digest = (Math.imul(digest, 31) + byte) | 0;
      this.app = { applied: entry.index, confState, digest };
      this.#o.oracle.applied(this.id, entry.index, digest, confState);
    }
    raft.applied(this.app.applied);
    this.drain();
  }

  flushApp(): void {
    this.durableApp = this.app;
  }

  /** Cuts the log as the product does: only what the durable state holds. */
  compact(index: number): void {
    const raft = this.up;
    if (index > this.durableApp.applied || index <= this.mirror.base.index) return;
    const { term } = raft.snapshotMeta(index);
    const mark = { index, term };
    applyOp(this.mirror, { hardState: undefined, entries: [], mark });
    this.writes.push({
      hardState: undefined,
      entries: [],
      mark,
      mustSync: false,
      after: [],
      afterSent: true,
      install: undefined,
    });
    raft.compact(index);
    this.drain();
  }

  /** Terms of all entries in the log, from its base on. */
  get terms(): number[] {
    return this.mirror.entries.map((entry) => entry.term);
  }

  get idle(): boolean {
    return this.writes.length === 0 && this.toApply.length === 0;
  }

  #observe(): void {
    const raft = this.up;
    const { oracle } = this.#o;
    if (raft.isLeader) oracle.leader(this, raft.term);
    const { commit } = raft;
    if (commit === this.#seenCommit) return;
    const newest = commit > oracle.maxCommit;
    const { confState, term } = raft;
    oracle.committed(
      { id: this.id, durable: this.durable, mirror: this.mirror, confState, term },
      this.#seenCommit,
      commit,
    );
    this.#seenCommit = commit;
    if (newest && raft.isLeader) {
      oracle.durableAtQuorum(this.#o.nodes(), confState, commit, term);
    }
  }
}
