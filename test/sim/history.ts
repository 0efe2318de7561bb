/**
 * What a run leaves behind for the oracles: plain data, no functions, no live objects. Keys and values are texts of one
 * character per byte (latin1), ids of leases and members are hexadecimal texts, times are milliseconds of simulated
 * (or, for real processes, wall-clock) time by one clock that no fault touches.
 */

/** A key-value as an answer shows it. */
export interface KeyValue {
  key: string;
  value: string;
  createRevision: number;
  modRevision: number;
  version: number;
  /** '0' for none. */
  lease: string;
}

/**
 * Why an operation has no output. definite: it has not taken effect and never will. unknown: it may have taken effect,
 * or may yet do so at any later time, or never.
 */
export type Failure = 'definite' | 'unknown';

export type Outcome<Output> =
  | { ok: true; output: Output }
  /** `code` is the node's error code, or 'Crashed', 'Unreachable', 'ClientTimeout' of the client's own. */
  | { ok: false; error: Failure; code: string };

/** One call of one client. A client has one call under way at a time. */
interface Call<Kind extends string, Input, Output> {
  /** Unique in the history, in order of invocation. */
  id: number;
  kind: Kind;
  client: number;
  /** Name of the member that was asked. */
  member: string;
  /** The key it is about; '' for what concerns no single key. */
  key: string;
  input: Input;
  outcome: Outcome<Output>;
  invokedMs: number;
  /** When the outcome was known to the client; Infinity for a call that never returned. */
  returnedMs: number;
}

/** Header revision: that of the write, or for a read the state's when it was served. */
interface AtRevision {
  revision: number;
}

/** One operation within a transaction's branch, and what it answered. */
export type TxnStep =
  | { kind: 'put'; key: string; value: string; lease: string }
  | { kind: 'delete'; key: string }
  /** `revision` 0, or none, reads the state as the transaction finds it, else that of the past. */
  | { kind: 'get'; key: string; revision?: number };
export type TxnStepOutput =
  | { kind: 'put' }
  | { kind: 'delete'; deleted: number }
  | { kind: 'get'; kv: KeyValue | undefined };
/** Holds if the key's modification revision is this; 0: there is no such key. */
export interface TxnCompare {
  key: string;
  modRevision: number;
}

export type Put = Call<'put', { value: string; lease: string }, AtRevision>;
/** `revision` 0 reads the newest state, else that of the past. serializable: local state, however old. */
export type Get = Call<
  'get',
  { serializable: boolean; revision: number },
  AtRevision & { kv: KeyValue | undefined }
>;
export type Delete = Call<'delete', Record<string, never>, AtRevision & { deleted: number }>;
/**
 * Puts `value` if the key's modification revision is `expectedModRevision` (0: if there is none); otherwise answers
 * what is there.
 */
export type Cas = Call<
  'cas',
  { expectedModRevision: number; value: string },
  AtRevision & { succeeded: boolean; kv: KeyValue | undefined }
>;
/**
 * Appends `item` to the list that the value is (items joined by ','): a transaction that puts `value`, the whole new
 * list, if the key is still at `expectedModRevision`; otherwise it answers what is there.
 */
export type Append = Call<
  'append',
  { item: string; expectedModRevision: number; value: string },
  AtRevision & { succeeded: boolean; kv: KeyValue | undefined }
>;
/** All compares hold: `success` runs, else `failure`, atomically and in one revision. Never two puts to one key. */
export type Txn = Call<
  'txn',
  { compares: TxnCompare[]; success: TxnStep[]; failure: TxnStep[] },
  AtRevision & { succeeded: boolean; steps: TxnStepOutput[] }
>;
/** Reads [key, end), end '\0' is to the end of the key space; rows come in the order of their keys. */
export type Range = Call<
  'range',
  { end: string; serializable: boolean; revision: number },
  AtRevision & { kvs: KeyValue[]; count: number }
>;

export type LeaseGrant = Call<
  'leaseGrant',
  { lease: string; ttlSeconds: number },
  /** What was granted, which may be more than was asked for. */
  AtRevision & { ttlSeconds: number }
>;
/** `ttlSeconds` 0: the node says that there is no such lease. */
export type LeaseKeepAlive = Call<
  'leaseKeepAlive',
  { lease: string },
  AtRevision & { ttlSeconds: number }
>;
export type LeaseRevoke = Call<'leaseRevoke', { lease: string }, AtRevision>;
/** `ttlSeconds` left, -1 if there is no such lease. */
export type LeaseTimeToLive = Call<
  'leaseTimeToLive',
  { lease: string },
  AtRevision & { ttlSeconds: number; grantedTtlSeconds: number; keys: string[] }
>;

export type Compact = Call<'compact', { revision: number; physical: boolean }, AtRevision>;
export type Defragment = Call<'defragment', Record<string, never>, AtRevision>;
export type AlarmDisarm = Call<'alarmDisarm', { member: string }, AtRevision>;
/** Changes of the membership and of the leader; `member` is the id it is about, '' if it has none yet. */
export type Administer = Call<
  'memberAdd' | 'memberAddLearner' | 'memberPromote' | 'memberRemove' | 'moveLeader',
  { member: string },
  AtRevision & { member: string }
>;

/** Operations on keys: those of which linearizability speaks. */
export type KvOperation = Put | Get | Delete | Cas | Append | Txn | Range;
export type LeaseOperation = LeaseGrant | LeaseKeepAlive | LeaseRevoke | LeaseTimeToLive;
export type Operation =
  | KvOperation
  | LeaseOperation
  | Compact
  | Defragment
  | AlarmDisarm
  | Administer;

