import type { CodedError } from '../../base/errors.ts';
import type { Member, ResponseHeader } from '../../proto/etcd/rpc.ts';
import type { RaftResponse } from '../../proto/raftdeck/inspect.ts';
import type {
  ApplyResponses,
  InternalRequestBody,
  NodeErrorCode,
  RequestKind,
  StateMachine,
} from '../apply/types.ts';
import type { Faults } from '../faults/faults.ts';
import type { KvHash } from '../mvcc/hash.ts';
import type { StoreSize } from '../storage/types.ts';

/** Thrown by everything below; api/errors.ts is the one table that maps it to gRPC. */
export type NodeError = CodedError<NodeErrorCode>;

export interface NodeStatus {
  leader: bigint;
  raftTerm: number;
  commitIndex: number;
  appliedIndex: number;
  isLearner: boolean;
  /** As etcd words them: "NOSPACE", "etcdserver: no leader". */
  errors: string[];
}

export interface NodeLimits {
  maxTxnOps: number;
  maxRequestBytes: number;
}

/** The state at one moment as a database of etcd's. Whoever opened it closes it. */
export interface StateSnapshot {
  readonly bytes: number;
  /** Of 32 KiB each; the last one may be shorter. */
  readonly chunks: AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** Who waits for an answer. An AbortSignal is one; a call itself is cheaper. */
export interface Caller {
  /** Nobody waits any more: what was not proposed yet need not be. */
  readonly aborted: boolean;
}

/** What the gRPC services need of the node. server/ implements it. */
export interface Backend {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly state: StateMachine;
  readonly limits: NodeLimits;

  /** Cluster, member, term and the current revision. */
  header(revision?: number): ResponseHeader;
  /** Proposes, waits until applied here, answers. Forwarded to the leader where this member is none. Throws NodeError. */
  propose<K extends RequestKind>(
    request: Extract<InternalRequestBody, { $case: K }>,
    caller?: Caller,
  ): Promise<{ response: ApplyResponses[K]; revision: number }>;
  /** Resolves once the local state includes every write acknowledged before the call (ReadIndex, thesis 6.4). Throws NodeError. */
  linearizableRead(caller?: Caller): Promise<void>;
  /** Prolongs a lease; on a follower it asks the leader. Answers the granted TTL in seconds, 0 if the lease is unknown or expired. */
  leaseRenew(id: bigint, signal?: AbortSignal): Promise<number>;
  /** Seconds left and as granted, by the leader's clock; undefined if there is no such lease. */
  leaseTimeToLive(
    id: bigint,
    signal?: AbortSignal,
  ): Promise<{ ttl: number; grantedTtl: number } | undefined>;
  /** A lease id that no other member hands out. */
  nextLeaseId(): bigint;

  members(): Member[];
  /** This member does not vote and may lack part of the state. */
  readonly isLearner: boolean;
  /** Whether requests are served: with --strict-capability not before the cluster has agreed on a version. */
  readonly isCapable: boolean;
  /** Adds a voter or a learner and answers its record. Throws NodeError, as the others do. */
  memberAdd(peerUrls: string[], isLearner: boolean, signal?: AbortSignal): Promise<Member>;
  memberRemove(id: bigint, signal?: AbortSignal): Promise<void>;
  memberUpdate(id: bigint, peerUrls: string[]): Promise<void>;
  /** Makes a learner that has caught up a voter. */
  memberPromote(id: bigint, signal?: AbortSignal): Promise<void>;
  status(): NodeStatus;
  size(): StoreSize;
  defragment(): Promise<void>;
  /** Throws TooManyRequests above a limit of snapshots at once. */
  openSnapshot(signal: AbortSignal): Promise<StateSnapshot>;
  /** Sum over the history at a revision, 0 for the current one. Throws Compacted and FutureRev. */
  hashKv(revision: number, signal?: AbortSignal): Promise<KvHash>;
  /** Sum over the whole state, and its revision. */
  hash(signal?: AbortSignal): Promise<{ hash: number; revision: number }>;
  /** Hands leadership to a voter. */
  moveLeader(target: bigint, signal?: AbortSignal): Promise<void>;
}

/** What our own services, which etcd does not have, need of the node. */
export interface InspectBackend {
  /** Raft as this member sees it, and what happened to it after the event of that number. */
  inspectRaft(afterEvent: number): RaftResponse;
  /** Undefined: this member cannot be disturbed. */
  readonly faults: Faults | undefined;
}
