import { idToHex } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/prng.ts';
import type { Member, ResponseHeader } from '../../proto/etcd/rpc.ts';
import { AlarmType } from '../../proto/etcd/rpc.ts';
import {
  type Message,
  MessageType,
  type PeerCall,
  PeerCall_Kind,
} from '../../proto/raftdeck/raft.ts';
import type { Backend, NodeLimits, NodeStatus, StateSnapshot } from '../api/backend.ts';
import { ETCD_API_VERSION } from '../api/version.ts';
import type { BatchingStateMachine } from '../apply/state-machine.ts';
import type { ApplyResponses, InternalRequestBody, RequestKind } from '../apply/types.ts';
import type { NodeConfig } from '../config.ts';
import { parseUrl } from '../config.ts';
import type { ReconfigurationView } from '../membership/reconfiguration.ts';
import type { KvHash } from '../mvcc/hash.ts';
import { PeerTransport } from '../peer/transport.ts';
import type { PeerAddress, PeerHandler } from '../peer/types.ts';
import { RaftNode } from '../raft/index.ts';
import type { Role } from '../raft/types.ts';
import type { StateStore, StoreSize } from '../storage/types.ts';
import { NODE_VERSION } from '../version.ts';
import type { WriteAheadLog } from '../wal/types.ts';
import { AutoCompactor } from './auto-compaction.ts';
import { GROUP, type Opened } from './bootstrap.ts';
import { ClientSnapshots } from './client-snapshots.ts';
import { versionToPropose } from './cluster-version.ts';
import { markRemoved } from './data-dir.ts';
import { RaftDriver } from './driver.ts';
import { HistoryCompactor } from './history-compactor.ts';
import { LeaseDesk } from './lease-desk.ts';
import { LogCompactor } from './log-compactor.ts';
import { MembershipDesk } from './membership-desk.ts';
import { PeerCalls } from './peer-calls.ts';
import { nodeError, Proposals } from './proposals.ts';
import { Publisher } from './publisher.ts';
import { QuotaGate } from './quota-gate.ts';
import { Snapshots } from './snapshots.ts';
import { StateHashes } from './state-hashes.ts';
import { raftTiming } from './timing.ts';
import { LeadershipTransfer } from './transfer.ts';

