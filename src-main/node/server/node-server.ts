import { idToHex } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { CodedError, errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/prng.ts';
import type { Member, ResponseHeader } from '../../proto/etcd/rpc.ts';
import { AlarmRequest_AlarmAction, AlarmType } from '../../proto/etcd/rpc.ts';
import { type Message, MessageType } from '../../proto/raftdeck/raft.ts';
import { effectiveQuotaBytes, quotaExceeded } from '../alarm/quota.ts';
import type { Backend, NodeLimits, NodeStatus } from '../api/backend.ts';
import { ETCD_API_VERSION } from '../api/version.ts';
import type { BatchingStateMachine } from '../apply/state-machine.ts';
import type { ApplyResponses, InternalRequestBody, RequestKind } from '../apply/types.ts';
import type { NodeConfig } from '../config.ts';
import { parseUrl } from '../config.ts';
import { PeerTransport } from '../peer/transport.ts';
import type { PeerAddress, PeerHandler } from '../peer/types.ts';
import { RaftNode } from '../raft/index.ts';
import type { Role } from '../raft/types.ts';
import type { StateStore, StoreSize } from '../storage/types.ts';
import { NODE_VERSION } from '../version.ts';
import type { WriteAheadLog } from '../wal/types.ts';
import { AutoCompactor } from './auto-compaction.ts';
import { GROUP, type Opened } from './bootstrap.ts';
import { RaftDriver } from './driver.ts';
import { growthBytes } from './growth.ts';
import { HistoryCompactor } from './history-compactor.ts';
import { LeaseDesk } from './lease-desk.ts';
import { LogCompactor } from './log-compactor.ts';
import { PeerCalls } from './peer-calls.ts';
import { nodeError, Proposals } from './proposals.ts';
import { Snapshots } from './snapshots.ts';
import { raftTiming } from './timing.ts';

export interface NodeServerDeps {
  config: NodeConfig;
  opened: Opened;
  clock: Clock;
  random: Random;
  /** Unix milliseconds: where ids that must not repeat start from. */
  startMs: number;
  logger: Logger;
  onFatal(error: unknown): void;
}

/** Between tries to make this member's name and client URLs known. */
const PUBLISH_RETRY_MS = 200;
const TRANSFER_TIMEOUT_MS = 1_000;

/** One running member: its Raft group, what the leader has to do, and the face that the API sees. */
export class NodeServer implements Backend {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly state: BatchingStateMachine;
  readonly limits: NodeLimits;
  readonly #deps: NodeServerDeps;
  readonly #store: StateStore;
  readonly #wal: WriteAheadLog;
  readonly #raft: RaftNode;
  readonly #driver: RaftDriver;
  readonly #proposals: Proposals;
  readonly #transport: PeerTransport;
  readonly #snapshots: Snapshots;
  readonly #compactor: LogCompactor;
  readonly #calls: PeerCalls;
  readonly #leases: LeaseDesk;
  readonly #history: HistoryCompactor;
  readonly #autoCompactor: AutoCompactor;
  readonly #requestTimeoutMs: number;
  readonly #quotaBytes: number;
  #leader = 0n;
  #leaderChanges = 0;
  #stopping = false;
  #membersSeen = '';

  constructor(deps: NodeServerDeps) {
    const { config, opened, clock, logger } = deps;
    this.#deps = deps;
    this.clusterId = opened.identity.clusterId;
    this.memberId = opened.identity.memberId;
    this.state = opened.state;
    this.limits = { maxTxnOps: config.maxTxnOps, maxRequestBytes: config.maxRequestBytes };
    this.#store = opened.store;
    this.#wal = opened.wal;
    this.#quotaBytes = effectiveQuotaBytes(config.quotaBackendBytes);
    // etcd's ReqTimeout: 5 s for disk and queues, and two elections.
    this.#requestTimeoutMs = 5_000 + 2 * config.electionTimeoutMs;
    const timing = raftTiming(config.heartbeatIntervalMs, config.electionTimeoutMs);
    this.#raft = new RaftNode(
      {
        id: this.memberId,
        electionTicks: timing.electionTicks,
        heartbeatTicks: timing.heartbeatTicks,
        preVote: true,
        checkQuorum: true,
        maxBytesPerAppend: 1024 * 1024,
        maxInflightAppends: 256,
        maxUncommittedBytes: 256 * 1024 * 1024,
        random: deps.random,
      },
      opened.restore,
    );
    this.#proposals = new Proposals(this.memberId, deps.startMs);
    this.#history = new HistoryCompactor(this.state, () => this.#driver.isInstalling, deps.onFatal);
    this.#transport = new PeerTransport(
      {
        self: { clusterId: this.clusterId, memberId: this.memberId, version: NODE_VERSION },
        listen: config.listenPeerUrls.map(parseUrl),
        maxRequestBytes: config.maxRequestBytes,
        logger,
      },
      this.#peerHandler(),
    );
    const step = (messages: Message[]) => this.#driver.step(messages);
    this.#snapshots = new Snapshots({
      dir: `${config.dataDir}/member`,
      store: this.#store,
      state: this.state,
      raft: this.#raft,
      step,
      logger,
    });
    this.#driver = this.#makeDriver(timing.tickMs);
    this.#compactor = new LogCompactor(
      {
        store: this.#store,
        state: this.state,
        raft: this.#raft,
        wal: this.#wal,
        persist: (item) => this.#driver.persist(item),
        snapshotCount: config.snapshotCount,
        logger,
      },
      opened.restore.snapshot.index,
    );
    this.#calls = new PeerCalls(clock, (to, call) => this.#transport.call(to, call));
    this.#leases = new LeaseDesk({
      memberId: this.memberId,
      state: this.state,
      clock,
      startMs: deps.startMs,
      electionTimeoutMs: config.electionTimeoutMs,
      requestTimeoutMs: this.#requestTimeoutMs,
      logger,
      leader: () => this.#raft.leader,
      calls: this.#calls,
      confirmLeadership: () => this.linearizableRead(),
      propose: (request) => this.#propose(request),
    });
    this.#autoCompactor = new AutoCompactor(
      config.autoCompaction,
      clock,
      () => this.state.revision,
      (revision) => this.#compactAutomatically(revision),
    );
  }

  /** Listens for peers and starts Raft. Rejects with PortInUse. */
  async start(): Promise<void> {
    await this.#transport.start();
    this.#refreshPeers();
    this.#driver.start();
    if (this.state.members().length === 1) this.#raft.campaign();
    this.#driver.wake();
    void this.#publish();
    this.#history.kick();
  }

  get leaderChanges(): number {
    return this.#leaderChanges;
  }

  get quotaBytes(): number {
    return this.#quotaBytes;
  }

  header(revision = this.state.revision): ResponseHeader {
    return {
      clusterId: this.clusterId,
      memberId: this.memberId,
      revision,
      raftTerm: this.#raft.term,
    };
  }

  async propose<K extends RequestKind>(
    request: Extract<InternalRequestBody, { $case: K }>,
    signal?: AbortSignal,
  ): Promise<{ response: ApplyResponses[K]; revision: number }> {
    const body = request as InternalRequestBody;
    await this.#checkQuota(body);
    const { response, revision } = await this.#propose(this.#leases.withMinimumTtl(body), signal);
    if (request.$case === 'compaction') this.#history.kick();
    return { response: response as ApplyResponses[K], revision };
  }

  linearizableRead(): Promise<void> {
    if (this.#stopping) return Promise.reject(nodeError('Stopped'));
    const done = this.#driver.reads.request(this.#deadline());
    this.#driver.wake();
    return done;
  }

  leaseRenew(id: bigint, signal?: AbortSignal): Promise<number> {
    return this.#leases.renew(id, signal);
  }

  leaseTimeToLive(
    id: bigint,
    signal?: AbortSignal,
  ): Promise<{ ttl: number; grantedTtl: number } | undefined> {
    return this.#leases.timeToLive(id, signal);
  }

  nextLeaseId(): bigint {
    return this.#leases.nextId();
  }

  members(): Member[] {
    return this.state.members();
  }

  status(): NodeStatus {
    const { leader, term, commit, confState } = this.#raft.status();
    const errors = leader === 0n ? ['etcdserver: no leader'] : [];
    for (const { memberID, alarm } of this.state.alarms()) {
      const type = alarm === AlarmType.NOSPACE ? 'NOSPACE' : 'CORRUPT';
      errors.push(`memberID:${memberID} alarm:${type} `);
    }
    return {
      leader,
      raftTerm: term,
      commitIndex: commit,
      appliedIndex: this.state.appliedIndex,
      isLearner: confState.learners.includes(this.memberId),
      errors,
    };
  }

  size(): StoreSize {
    return this.#store.size();
  }

  async defragment(): Promise<void> {
    await this.#store.defragment();
  }

  async moveLeader(target: bigint, signal?: AbortSignal): Promise<void> {
    if (!this.#raft.isLeader) throw nodeError('NotLeader');
    if (!this.#raft.status().confState.voters.includes(target)) throw nodeError('MemberNotFound');
    this.#raft.transferLeader(target);
    this.#driver.wake();
    await this.#until(() => this.#raft.leader === target, this.#requestTimeoutMs, signal);
  }

  /** Hands leadership on if it can, answers what waits with "stopped", and leaves everything on disk. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    await this.#giveUpLeadership();
    this.#stopping = true;
    this.#leases.stop();
    this.#calls.stop();
    this.#history.stop();
    this.#autoCompactor.stop();
    await this.#driver.stop();
    await this.#transport.stop();
    await this.#store.close();
    await this.#wal.close();
  }

  async #giveUpLeadership(): Promise<void> {
    if (!this.#raft.isLeader) return;
    const best = this.#raft
      .status()
      .progress.filter((p) => p.id !== this.memberId && !p.learner && p.recentActive)
      .sort((a, b) => b.match - a.match)[0];
    if (best === undefined || !this.#transport.isConnected(best.id)) return;
    this.#raft.transferLeader(best.id);
    this.#driver.wake();
    await this.#until(() => !this.#raft.isLeader, TRANSFER_TIMEOUT_MS).catch(() => {});
  }

  #makeDriver(tickMs: number): RaftDriver {
    const { clock, logger, config } = this.#deps;
    return new RaftDriver({
      group: GROUP,
      raft: this.#raft,
      wal: this.#wal,
      store: this.#store,
      state: this.state,
      proposals: this.#proposals,
      clock,
      logger,
      tickMs,
      electionTimeoutMs: config.electionTimeoutMs,
      send: (messages) => this.#transport.send(GROUP, messages),
      sendSnapshot: (message) => this.#snapshots.send(this.#transport, message),
      installSnapshot: (meta) => this.#snapshots.install(meta),
      onLeadership: (leader, role, term) => this.#leadershipChanged(leader, role, term),
      onApplied: (index) => this.#afterApply(index),
      onFatal: (error) => this.#deps.onFatal(error),
    });
  }

  #peerHandler(): PeerHandler {
    return {
      isMember: (id) => this.state.members().some((member) => member.ID === id),
      messages: (group, _from, messages) => {
        if (group === GROUP) this.#driver.step(messages.filter(mayTravel));
      },
      calls: (from, calls) => {
        for (const call of calls) this.#transport.reply(from, this.#leases.answer(call));
      },
      replies: (_from, replies) => this.#calls.replies(replies),
      unreachable: (id) => this.#driver.unreachable(id),
      snapshot: (from, header, chunks) => this.#snapshots.receive(from, header, chunks),
    };
  }

  #leadershipChanged(leader: bigint, role: Role, term: number): void {
    const { logger } = this.#deps;
    if (leader !== this.#leader) {
      if (leader !== 0n) this.#leaderChanges++;
      this.#leader = leader;
    }
    logger.info('raft state', { role, term, leader: leader === 0n ? null : idToHex(leader) });
    if (role === 'leader') {
      this.#leases.promote();
      this.#autoCompactor.start();
      this.#setClusterVersion();
    } else {
      this.#leases.demote();
      this.#autoCompactor.stop();
    }
    // What waited for a leader goes out now.
    this.#driver.wake();
  }

  #afterApply(index: number): void {
    this.#refreshPeers();
    this.#compactor.applied(index).catch((error: unknown) => this.#deps.onFatal(error));
    this.#history.kick();
  }

  /** Keeps the connections equal to the membership. */
  #refreshPeers(): void {
    const members = this.state.members();
    const seen = members.map((member) => `${member.ID}=${member.peerURLs[0]}`).join();
    if (seen === this.#membersSeen) return;
    this.#membersSeen = seen;
    const peers: PeerAddress[] = members
      .filter((member) => member.ID !== this.memberId && member.peerURLs.length > 0)
      .map((member) => ({ id: member.ID, ...parseUrl(member.peerURLs[0] as string) }));
    this.#transport.setPeers(peers);
  }

  async #propose(body: InternalRequestBody, signal?: AbortSignal) {
    if (this.#stopping) throw nodeError('Stopped');
    const applied = this.#proposals.add(body, this.#deadline(), this.#raft.leader, signal);
    this.#driver.wake();
    return applied;
  }

  /** etcd's quotaKVServer: what would not fit is refused, and from then on the alarm refuses on every member. */
  async #checkQuota(body: InternalRequestBody): Promise<void> {
    const bytes = growthBytes(body);
    if (bytes === 0) return;
    if (!quotaExceeded(this.#store, { quotaBytes: this.#deps.config.quotaBackendBytes }, bytes))
      return;
    const active = this.state
      .alarms()
      .some((alarm) => alarm.memberID === this.memberId && alarm.alarm === AlarmType.NOSPACE);
    if (!active) {
      this.#deps.logger.warn('quota exceeded', { quotaBytes: this.#quotaBytes });
      await this.#propose({
        $case: 'alarm',
        value: {
          action: AlarmRequest_AlarmAction.ACTIVATE,
          memberID: this.memberId,
          alarm: AlarmType.NOSPACE,
        },
      });
    }
    throw nodeError('NoSpace');
  }

  /** Tells the cluster this member's name and client URLs, until it knows. */
  async #publish(): Promise<void> {
    const { config, logger } = this.#deps;
    const value = {
      memberId: this.memberId,
      name: config.name,
      clientUrls: config.advertiseClientUrls,
    };
    const known = () => {
      const self = this.state.members().find((member) => member.ID === this.memberId);
      return self?.name === value.name && self.clientURLs.join() === value.clientUrls.join();
    };
    while (!this.#stopping && !known()) {
      try {
        await this.#propose({ $case: 'publish', value });
      } catch (error) {
        logger.debug('not published yet', { reason: errorMessage(error) });
        await this.#sleep(PUBLISH_RETRY_MS);
      }
    }
  }

  #setClusterVersion(): void {
    if (this.state.clusterVersion() !== undefined) return;
    this.#propose({ $case: 'clusterVersion', value: { version: ETCD_API_VERSION } }).catch(() => {
      // The next leader does it.
    });
  }

  #compactAutomatically(revision: number): void {
    this.#propose({ $case: 'compaction', value: { revision, physical: false } }).then(
      () => this.#deps.logger.info('compacted automatically', { revision }),
      (error: unknown) =>
        this.#deps.logger.warn('not compacted automatically', { reason: errorMessage(error) }),
    );
  }

  #deadline(): number {
    return this.#deps.clock.nowMs() + this.#requestTimeoutMs;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.setTimer(ms, resolve));
  }

  async #until(done: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const deadline = this.#deps.clock.nowMs() + timeoutMs;
    while (!done()) {
      if (this.#deps.clock.nowMs() >= deadline || signal?.aborted === true) {
        throw new CodedError('Timeout', 'not done in time');
      }
      await this.#sleep(5);
    }
  }
}

/** Reports about a peer are the driver's own: nobody else may make them. */
const LOCAL_TYPES: ReadonlySet<MessageType> = new Set([
  MessageType.SNAPSHOT_STATUS,
  MessageType.UNREACHABLE,
  MessageType.TRANSFER_LEADER,
]);

function mayTravel(message: Message): boolean {
  return !LOCAL_TYPES.has(message.type);
}
