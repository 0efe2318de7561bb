import type { Logger } from '../../base/logger.ts';
import { type Message, MessageType, type SnapshotHeader } from '../../proto/raftdeck/raft.ts';
import type { Caller } from '../api/backend.ts';
import type { BatchingStateMachine } from '../apply/state-machine.ts';
import type { InternalRequestBody } from '../apply/types.ts';
import type { NodeConfig } from '../config.ts';
import { RaftNode } from '../raft/index.ts';
import type { Role } from '../raft/types.ts';
import { GROUP, type Opened } from './bootstrap.ts';
import { RaftDriver } from './driver.ts';
import { HistoryCompactor } from './history-compactor.ts';
import type { Inspector } from './inspector.ts';
import type { NodeIo } from './io.ts';
import { LogCompactor } from './log-compactor.ts';
import { type Applied, nodeError, Proposals } from './proposals.ts';
import { Snapshots } from './snapshots.ts';
import { raftTiming } from './timing.ts';

const MAX_BYTES_PER_APPEND = 1024 * 1024;
const MAX_INFLIGHT_APPENDS = 256;
const MAX_UNCOMMITTED_BYTES = 256 * 1024 * 1024;

export interface RaftGroupDeps extends Omit<NodeIo, 'network'> {
  config: NodeConfig;
  opened: Opened;
  logger: Logger;
  inspector: Inspector;
  send(messages: Message[]): void;
  sendSnapshot(to: bigint, header: SnapshotHeader, chunks: AsyncIterable<Buffer>): Promise<void>;
  onLeadership(leader: bigint, role: Role, term: number): void;
  onApplied(): void;
  onFatal(error: unknown): void;
}

/** One Raft group of this node: its log and state, the loop that drives them, and what keeps both small. */
export class RaftGroup {
  readonly state: BatchingStateMachine;
  readonly raft: RaftNode;
  readonly proposals: Proposals;
  readonly driver: RaftDriver;
  readonly snapshots: Snapshots;
  readonly history: HistoryCompactor;
  /** etcd's ReqTimeout: 5 s for disk and queues, and two elections. */
  readonly requestTimeoutMs: number;
  readonly #deps: RaftGroupDeps;
  readonly #logCompactor: LogCompactor;
  #stopping = false;

  constructor(deps: RaftGroupDeps) {
    const { config, opened, logger } = deps;
    const { store, state, identity } = opened;
    this.#deps = deps;
    this.state = state;
    this.requestTimeoutMs = 5_000 + 2 * config.electionTimeoutMs;
    const { tickMs, electionTicks, heartbeatTicks } = raftTiming(
      config.heartbeatIntervalMs,
      config.electionTimeoutMs,
    );
    this.raft = new RaftNode(
      {
        id: identity.memberId,
        electionTicks,
        heartbeatTicks,
        preVote: config.preVote,
        checkQuorum: true,
        maxBytesPerAppend: MAX_BYTES_PER_APPEND,
        maxInflightAppends: MAX_INFLIGHT_APPENDS,
        maxUncommittedBytes: MAX_UNCOMMITTED_BYTES,
        random: deps.random,
      },
      opened.restore,
    );
    // Folders of before the first configuration counted as an entry: nobody may get the log from its beginning.
    if (this.raft.status().firstIndex === 1 && state.appliedIndex > 0) this.raft.compact(1);
    this.proposals = new Proposals(identity.memberId, deps.startMs);
    this.snapshots = new Snapshots({
      dir: `${config.dataDir}/member`,
      store,
      state,
      raft: this.raft,
      disk: deps.disk,
      clock: deps.clock,
      step: (messages) => this.driver.step(messages),
      logger,
      events: deps.inspector.events,
    });
    this.driver = this.#makeDriver(tickMs);
    this.history = new HistoryCompactor(
      state,
      () => this.driver.isInstalling,
      deps.onFatal,
      { sliceRows: config.compactionBatchLimit, restMs: config.compactionSleepMs },
      deps.clock,
      deps.schedule,
    );
    this.#logCompactor = new LogCompactor(
      {
        store,
        state,
        raft: this.raft,
        wal: opened.wal,
        persist: (item) => this.driver.persist(item),
        snapshotCount: config.snapshotCount,
        logger,
      },
      opened.restore.snapshot.index,
    );
  }

  start(): void {
    this.driver.start();
    // Nobody else could lead, so there is nobody to wait for.
    if (this.state.members().length === 1) this.raft.campaign();
    this.driver.wake();
    this.history.kick();
  }

  /**
   * Resolves once the entry is applied here. Throws NodeError. `onlyInTerm`: it may be proposed by this member alone,
   * while it leads in that term; else NotLeader.
   */
  propose(body: InternalRequestBody, caller?: Caller, onlyInTerm?: number): Promise<Applied> {
    if (this.#stopping) return Promise.reject(nodeError('Stopped'));
    const { leader } = this.raft;
    const applied = this.proposals.add(body, this.#deadlineMs(), leader, caller, onlyInTerm);
    this.driver.wake();
    if (body.$case !== 'compaction') return applied;
    return applied.then((result) => {
      this.history.kick();
      return result;
    });
  }

  linearizableRead(): Promise<void> {
    if (this.#stopping) return Promise.reject(nodeError('Stopped'));
    const done = this.driver.reads.request(this.#deadlineMs());
    this.driver.wake();
    return done;
  }

  /** Messages of other members. Reports about a peer are the driver's own: nobody else may make them. */
  receive(messages: Message[]): void {
    this.driver.step(messages.filter(({ type }) => !LOCAL_TYPES.has(type)));
  }

  /** Nothing new is taken from now on; what waits may still be answered. */
  close(): void {
    this.#stopping = true;
    this.history.stop();
  }

  async stop(): Promise<void> {
    this.close();
    await this.driver.stop();
  }

  #makeDriver(tickMs: number): RaftDriver {
    const { clock, schedule, logger, config, opened, send, sendSnapshot, onFatal } = this.#deps;
    return new RaftDriver({
      group: GROUP,
      raft: this.raft,
      wal: opened.wal,
      store: opened.store,
      state: this.state,
      proposals: this.proposals,
      clock,
      schedule,
      logger,
      tickMs,
      electionTimeoutMs: config.electionTimeoutMs,
      send,
      sendSnapshot: (message) => this.snapshots.send(message, sendSnapshot),
      installSnapshot: (meta, replaced) => this.snapshots.install(meta, replaced),
      onInstalled: ({ index, term }) => this.#deps.inspector.snapshotInstalled(index, term),
      onLeadership: (leader, role, term) => this.#deps.onLeadership(leader, role, term),
      onApplied: (index) => this.#afterApply(index),
      onFatal,
    });
  }

  #afterApply(index: number): void {
    this.#deps.onApplied();
    this.#logCompactor.applied(index).catch((error: unknown) => this.#deps.onFatal(error));
    this.history.kick();
  }

  #deadlineMs(): number {
    return this.#deps.clock.nowMs() + this.requestTimeoutMs;
  }
}

const LOCAL_TYPES: ReadonlySet<MessageType> = new Set([
  MessageType.SNAPSHOT_STATUS,
  MessageType.UNREACHABLE,
  MessageType.TRANSFER_LEADER,
]);