export interface WatchedEvent {
  type: 'put' | 'delete';
  kv: KeyValue;
  /** Only with prevKv, and only if there was one that is not compacted. */
  prevKv: KeyValue | undefined;
}

/** What a watch's client saw, in order of arrival. */
export type WatchItem =
  /** One response: whole revisions, unless `fragment` says that the last one goes on in the next response. */
  | { kind: 'events'; atMs: number; revision: number; events: WatchedEvent[]; fragment: boolean }
  /** Progress notification: everything up to `revision` was delivered. */
  | { kind: 'progress'; atMs: number; revision: number }
  /** The stream ended and the client opened it anew, at the revision after the last that it saw. */
  | { kind: 'resumed'; atMs: number; member: string; startRevision: number }
  /** The node ended it: what it needs is compacted. Nothing follows unless the client starts anew (`restarted`). */
  | { kind: 'compacted'; atMs: number; compactRevision: number }
  /** After `compacted` the client gave up what it missed and began again from there. */
  | { kind: 'restarted'; atMs: number; member: string; startRevision: number };

export interface WatchStream {
  watchId: number;
  client: number;
  /** Member of the first stream. */
  member: string;
  spec: {
    key: string;
    /** '' is the one key, '\0' to the end of the key space. */
    end: string;
    /** As asked for; 0 is "from now on". */
    startRevision: number;
    prevKv: boolean;
    noPut: boolean;
    noDelete: boolean;
    progressNotify: boolean;
  };
  /** When it was asked for. */
  startedMs: number;
  /** The header's revision of the created response: a start of 0 begins after it. Undefined if none came. */
  createdRevision: number | undefined;
  createdMs: number | undefined;
  items: WatchItem[];
  /** Whether its client ended it, or the run did. */
  cancelled: boolean;
  /** It had no fault for long enough at the end: every event up to `finalRevision` must have come. */
  settled: boolean;
}

/** A lease as the cluster's members applied it. Times are those of the first member that applied the entry. */
export interface LeaseEvent {
  lease: string;
  kind: 'granted' | 'gone';
  atMs: number;
  /** Revision of the member after it was applied. */
  revision: number;
  /** Granted seconds; 0 for 'gone'. */
  ttlSeconds: number;
  /** For 'gone': the keys that were attached and went with it. */
  keys: string[];
}

export interface KvHash {
  revision: number;
  compactRevision: number;
  hash: number;
}

/** What can be seen of one running member at one moment. */
export interface MemberObservation {
  atMs: number;
  member: string;
  memberId: string;
  /** How often the member was started; a restart loses what was not durable. */
  incarnation: number;
  role: 'follower' | 'preCandidate' | 'candidate' | 'leader';
  term: number;
  /** '0' for none. */
  vote: string;
  leader: string;
  commit: number;
  applied: number;
  firstIndex: number;
  lastIndex: number;
  /** Revision of the state, and what of it is compacted (0: nothing). */
  revision: number;
  compactRevision: number;
  voters: string[];
  learners: string[];
  /** 'NOSPACE' or 'CORRUPT', with the member it is about. */
  alarms: { member: string; alarm: string }[];
  /** Bytes of the state as the quota counts them. */
  stateBytes: number;
  hash: KvHash | undefined;
}

/** One entry of a member's log, or as it was applied. `digest` stands for type and data. */
export interface LogEntry {
  index: number;
  term: number;
  digest: number;
}

/** A member's log from its first entry to its last, taken now and then. */
export interface LogObservation {
  atMs: number;
  member: string;
  incarnation: number;
  term: number;
  role: MemberObservation['role'];
  commit: number;
  entries: LogEntry[];
}

/** An entry that a member applied; in order per member and incarnation. */
export interface AppliedEntry extends LogEntry {
  atMs: number;
  member: string;
  incarnation: number;
  /** Revision after it. */
  revision: number;
}

/** What one revision changed, as the first member that applied it had it in its own history. */
export interface AppliedWrite {
  atMs: number;
  revision: number;
  effects: { type: 'put' | 'delete'; key: string; value: string; lease: string }[];
}

/** Something was done to the cluster. For traces, and for oracles that allow for it. */
export interface FaultEvent {
  atMs: number;
  kind: string;
  /** Names of the members concerned. */
  members: string[];
  detail: string;
  /** How long after it was mended every member answered again. Undefined if that was not waited for. */
  healedInMs?: number;
}

export interface History {
  seed: number;
  quotaBytes: number;
  /** Election timeout; leases are prolonged by it when the leader changes. */
  electionTimeoutMs: number;
  /** How much faster or slower than true time a member's clock may run, e.g. 0.05. */
  maxClockDrift: number;
  operations: Operation[];
  watches: WatchStream[];
  leases: LeaseEvent[];
  observations: MemberObservation[];
  logs: LogObservation[];
  applied: AppliedEntry[];
  /** When the first member applied them, also those that no client asked for. Undefined if nobody could see. */
  compactions?: { atMs: number; revision: number }[];
  /** Every revision's. Undefined if nobody could look into the members. */
  writes?: AppliedWrite[];
  faults: FaultEvent[];
  /** After the liveness phase: the whole state, key by key, and its revision. Undefined if the run did not get there. */
  final:
    | { atMs: number; revision: number; kvs: KeyValue[]; leases: string[]; hashes: KvHash[] }
    | undefined;
}