export interface NodeServerDeps {
  config: NodeConfig;
  opened: Opened;
  clock: Clock;
  random: Random;
  /** Unix milliseconds: where ids that must not repeat start from. */
  startMs: number;
  logger: Logger;
  onFatal(error: unknown): void;
  /** This member was removed from the cluster: it must stop, and not start again. */
  onRemoved(): void;
}

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
  readonly #clientSnapshots: ClientSnapshots;
  readonly #hashes: StateHashes;
  readonly #compactor: LogCompactor;
  readonly #calls: PeerCalls;
  readonly #leases: LeaseDesk;
  readonly #history: HistoryCompactor;
  readonly #autoCompactor: AutoCompactor;
  readonly #quota: QuotaGate;
  readonly #membership: MembershipDesk;
  readonly #publisher: Publisher;
  readonly #transfer: LeadershipTransfer;
  readonly #requestTimeoutMs: number;
  #leader = 0n;
  #leaderChanges = 0;
  #stopping = false;
  #removed = false;
  #membersSeen = '';
  #isLearner = false;

  constructor(deps: NodeServerDeps) {
    const { config, opened, clock, logger } = deps;
    this.#deps = deps;
    this.clusterId = opened.identity.clusterId;
    this.memberId = opened.identity.memberId;
    this.state = opened.state;
    this.limits = { maxTxnOps: config.maxTxnOps, maxRequestBytes: config.maxRequestBytes };
    this.#store = opened.store;
    this.#wal = opened.wal;
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
    // Folders of before the first configuration counted as an entry: nobody may get the log from its beginning.
    if (this.#raft.status().firstIndex === 1 && this.state.appliedIndex > 0) this.#raft.compact(1);
    this.#proposals = new Proposals(this.memberId, deps.startMs);
    this.#history = new HistoryCompactor(this.state, () => this.#driver.isInstalling, deps.onFatal);
    this.#transport = new PeerTransport(
      {
        self: {
          clusterId: this.clusterId,
          memberId: this.memberId,
          version: NODE_VERSION,
          apiVersion: ETCD_API_VERSION,
        },
        listen: config.listenPeerUrls.map(parseUrl),
        maxRequestBytes: config.maxRequestBytes,
        logger,
      },
      this.#peerHandler(),
    );
    const dir = `${config.dataDir}/member`;
    this.#clientSnapshots = new ClientSnapshots({ dir, store: this.#store, logger });
    this.#hashes = new StateHashes(this.#store);
    const step = (messages: Message[]) => this.#driver.step(messages);
    this.#snapshots = new Snapshots({
      dir,
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
    const propose = (request: InternalRequestBody) => this.#propose(request);
    this.#quota = new QuotaGate({
      memberId: this.memberId,
      quotaBackendBytes: config.quotaBackendBytes,
      store: this.#store,
      state: this.state,
      logger,
      propose,
    });
    this.#publisher = new Publisher({
      memberId: this.memberId,
      name: config.name,
      clientUrls: config.advertiseClientUrls,
      state: this.state,
      clock,
      logger,
      propose,
    });
    this.#transfer = new LeadershipTransfer({
      memberId: this.memberId,
      raft: this.#raft,
      clock,
      isConnected: (id) => this.#transport.isConnected(id),
      wake: () => this.#driver.wake(),
    });
    this.#membership = this.#makeMembershipDesk();
    this.#autoCompactor = new AutoCompactor(
      config.autoCompaction,
      clock,
      () => this.state.revision,
      (revision) => this.#compactAutomatically(revision),
    );
  }

  /** Listens for peers and starts Raft. Rejects with PortInUse. */
  async start(): Promise<void> {
    await this.#clientSnapshots.removeLeftovers();
    await this.#transport.start();
    this.#refreshPeers();
    this.#driver.start();
    if (this.state.members().length === 1) this.#raft.campaign();
    this.#driver.wake();
    void this.#publisher.run();
    this.#history.kick();
  }

  get leaderChanges(): number {
    return this.#leaderChanges;
  }

  get quotaBytes(): number {
    return this.#quota.quotaBytes;
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
    await this.#quota.check(body);
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

  openSnapshot(signal: AbortSignal): Promise<StateSnapshot> {
    return this.#clientSnapshots.open(signal);
  }

  hashKv(revision: number, signal?: AbortSignal): Promise<KvHash> {
    return this.#hashes.kv(revision, signal);
  }

  hash(signal?: AbortSignal): Promise<{ hash: number; revision: number }> {
    return this.#hashes.state(signal);
  }

  moveLeader(target: bigint, signal?: AbortSignal): Promise<void> {
    return this.#transfer.to(target, this.#requestTimeoutMs, signal);
  }

  get isLearner(): boolean {
    return this.#isLearner;
  }

  get isCapable(): boolean {
    return !this.#deps.config.strictCapability || this.state.clusterVersion() !== undefined;
  }

  memberAdd(peerUrls: string[], isLearner: boolean, signal?: AbortSignal): Promise<Member> {
    return this.#membership.add(peerUrls, isLearner, signal);
  }

  memberRemove(id: bigint, signal?: AbortSignal): Promise<void> {
    return this.#membership.remove(id, signal);
  }

  memberUpdate(id: bigint, peerUrls: string[]): Promise<void> {
    return this.#membership.update(id, peerUrls);
  }

  memberPromote(id: bigint, signal?: AbortSignal): Promise<void> {
    return this.#membership.promote(id, signal);
  }

  /** Hands leadership on if it can, answers what waits with "stopped", and leaves everything on disk. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    await this.#transfer.giveUp();
    this.#stopping = true;
    this.#leases.stop();
    this.#calls.stop();
    this.#history.stop();
    this.#publisher.stop();
    this.#autoCompactor.stop();
    await this.#driver.stop();
    await this.#transport.stop();
    await this.#store.close();
    await this.#wal.close();
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
      // One that joins knows the members of when it asked: the leader of now may be a newer one.
      isMember: (id) => this.state.appliedIndex === 0 || this.#isMember(id),
      isRemoved: (id) => this.state.isRemoved(id),
      members: () => ({ clusterId: this.clusterId, members: this.state.members() }),
      connected: () => this.#decideClusterVersion(),
      removed: () => this.#leave(),
      messages: (group, _from, messages) => {
        if (group === GROUP) this.#driver.step(messages.filter(mayTravel));
      },
      calls: (from, calls) => {
        for (const call of calls) void this.#answer(from, call);
      },
      replies: (_from, replies) => this.#calls.replies(replies),
      unreachable: (id) => this.#driver.unreachable(id),
      snapshot: (from, header, chunks) => this.#snapshots.receive(from, header, chunks),
    };
  }

  async #answer(from: bigint, call: PeerCall): Promise<void> {
    const reply =
      call.kind === PeerCall_Kind.MEMBER_PROMOTE
        ? await this.#membership.answer(call)
        : this.#leases.answer(call);
    this.#transport.reply(from, reply);
  }

  #makeMembershipDesk(): MembershipDesk {
    const { config, clock, startMs, logger } = this.#deps;
    const startedMs = clock.nowMs();
    return new MembershipDesk({
      clusterToken: config.initialClusterToken,
      strict: config.strictReconfigCheck,
      maxLearners: config.maxLearners,
      state: this.state,
      proposals: this.#proposals,
      calls: this.#calls,
      clock,
      wallClockMs: () => startMs + clock.nowMs() - startedMs,
      requestTimeoutMs: this.#requestTimeoutMs,
      electionTimeoutMs: config.electionTimeoutMs,
      logger,
      leader: () => this.#raft.leader,
      isLeader: () => this.#raft.isLeader,
      view: () => this.#reconfigurationView(),
      proposeConfChange: (change) => this.#driver.proposeConfChange(change),
      propose: (request) => this.#propose(request),
    });
  }

  #reconfigurationView(): ReconfigurationView {
    const { progress, lastIndex, role } = this.#raft.status();
    const match = new Map(progress.map((one) => [one.id, one.match]));
    return {
      self: this.memberId,
      members: this.state.members(),
      connectedForMs: (id) => this.#transport.connectedForMs(id),
      progress: role === 'leader' ? { lastIndex, match } : undefined,
    };
  }

  #isMember(id: bigint): boolean {
    return this.state.members().some((member) => member.ID === id);
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
      this.#decideClusterVersion();
    } else {
      this.#leases.demote();
      this.#autoCompactor.stop();
    }
    // What waited for a leader goes out now.
    this.#driver.wake();
  }

  #afterApply(index: number): void {
    this.#refreshPeers();
    if (this.state.isRemoved(this.memberId)) this.#leave();
    this.#compactor.applied(index).catch((error: unknown) => this.#deps.onFatal(error));
    this.#history.kick();
  }

  /** Keeps the connections equal to the membership. */
  #refreshPeers(): void {
    const members = this.state.members();
    const seen = members
      .map(({ ID, isLearner, peerURLs }) => `${ID}${isLearner ? '~' : '='}${peerURLs[0]}`)
      .join();
    if (seen === this.#membersSeen) return;
    this.#membersSeen = seen;
    this.#isLearner = members.some(({ ID, isLearner }) => ID === this.memberId && isLearner);
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

  /** The leader's duty, whenever it learns of a version. */
  #decideClusterVersion(): void {
    if (!this.#raft.isLeader) return;
    const version = versionToPropose({
      members: this.state.members(),
      agreed: this.state.clusterVersion(),
      strict: this.#deps.config.strictCapability,
      versionOf: (id) => (id === this.memberId ? ETCD_API_VERSION : this.#transport.apiVersion(id)),
    });
    if (version === undefined) return;
    this.#propose({ $case: 'clusterVersion', value: { version } }).then(
      () => this.#deps.logger.info('cluster version', { version }),
      (error: unknown) =>
        // The next leader, or the next connection, does it.
        this.#deps.logger.debug('cluster version not set', { reason: errorMessage(error) }),
    );
  }

  /** What waits is answered and the others learn of it before this member goes (etcd waits as long). */
  #leave(): void {
    if (this.#removed) return;
    this.#removed = true;
    this.#deps.logger.warn('this member was removed from the cluster');
    const { clock, config, onRemoved } = this.#deps;
    const marked = markRemoved(config.dataDir);
    clock.setTimer(config.electionTimeoutMs, () => {
      marked.then(onRemoved, (error: unknown) => this.#deps.onFatal(error));
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
