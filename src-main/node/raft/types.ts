import type { Random } from '../../base/prng.ts';
import type {
  ConfState,
  Entry,
  HardState,
  Message,
  SnapshotMeta,
} from '../../proto/raftdeck/raft.ts';

export type { ConfState, Entry, HardState, Message, SnapshotMeta };

/** A member's Raft id. 0n is none. */
export type RaftId = bigint;
export const NONE: RaftId = 0n;

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

export interface RaftConfig {
  id: RaftId;
  /**
   * Ticks without a leader before an election; each one is drawn from [electionTicks, 2 *
   * electionTicks).
   */
  electionTicks: number;
  heartbeatTicks: number;
  /** Pre-vote (thesis 9.6): a rejoining member cannot disturb a working leader. */
  preVote: boolean;
  /** A leader that has not heard from a quorum for an election timeout steps down (thesis 6.2). */
  checkQuorum: boolean;
  maxBytesPerAppend: number;
  maxInflightAppends: number;
  /** Proposals are refused while more bytes than this are appended and not committed. */
  maxUncommittedBytes: number;
  random: Random;
}

/** What a restart finds on disk. A new member starts from an empty one with its configuration. */
export interface RaftRestore {
  hardState: HardState;
  confState: ConfState;
  /** The log starts after this: index and term are 0 for a log that was never compacted. */
  snapshot: { index: number; term: number };
  /** Contiguous, the first at snapshot.index + 1. */
  entries: Entry[];
  /** Applied index of the state machine: snapshot.index <= applied <= hardState.commit. */
  applied: number;
}

/**
 * What the driver must do, in this order: persist hardState and entries (or the snapshot) with one
 * sync, call `persisted`, send messagesAfterPersist. `messages` go at once, while the sync runs
 * (thesis 10.2.1). Committed entries are handed out only once they are persisted here, so the
 * applied index never runs past the local log.
 */
export interface Ready {
  /**
   * Set when term, vote or commit changed. Write it always, in order; a change of commit alone
   * needs no sync.
   */
  hardState: HardState | undefined;
  /**
   * The write must be synced before messagesAfterPersist go: entries, a snapshot, or a new term or
   * vote. False: what is there may ride on a later sync, and messagesAfterPersist go as soon as
   * every earlier Ready is durable.
   */
  mustSync: boolean;
  /** To append. The first may be at or before the log's end: what follows it there is replaced. */
  entries: Entry[];
  /**
   * A snapshot from the leader: the driver has its data, installs it in place of the state, then
   * calls `snapshotInstalled`. Such a Ready has neither entries nor committed, and none come until
   * it is installed. The mark in the write-ahead log drops every entry there unless the log holds
   * (index, term) of the snapshot.
   */
  snapshot: SnapshotMeta | undefined;
  messages: Message[];
  messagesAfterPersist: Message[];
  committed: Entry[];
  /**
   * Reads whose index is confirmed: serve each context once applied >= index. Index -1 is refused:
   * no leader, retry.
   */
  readStates: { context: number; index: number }[];
}

/** How a leader sees one other member (thesis 10.2.1 and etcd's progress states). */
export interface ProgressView {
  id: RaftId;
  match: number;
  next: number;
  state: 'probe' | 'replicate' | 'snapshot';
  inflight: number;
  recentActive: boolean;
  learner: boolean;
}

export interface RaftStatus {
  id: RaftId;
  role: Role;
  term: number;
  vote: RaftId;
  leader: RaftId;
  commit: number;
  applied: number;
  firstIndex: number;
  lastIndex: number;
  lastTerm: number;
  confState: ConfState;
  /** Ticks since a leader was heard, a vote was given or an election began; on a leader, since its last check. */
  electionElapsed: number;
  /** Ticks after which this term's election begins, as drawn. */
  electionTimeout: number;
  progress: ProgressView[];
}

export type ProposeResult =
  | 'ok'
  | 'noLeader'
  | 'forwarded'
  | 'tooManyUncommitted'
  | 'transferring'
  /**
   * An earlier configuration change is not applied yet, or a joint configuration is still in force.
   */
  | 'confChangePending'
  /** The change cannot be applied to the present configuration, such as removing the last voter. */
  | 'invalidConfChange';
