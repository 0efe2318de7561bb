import { CodedError } from '../../../base/errors.ts';
import {
  AlarmResponse,
  CompactionResponse,
  DeleteRangeResponse,
  LeaseCheckpointResponse,
  LeaseGrantResponse,
  LeaseRevokeResponse,
  Member,
  PutResponse,
  RangeResponse,
  type ResponseHeader,
  TxnResponse,
} from '../../../proto/etcd/rpc.ts';
import type {
  ApplyResponses,
  InternalRequestBody,
  LeaseView,
  NodeErrorCode,
  RequestKind,
  StateMachine,
} from '../../apply/types.ts';
import type { KvHash } from '../../mvcc/hash.ts';
import type { WatchBatch, Watcher, WatchHub, WatchSink, WatchSpec } from '../../mvcc/types.ts';
import type { Backend, NodeStatus, StateSnapshot } from '../backend.ts';

/** A watcher as the hub's side sees it, for a test to play the hub. */
export class TestWatcher implements Watcher {
  readonly spec: WatchSpec;
  readonly sink: WatchSink;
  progressRevision = Number.MAX_SAFE_INTEGER;
  resumed = 0;
  cancelled = false;
  onResume = (): void => {};

  constructor(spec: WatchSpec, sink: WatchSink) {
    this.spec = spec;
    this.sink = sink;
  }

  /** One revision of one put per key. */
  deliver(revision: number, ...keys: string[]): boolean {
    return this.sink.deliver(batchOf(revision, ...keys));
  }

  resume(): void {
    this.resumed++;
    this.onResume();
  }

  cancel(): void {
    this.cancelled = true;
  }
}

export function batchOf(revision: number, ...keys: string[]): WatchBatch {
  const events = keys.map((key) => ({
    type: 0 as const,
    kv: {
      key: Buffer.from(key),
      value: Buffer.from('value'),
      createRevision: revision,
      modRevision: revision,
      version: 1,
      lease: 0n,
    },
    prevKv: undefined,
  }));
  return { revision, events };
}

class TestHub implements WatchHub {
  readonly watchers: TestWatcher[] = [];
  /** Called before `watch` returns, as a hub does that has something to deliver at once. */
  onWatch = (_watcher: TestWatcher): void => {};

  get watcherCount(): number {
    return this.watchers.filter(({ cancelled }) => !cancelled).length;
  }

  watch(spec: WatchSpec, sink: WatchSink): Watcher {
    const watcher = new TestWatcher(spec, sink);
    this.watchers.push(watcher);
    this.onWatch(watcher);
    return watcher;
  }
}

const EMPTY_RESPONSES: ApplyResponses = {
  put: PutResponse.fromPartial({}),
  deleteRange: DeleteRangeResponse.fromPartial({}),
  txn: TxnResponse.fromPartial({}),
  compaction: CompactionResponse.fromPartial({}),
  leaseGrant: LeaseGrantResponse.fromPartial({}),
  leaseRevoke: LeaseRevokeResponse.fromPartial({}),
  leaseCheckpoint: LeaseCheckpointResponse.fromPartial({}),
  alarm: AlarmResponse.fromPartial({}),
  publish: {},
  clusterVersion: {},
  memberUpdate: {},
};

/** A Backend whose answers a test sets, and which notes what the services asked of it, in order. */
export class TestBackend implements Backend {
  readonly clusterId = 11n;
  readonly memberId = 22n;
  readonly limits = { maxTxnOps: 8, maxRequestBytes: 4096 };
  readonly hub = new TestHub();
  /** "propose put", "linearizableRead", "range", … */
  readonly asked: string[] = [];
  readonly proposed: InternalRequestBody[] = [];
  revision = 10;
  /** What `propose` answers per kind, over an empty response. */
  responses: Partial<ApplyResponses> = {};
  proposalRevision: number | undefined;
  /** Thrown by the named call. */
  failures: Partial<Record<string, Error>> = {};
  leases: LeaseView[] = [];
  alarms: { memberID: bigint; alarm: 0 | 1 | 2 }[] = [];
  rangeResponse: RangeResponse = RangeResponse.fromPartial({});
  txnResponse: TxnResponse = TxnResponse.fromPartial({});
  compactionFinished: Promise<void> = Promise.resolve();
  timesToLive = new Map<bigint, { ttl: number; grantedTtl: number }>();
  currentStatus: NodeStatus = {
    leader: 22n,
    raftTerm: 3,
    commitIndex: 100,
    appliedIndex: 99,
    isLearner: false,
    errors: [],
  };
  isCapable = true;
  get isLearner(): boolean {
    return this.currentStatus.isLearner;
  }
  kvHash: KvHash = { hash: 77, hashRevision: 10, compactRevision: 0, revision: 10 };
  /** What `openSnapshot` streams. */
  snapshotChunks: AsyncIterable<Buffer> = (async function* () {})();
  snapshotBytes = 0;
  memberList: Member[] = [Member.fromPartial({ ID: 22n, name: 'm1' })];
  readonly state: StateMachine;

