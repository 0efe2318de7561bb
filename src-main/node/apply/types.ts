import type {
  AlarmMember,
  AlarmResponse,
  CompactionResponse,
  DeleteRangeResponse,
  LeaseCheckpointResponse,
  LeaseGrantResponse,
  LeaseRevokeResponse,
  Member,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from '../../proto/etcd/rpc.ts';
import type { InternalRequest, MembershipChange } from '../../proto/raftdeck/internal.ts';
import type { ConfChangeSingle_Type, ConfState } from '../../proto/raftdeck/raft.ts';
import type { WatchHub } from '../mvcc/types.ts';

/** The request kinds of an entry, by their oneof case, and what applying each answers (header filled by the API). */
export interface ApplyResponses {
  put: PutResponse;
  deleteRange: DeleteRangeResponse;
  txn: TxnResponse;
  compaction: CompactionResponse;
  leaseGrant: LeaseGrantResponse;
  leaseRevoke: LeaseRevokeResponse;
  leaseCheckpoint: LeaseCheckpointResponse;
  alarm: AlarmResponse;
  publish: Record<string, never>;
  clusterVersion: Record<string, never>;
  memberUpdate: Record<string, never>;
}
export type RequestKind = keyof ApplyResponses;
export type InternalRequestBody = NonNullable<InternalRequest['request']>;

/** Named after etcd's errors; api/errors.ts maps each to its gRPC status and etcd's exact message. */
export const NODE_ERROR_CODES = [
  'EmptyKey',
  'KeyNotFound',
  'ValueProvided',
  'LeaseProvided',
  'TooManyOps',
  'DuplicateKey',
  'InvalidSortOption',
  'Compacted',
  'FutureRev',
  'NoSpace',
  'LeaseNotFound',
  'LeaseExist',
  'LeaseTtlTooLarge',
  'RequestTooLarge',
  'TooManyRequests',
  'InvalidClientApiVersion',
  'NoLeader',
  'NotLeader',
  'LeaderChanged',
  'NotCapable',
  'Stopped',
  'Timeout',
  'TimeoutDueToLeaderFail',
  'TimeoutDueToConnectionLost',
  'Unhealthy',
  'Corrupt',
  'MemberNotFound',
  'MemberExist',
  'PeerUrlExist',
  'MemberNotEnoughStarted',
  'MemberBadUrls',
  'MemberNotLearner',
  'LearnerNotReady',
  'TooManyLearners',
  'NotSupportedForLearner',
  'NotImplemented',
] as const;
export type NodeErrorCode = (typeof NODE_ERROR_CODES)[number];

export type ApplyResult =
  | { ok: true; response: ApplyResponses[RequestKind]; revision: number }
  | { ok: false; code: NodeErrorCode; revision: number };

export interface LeaseView {
  id: bigint;
  /** Seconds, as granted. */
  ttl: number;
  /** Seconds left at the last checkpoint; 0 if there was none. */
  remainingTtl: number;
}

/** What changed for the leader's expiry clock when an entry was applied. */
export interface LeaseEvents {
  granted(lease: LeaseView): void;
  revoked(id: bigint): void;
  checkpointed(lease: LeaseView): void;
}

export interface StateMachineOptions {
  maxTxnOps: number;
  /** Bytes; 0 is etcd's default of 2 GiB, negative is no limit. Checked by the proposer and again at apply. */
  quotaBytes: number;
  memberId: bigint;
}

/**
 * The replicated state of one group: key-value history, leases, alarms, members. `apply` is deterministic and
 * synchronous; everything else only reads. Reopened on the same store it continues where the last flush ended.
 */
export interface StateMachine {
  /** Index and term of the last applied entry, from the meta table. */
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly confState: ConfState | undefined;
  /** Current revision: 1 for an empty store, as in etcd. */
  readonly revision: number;
  /** Highest revision whose history was compacted; 0 for none. */
  readonly compactRevision: number;
  /** Logical bytes the quota is measured against is the store's file size. */
  readonly hub: WatchHub;

  /** An entry at or before appliedIndex is an error of the caller. A request with an error still advances appliedIndex. */
  apply(index: number, term: number, request: InternalRequest): ApplyResult;
  /** Entries that carry no request (a new leader's empty one). */
  applyEmpty(index: number, term: number): void;
  /**
   * Why a change of the membership cannot be made; undefined if it can. The answer depends on the
   * replicated state alone. What was refused is applied by `applyEmpty`.
   */
  checkMembershipChange(
    change: MembershipChange,
    kind: ConfChangeSingle_Type,
  ): NodeErrorCode | undefined;
  applyConfChange(
    index: number,
    term: number,
    confState: ConfState,
    member: Member | undefined,
  ): void;
  /**
   * First start: membership from the bootstrap configuration. `index` and `term` are those of the
   * entry that it stands for, since no entry carries it; 0 for one that joins and still gets all by
   * a snapshot.
   */
  bootstrap(confState: ConfState, members: Member[], index: number, term: number): void;

  range(request: RangeRequest): RangeResponse;
  /** A transaction that only reads (compares and ranges), served without an entry. */
  readOnlyTxn(request: TxnRequest): TxnResponse;

  leases(): LeaseView[];
  lease(id: bigint): LeaseView | undefined;
  leaseKeys(id: bigint): Buffer[];
  alarms(): AlarmMember[];
  members(): Member[];
  /** Whether that member was removed: its id is never used again. */
  isRemoved(memberId: bigint): boolean;
  clusterVersion(): string | undefined;

  onLeaseEvents(listener: LeaseEvents): void;
  /** Revision of the newest compaction that is scheduled but not yet finished, or undefined. */
  readonly pendingCompaction: number | undefined;
  /** One bounded slice of the scheduled compaction; true while there is more to do. The driver calls it between requests. */
  compactSlice(maxRows: number): boolean;
  /** Resolves once the given revision is compacted physically. */
  compactionFinished(revision: number): Promise<void>;
  /** After an imported snapshot: reread everything that is cached, and let watchers go on. */
  reload(): void;
}
