import { idToHex } from '../../base/bytes.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Member, ResponseHeader } from '../../proto/etcd/rpc.ts';
import { EventKind, type RaftResponse } from '../../proto/raftdeck/inspect.ts';
import { type PeerCall, PeerCall_Kind, type PeerReply } from '../../proto/raftdeck/raft.ts';
import type {
  Backend,
  Caller,
  InspectBackend,
  NodeLimits,
  NodeStatus,
  StateSnapshot,
} from '../api/backend.ts';
import type { BatchingStateMachine } from '../apply/state-machine.ts';
import type { ApplyResponses, InternalRequestBody, RequestKind } from '../apply/types.ts';
import type { NodeConfig } from '../config.ts';
import type { Faults } from '../faults/faults.ts';
import type { KvHash } from '../mvcc/hash.ts';
import type { RaftStatus, Role } from '../raft/types.ts';
import type { StoreSize } from '../storage/types.ts';
import { AutoCompactor } from './auto-compaction.ts';
import type { Opened } from './bootstrap.ts';
import { ClientSnapshots } from './client-snapshots.ts';
import { CorruptionChecker } from './corruption-check.ts';
import { FirstElection } from './first-election.ts';
import { RaftGroup } from './group.ts';
import { Inspector } from './inspector.ts';
import type { NodeIo } from './io.ts';
import { LeaseDesk } from './lease-desk.ts';
import { MembershipDesk } from './membership-desk.ts';
import { nodeStatus } from './node-status.ts';
import { Peers } from './peers.ts';
import { Publisher } from './publisher.ts';
import { QuotaGate } from './quota-gate.ts';
import { StateHashes } from './state-hashes.ts';
import { LeadershipTransfer } from './transfer.ts';

export interface NodeServerDeps extends NodeIo {
  config: NodeConfig;
  opened: Opened;
  logger: Logger;
  /** What `io` is disturbed by, where clients may do that. */
  faults?: Faults | undefined;
  onFatal(error: unknown): void;
  /** This member was removed from the cluster: it must stop, and not start again. */
  onRemoved(): void;
}

/** One running member: its Raft group, its peers, what the leader has to do, and the face that the API sees. */
export class NodeServer implements Backend, InspectBackend {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly state: BatchingStateMachine;
  readonly limits: NodeLimits;
  readonly faults: Faults | undefined;
  readonly #deps: NodeServerDeps;
  readonly #inspector: Inspector;
  readonly #group: RaftGroup;
  readonly #peers: Peers;
  readonly #clientSnapshots: ClientSnapshots;
  readonly #hashes: StateHashes;
  readonly #leases: LeaseDesk;
  readonly #autoCompactor: AutoCompactor;
  readonly #quota: QuotaGate;
  readonly #membership: MembershipDesk;
  readonly #publisher: Publisher;
  readonly #transfer: LeadershipTransfer;
  readonly #corruption: CorruptionChecker;
  readonly #firstElection: FirstElection;
  #leader = 0n;
  #leaderChanges = 0;
  #stopping = false;