  constructor() {
    this.state = this.#createState();
  }

  header(revision = this.revision): ResponseHeader {
    return { clusterId: this.clusterId, memberId: this.memberId, revision, raftTerm: 3 };
  }

  async propose<K extends RequestKind>(
    request: Extract<InternalRequestBody, { $case: K }>,
  ): Promise<{ response: ApplyResponses[K]; revision: number }> {
    this.#note(`propose ${request.$case}`);
    this.proposed.push(request);
    const kind: K = request.$case as K;
    const response = this.responses[kind] ?? EMPTY_RESPONSES[kind];
    return { response, revision: this.proposalRevision ?? this.revision };
  }

  async memberAdd(peerUrls: string[], isLearner: boolean): Promise<Member> {
    this.#note(`memberAdd ${peerUrls.join()} ${isLearner}`);
    const member = Member.fromPartial({ ID: 33n, peerURLs: peerUrls, isLearner });
    this.memberList.push(member);
    return member;
  }

  async memberRemove(id: bigint): Promise<void> {
    this.#note(`memberRemove ${id}`);
    this.memberList = this.memberList.filter(({ ID }) => ID !== id);
  }

  async memberUpdate(id: bigint, peerUrls: string[]): Promise<void> {
    this.#note(`memberUpdate ${id} ${peerUrls.join()}`);
  }

  async memberPromote(id: bigint): Promise<void> {
    this.#note(`memberPromote ${id}`);
  }

  async linearizableRead(): Promise<void> {
    this.#note('linearizableRead');
  }

  async leaseRenew(id: bigint): Promise<number> {
    this.#note(`leaseRenew ${id}`);
    return this.timesToLive.get(id)?.grantedTtl ?? 0;
  }

  async leaseTimeToLive(id: bigint): Promise<{ ttl: number; grantedTtl: number } | undefined> {
    this.#note('leaseTimeToLive');
    return this.timesToLive.get(id);
  }

  nextLeaseId(): bigint {
    return 4242n;
  }

  members(): Member[] {
    return this.memberList;
  }

  status(): NodeStatus {
    return this.currentStatus;
  }

  size() {
    return { fileBytes: 2000, inUseBytes: 1000 };
  }

  async defragment(): Promise<void> {
    this.#note('defragment');
  }

  async openSnapshot(): Promise<StateSnapshot> {
    this.#note('openSnapshot');
    const close = async (): Promise<void> => this.#note('closeSnapshot');
    return { bytes: this.snapshotBytes, chunks: this.snapshotChunks, close };
  }

  async hashKv(revision: number): Promise<KvHash> {
    this.#note(`hashKv ${revision}`);
    return this.kvHash;
  }

  async hash(): Promise<{ hash: number; revision: number }> {
    this.#note('hash');
    return { hash: 88, revision: 9 };
  }

  async moveLeader(target: bigint): Promise<void> {
    this.#note(`moveLeader ${target}`);
  }

  #note(call: string): void {
    this.asked.push(call);
    const failure = this.failures[call];
    if (failure !== undefined) throw failure;
  }

  #createState(): StateMachine {
    const backend = this;
    const unexpected = (): never => {
      throw new Error('not part of what the API may call');
    };
    return {
      appliedIndex: 99,
      appliedTerm: 3,
      confState: undefined,
      get revision() {
        return backend.revision;
      },
      compactRevision: 0,
      hub: backend.hub,
      apply: unexpected,
      applyEmpty: unexpected,
      checkMembershipChange: unexpected,
      applyConfChange: unexpected,
      bootstrap: unexpected,
      range() {
        backend.#note('range');
        return backend.rangeResponse;
      },
      readOnlyTxn() {
        backend.#note('readOnlyTxn');
        return backend.txnResponse;
      },
      leases: () => backend.leases,
      lease: (id) => backend.leases.find((lease) => lease.id === id),
      leaseKeys: () => [Buffer.from('attached')],
      alarms: () => backend.alarms,
      members: () => backend.memberList,
      isRemoved: () => false,
      clusterVersion: () => '3.5.0',
      onLeaseEvents: unexpected,
      pendingCompaction: undefined,
      compactSlice: unexpected,
      compactionFinished: () => backend.compactionFinished,
      reload: unexpected,
    };
  }
}

export function nodeError(code: NodeErrorCode): CodedError<NodeErrorCode> {
  return new CodedError(code, code);
}
