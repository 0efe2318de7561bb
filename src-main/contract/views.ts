/**
 * What the views are shown: plain data that survives structured clone and MessagePack.
 * Keys and values are bytes. Lease and member ids are hex as etcdctl prints them. Times are Unix milliseconds.
 */
export type ClusterKind = 'local' | 'remote';
export type ClusterHealth =
  | 'healthy'
  | 'degraded'
  | 'noQuorum'
  | 'stopped'
  | 'unreachable'
  | 'starting';

export interface ClusterSummary {
  id: string;
  name: string;
  kind: ClusterKind;
  endpoints: string[];
  nodeCount: number;
  upCount: number;
  health: ClusterHealth;
  /** Alarms in force, e.g. NOSPACE. */
  alarms: string[];
}

export type NodeProcessState =
  | 'stopped'
  | 'starting'
  | 'running'
  | 'paused'
  | 'stopping'
  | 'crashed'
  | 'backoff';

export type NodeRole = 'leader' | 'follower' | 'candidate' | 'learner' | 'down' | 'unknown';

export interface NodeView {
  name: string;
  /** Member id in hex, once known. */
  memberId: string | null;
  role: NodeRole;
  clientUrl: string;
  peerUrl: string | null;
  term: number | null;
  commitIndex: number | null;
  appliedIndex: number | null;
  dbSizeBytes: number | null;
  dbSizeInUseBytes: number | null;
  version: string | null;
  /** Round trip of the last Status call. */
  latencyMs: number | null;
  /** Why it does not answer, in one line. */
  error: string | null;
  /** What the node itself reports as wrong, e.g. "NOSPACE". */
  warnings: string[];
  /** Local clusters only. */
  process: {
    state: NodeProcessState;
    pid: number | null;
    startedAtMs: number | null;
    restarts: number;
    nextRestartAtMs: number | null;
    /** How it ended last, e.g. "killed by SIGKILL", "exited with code 1: …". */
    lastExit: string | null;
  } | null;
}

/** What happened in a cluster as the app saw it: leader changes, starts, crashes, compactions. */
export interface ClusterEvent {
  id: number;
  atMs: number;
  node: string | null;
  kind:
    | 'leader'
    | 'noLeader'
    | 'started'
    | 'stopped'
    | 'killed'
    | 'crashed'
    | 'restarting'
    | 'alarm'
    | 'compacted'
    | 'defragmented'
    | 'reachable'
    | 'unreachable';
  /** English one-liner; the renderer may word it by kind and detail instead. */
  text: string;
  detail: Record<string, string | number>;
}

export interface ClusterOverview {
  cluster: ClusterSummary;
  clusterIdHex: string | null;
  /** Highest revision seen on any member. */
  revision: number | null;
  leader: string | null;
  term: number | null;
  leaderSinceMs: number | null;
  /** Set while there is no leader. */
  noLeaderSinceMs: number | null;
  quorum: number;
  nodes: NodeView[];
  /** Newest first, bounded. */
  events: ClusterEvent[];
  atMs: number;
}

export interface KeyRow {
  key: Uint8Array;
  createRevision: number;
  modRevision: number;
  version: number;
  lease: string | null;
  /** Bytes, where the listing carried values; null for keys-only listings. */
  valueBytes: number | null;
}

export interface KeyPage {
  rows: KeyRow[];
  /** Keys that match at `revision`, from the first one of this page on. */
  count: number;
  /** Revision the page was read at: pass it on to page consistently. */
  revision: number;
  /** Pass as `after` for the next page; null at the end. */
  next: Uint8Array | null;
}

export interface KeyDetail extends KeyRow {
  value: Uint8Array;
  valueBytes: number;
  /** Seconds left on its lease, if any. */
  leaseTtl: number | null;
  /** Revision of the store as this was read. */
  revision: number;
}

/** One version of a key; its value is read at `modRevision`. */
export interface KeyVersion {
  modRevision: number;
  createRevision: number;
  version: number;
  lease: string | null;
}

export interface KeyHistoryPage {
  /** Newest first. */
  versions: KeyVersion[];
  /**
   * Why it ends here: there is more; the last one is the first version since the key was created;
   * the key is not there at the revision asked for; older revisions are compacted.
   */
  end: 'more' | 'created' | 'absent' | 'compacted';
  /** Pass as `before` for the next page; null if there is none. */
  next: number | null;
}

export interface WatchEventView {
  type: 'put' | 'delete';
  key: Uint8Array;
  value: Uint8Array | null;
  prevValue: Uint8Array | null;
  modRevision: number;
  createRevision: number;
  version: number;
  lease: string | null;
  receivedAtMs: number;
}

export type WatchItem =
  | { kind: 'opened'; revision: number; node: string }
  | { kind: 'events'; events: WatchEventView[] }
  /** The same, packed (watch-batch.ts), if the watch was opened so. */
  | { kind: 'batch'; count: number; bytes: Uint8Array }
  /** The stream broke and is being resumed at `nextRevision`: nothing is lost unless `compacted` follows. */
  | { kind: 'reconnecting'; nextRevision: number; error: string }
  | { kind: 'compacted'; compactRevision: number }
  | { kind: 'failed'; error: string };