  constructor(deps: NodeServerDeps) {
    const { config, opened, clock, logger } = deps;
    const { store, state, identity } = opened;
    this.#deps = deps;
    this.clusterId = identity.clusterId;
    this.memberId = identity.memberId;
    this.state = state;
    this.limits = { maxTxnOps: config.maxTxnOps, maxRequestBytes: config.maxRequestBytes };
    this.faults = deps.faults;
    const propose = (request: InternalRequestBody) => this.#group.propose(request);
    const self = { memberId: this.memberId, state, clock, logger, propose };
    const { clusterId, memberId, faults } = this;
    const inspector = new Inspector({ ...deps, clusterId, memberId, wal: opened.wal, faults });
    this.#inspector = inspector;
    this.#peers = new Peers({
      ...deps,
      ...self,
      identity,
      group: () => this.#group,
      received: (from, messages) => inspector.received(from, messages),
      membersChanged: () =>
        inspector.events.add(EventKind.CONF_CHANGE, { index: state.appliedIndex }),
      answer: (call) => this.#answer(call),
    });
    const { transport, calls } = this.#peers;
    this.#group = new RaftGroup({
      ...deps,
      inspector,
      send: (messages) => {
        inspector.sent(messages);
        this.#peers.send(messages);
      },
      sendSnapshot: (to, header, chunks) => transport.sendSnapshot(to, header, chunks),
      onLeadership: (leader, role, term) => this.#leadershipChanged(leader, role, term),
      onApplied: () => this.#peers.membershipMayHaveChanged(),
    });
    const { raft, driver, proposals, requestTimeoutMs } = this.#group;
    const { schedule } = deps;
    const dir = `${config.dataDir}/member`;
    this.#clientSnapshots = new ClientSnapshots({ ...deps.disk, dir, store, schedule, logger });
    this.#hashes = new StateHashes(store, schedule);
    const time = {
      startMs: deps.startMs,
      electionTimeoutMs: config.electionTimeoutMs,
      requestTimeoutMs,
    };
    const leader = () => raft.leader;
    const isLeader = () => raft.isLeader;
    const isConnected = (id: bigint) => transport.isConnected(id);
    this.#leases = new LeaseDesk({
      ...self,
      ...time,
      leader,
      calls,
      confirmLeadership: () => this.linearizableRead(),
      propose: (request, term) => this.#group.propose(request, undefined, term),
    });
    this.#quota = new QuotaGate({ ...self, quotaBackendBytes: config.quotaBackendBytes, store });
    this.#publisher = new Publisher({
      ...self,
      name: config.name,
      clientUrls: config.advertiseClientUrls,
    });
    this.#transfer = new LeadershipTransfer({
      ...self,
      raft,
      heartbeatIntervalMs: config.heartbeatIntervalMs,
      isConnected,
      wake: () => driver.wake(),
    });
    this.#membership = new MembershipDesk({
      ...self,
      ...time,
      clusterToken: config.initialClusterToken,
      strict: config.strictReconfigCheck,
      maxLearners: config.maxLearners,
      proposals,
      calls,
      leader,
      isLeader,
      raftStatus: () => raft.status(),
      connectedForMs: (id) => transport.connectedForMs(id),
      proposeConfChange: (change) => driver.proposeConfChange(change),
    });
    this.#corruption = new CorruptionChecker({
      ...self,
      ...time,
      intervalMs: config.corruptCheckIntervalMs,
      calls,
      isLeader,
      canAsk: (id) => transport.canAsk(id),
      linearizableRead: () => this.linearizableRead(),
      hashKv: (revision) => this.hashKv(revision),
    });
    this.#firstElection = new FirstElection({
      ...self,
      ...config,
      raft: () => raft.status(),
      canAsk: (id) => transport.canAsk(id),
      campaign: () => {
        raft.campaign();
        driver.wake();
      },
    });
    this.#autoCompactor = new AutoCompactor(
      config.autoCompaction,
      clock,
      () => state.revision,
      (revision) => this.#compactAutomatically(revision),
    );
  }

  /** Listens for peers and starts Raft. Rejects with PortInUse, or CorruptData if it is to check and finds some. */
  async start(): Promise<void> {
    await this.#clientSnapshots.removeLeftovers();
    await this.#peers.start();
    this.#group.start();
    void this.#publisher.run();
    if (this.#deps.config.initialCorruptCheck) await this.#corruption.checkAtStart();
    this.#corruption.start();
  }

  /** For a cluster that starts for the first time: does not wait for an election timeout. Call after start(). */
  electAtOnce(): void {
    this.#firstElection.start();
  }

  get leaderChanges(): number {
    return this.#leaderChanges;
  }

  get quotaBytes(): number {
    return this.#quota.quotaBytes;
  }

  header(revision = this.state.revision): ResponseHeader {
    const { clusterId, memberId } = this;
    return { clusterId, memberId, revision, raftTerm: this.#group.raft.term };
  }

  propose<K extends RequestKind>(
    request: Extract<InternalRequestBody, { $case: K }>,
    caller?: Caller,
  ): Promise<{ response: ApplyResponses[K]; revision: number }> {
    const body = this.#leases.withMinimumTtl(request as InternalRequestBody);
    const applied = this.#quota.admits(body)
      ? this.#group.propose(body, caller)
      : this.#quota.refuse();
    // What a request of a kind is answered by is of that kind.
    return applied as Promise<unknown> as Promise<{
      response: ApplyResponses[K];
      revision: number;
    }>;
  }

  linearizableRead(): Promise<void> {
    return this.#group.linearizableRead();
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

  get isLearner(): boolean {
    return this.#peers.isLearner;
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

  status(): NodeStatus {
    const { appliedIndex } = this.state;
    const state = { appliedIndex, alarms: this.state.alarms() };
    return nodeStatus(this.#group.raft.status(), state, this.isLearner);
  }

  inspectRaft(afterEvent: number): RaftResponse {
    const { raft, driver } = this.#group;
    const { isInstalling } = driver;
    const { isLearner } = this;
    const { appliedIndex } = this.state;
    const peers = this.#peers.transport;
    return this.#inspector.view({ raft, peers, isLearner, isInstalling, appliedIndex }, afterEvent);
  }

  raftStatus(): RaftStatus {
    return this.#group.raft.status();
  }

  size(): StoreSize {
    return this.#deps.opened.store.size();
  }

  defragment(): Promise<void> {
    return this.#deps.opened.store.defragment();
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
    return this.#transfer.to(target, this.#group.requestTimeoutMs, signal);
  }

  /** Before a stop: a successor takes over while everything is still served. */
  handOver(): Promise<void> {
    return this.#transfer.handOver();
  }

  /** Answers what waits with "stopped", and leaves everything on disk. Call handOver() before. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#group.close();
    this.#leases.stop();
    this.#publisher.stop();
    this.#autoCompactor.stop();
    this.#corruption.stop();
    this.#firstElection.stop();
    await this.#group.stop();
    await this.#peers.stop();
    await this.#deps.opened.store.close();
    await this.#deps.opened.wal.close();
  }

  async #answer(call: PeerCall): Promise<PeerReply> {
    switch (call.kind) {
      case PeerCall_Kind.MEMBER_PROMOTE:
        return this.#membership.answer(call);
      case PeerCall_Kind.HASH_KV:
        return this.#corruption.answer(call);
      default:
        return this.#leases.answer(call);
    }
  }

  #leadershipChanged(leader: bigint, role: Role, term: number): void {
    const { logger } = this.#deps;
    this.#inspector.leadership(leader, role, term);
    if (leader !== this.#leader) {
      if (leader !== 0n) this.#leaderChanges++;
      this.#leader = leader;
    }
    logger.info('raft state', { role, term, leader: leader === 0n ? null : idToHex(leader) });
    if (role === 'leader') {
      this.#leases.promote(term);
      this.#autoCompactor.start();
      this.#peers.decideClusterVersion();
    } else {
      this.#leases.demote();
      this.#autoCompactor.stop();
    }
    // What waited for a leader goes out now.
    this.#group.driver.wake();
  }

  #compactAutomatically(revision: number): void {
    const { logger } = this.#deps;
    this.#group.propose({ $case: 'compaction', value: { revision, physical: false } }).then(
      () => logger.info('compacted automatically', { revision }),
      (error: unknown) =>
        logger.warn('not compacted automatically', { reason: errorMessage(error) }),
    );
  }
}