export interface LeaseRow {
  id: string;
  /** Seconds left when read; -1 once it is gone. */
  ttl: number;
  grantedTtl: number;
  keyCount: number;
  /** The first few attached keys. */
  keys: Uint8Array[];
  /** This app sends keep-alives for it. */
  keepAlive: boolean;
}

export interface LeaseList {
  leases: LeaseRow[];
  /** All leases in the cluster; `leases` may be cut. */
  total: number;
  readAtMs: number;
}

export interface StorageMember {
  name: string;
  memberId: string;
  role: NodeRole;
  dbSizeBytes: number;
  dbSizeInUseBytes: number;
}

export interface StorageView {
  members: StorageMember[];
  /** null where the cluster does not tell (a remote etcd without readable metrics). */
  quotaBytes: number | null;
  revision: number;
  /** Highest compacted revision as far as known. */
  compactRevision: number | null;
  keyCount: number | null;
  alarms: { memberId: string; name: string; type: 'NOSPACE' | 'CORRUPT' }[];
  /** Size and revision over time since the app started watching, oldest first, bounded. */
  samples: { atMs: number; dbSizeBytes: number; inUseBytes: number; revision: number }[];
  unreachable: { name: string; error: string }[];
  atMs: number;
}

export interface LogLine {
  /** Grows by one per line and node. */
  seq: number;
  node: string;
  atMs: number | null;
  level: 'debug' | 'info' | 'warn' | 'error';
  message: string;
  fields: Record<string, unknown>;
}

export interface AppInfo {
  version: string;
  host: 'electron' | 'browser';
  platform: string;
  dataDir: string;
  nodeVersion: string;
}

export interface Settings {
  theme: 'system' | 'light' | 'dark';
  language: 'system' | 'en' | 'zh';
  density: 'compact' | 'comfortable';
}

export interface EndpointTest {
  endpoint: string;
  ok: boolean;
  version: string | null;
  latencyMs: number | null;
  error: string | null;
  hint: string | null;
}

/** How a leader sees one other member (Raft thesis, 10.2.1; the states are those of etcd's progress). */
export interface FollowerView {
  /** Name, or the id in hex where it has none yet. */
  name: string;
  memberId: string;
  match: number;
  next: number;
  state: 'probe' | 'replicate' | 'snapshot';
  /** Appends under way. */
  inflight: number;
  recentActive: boolean;
  learner: boolean;
  /** The newest heartbeat's, there and back; null if none was measured. */
  roundTripMs: number | null;
}

/** What is wrong with a member on purpose. Links by the name of the member at the other end. */
export interface FaultsView {
  links: {
    peer: string;
    cutOutgoing: boolean;
    cutIncoming: boolean;
    delayMs: number;
    /** Of a thousand messages so many are lost. */
    lossPerMille: number;
  }[];
  disk: { syncDelayMs: number; error: 'none' | 'full' | 'broken' };
  /** When all of it ends by itself; null: not by itself. */
  endsAtMs: number | null;
}

export interface RaftMemberView {
  name: string;
  memberId: string | null;
  /** Our nodes tell all of it; etcd's Status tells role, term and indexes; null: it does not answer. */
  source: 'inspect' | 'status' | null;
  /** Why it does not answer. */
  error: string | null;
  process: NodeProcessState | null;
  role: NodeRole;
  term: number | null;
  /** Whom it voted for in this term, by name; null for nobody, or not told. */
  vote: string | null;
  leader: string | null;
  commit: number | null;
  applied: number | null;
  firstIndex: number | null;
  lastIndex: number | null;
  lastTerm: number | null;
  /** Of a follower: time since it heard its leader, and when it would ask for an election. */
  election: { elapsedMs: number; deadlineMs: number } | null;
  log: { walBytes: number; walSegments: number; compactedIndex: number } | null;
  /** A snapshot is replacing its state. */
  installing: boolean;
  /** Of the leader. */
  followers: FollowerView[];
  /** null: it cannot be disturbed. */
  faults: FaultsView | null;
}

/** What happened to one member's Raft, by its own account. */
export interface RaftEventView {
  id: string;
  atMs: number;
  node: string;
  kind:
    | 'started'
    | 'role'
    | 'leaderKnown'
    | 'leaderLost'
    | 'confChange'
    | 'snapshotSent'
    | 'snapshotFailed'
    | 'snapshotInstalled'
    | 'faults';
  term: number;
  role: 'follower' | 'preCandidate' | 'candidate' | 'leader';
  /** The leader, or the member that a snapshot went to; null for nobody. */
  member: string | null;
  index: number;
}

export interface RaftView {
  members: RaftMemberView[];
  leader: string | null;
  term: number | null;
  quorum: number;
  /** Newest first, bounded. */
  events: RaftEventView[];
  /** Heartbeat and least election time-out, where a member tells. */
  timing: { heartbeatMs: number; electionMs: number } | null;
  /** Some member can be disturbed on purpose. */
  faultLab: boolean;
  atMs: number;
}
