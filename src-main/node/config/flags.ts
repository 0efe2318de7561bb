import {
  boolean,
  choice,
  duration,
  integer,
  list,
  nonEmpty,
  parseInitialCluster,
  text,
  urls,
} from './values.ts';

/** One setting: a flag, and a variable of the same name. */
export interface Flag<T> {
  /** What stands for the value in the help; undefined for a switch, which needs none. */
  takes: string | undefined;
  parse(value: string): T;
  /** In the form in which a user would write it; undefined if there is none. */
  fallback: string | undefined;
  help: string;
}

function flag<T>(
  takes: string,
  parse: (value: string) => T,
  fallback: string,
  help: string,
): Flag<T> {
  return { takes, parse, fallback, help };
}

/** Without a default. */
function optional<T>(
  takes: string,
  parse: (value: string) => T,
  help: string,
): Flag<T | undefined> {
  return { takes, parse, fallback: undefined, help };
}

/** Go's boolean flag: `--x`, `--x=true`, `--x=false`. */
function onOff(fallback: boolean, help: string): Flag<boolean> {
  return { takes: undefined, parse: boolean, fallback: String(fallback), help };
}

const LEVELS = ['debug', 'info', 'warn', 'error', 'dpanic', 'panic', 'fatal'] as const;

/** Every setting of a node. The names and, where they are not noted as ours, the meanings are etcd's. */
export const FLAGS = {
  name: flag('<name>', nonEmpty, 'default', 'human-readable name of this member'),
  'data-dir': optional('<dir>', text, 'data folder (default: <name>.raftdeck)'),
  'listen-client-urls': flag('<urls>', urls, 'http://127.0.0.1:2379', 'where to serve clients'),
  'advertise-client-urls': optional('<urls>', urls, 'client URLs told to others'),
  'listen-peer-urls': flag('<urls>', urls, 'http://127.0.0.1:2380', 'where to serve members'),
  'initial-advertise-peer-urls': optional('<urls>', urls, 'peer URLs told to others'),
  'initial-cluster': optional('<list>', parseInitialCluster, 'name=peerUrl,… of the first members'),
  'initial-cluster-state': flag('<state>', choice('new', 'existing'), 'new', 'new or existing'),
  'initial-cluster-token': flag('<token>', text, 'etcd-cluster', 'sets clusters apart'),
  'strict-reconfig-check': onOff(true, 'refuse changes of membership that would lose the quorum'),
  'strict-capability': onOff(
    false,
    "a new cluster serves only once every member has joined (ours, not etcd's)",
  ),
  'heartbeat-interval': flag('<ms>', integer(1), '100', 'time between heartbeats'),
  'election-timeout': flag('<ms>', integer(10), '1000', 'time without a leader before an election'),
  'pre-vote': onOff(true, 'ask before an election, so that nobody who rejoins disturbs a leader'),
  'snapshot-count': flag('<n>', integer(1), '10000', 'applied entries between log compactions'),
  'max-wals': flag(
    '<n>',
    integer(0),
    '5',
    'taken as in etcd; log files that no restart needs always go at once, the others never',
  ),
  'max-snapshots': flag(
    '<n>',
    integer(0),
    '5',
    'taken as in etcd; there is one state, and no snapshot files are kept',
  ),
  'quota-backend-bytes': flag('<n>', integer(-1), '0', '0: 2 GiB; negative: no limit'),
  'auto-compaction-mode': flag(
    '<mode>',
    choice('periodic', 'revision'),
    'periodic',
    'periodic or revision',
  ),
  'auto-compaction-retention': flag('<value>', text, '0', 'how much history to keep; 0: all'),
  'max-txn-ops': flag('<n>', integer(1), '128', 'operations in one transaction'),
  'max-request-bytes': flag('<n>', integer(1), '1572864', 'largest request'),
  'experimental-max-learners': flag('<n>', integer(0), '1', 'learners in the cluster'),
  'experimental-initial-corrupt-check': onOff(
    false,
    'compare the data with the other members before serving',
  ),
  'experimental-corrupt-check-time': flag(
    '<duration>',
    duration,
    '0s',
    'time between comparisons of the data with the other members; 0: none',
  ),
  'experimental-watch-progress-notify-interval': flag(
    '<duration>',
    duration,
    '10m',
    'time between progress notifications to idle watchers',
  ),
  'experimental-compaction-batch-limit': flag(
    '<n>',
    integer(1, 100_000),
    '50',
    'rows of history that a compaction removes before it lets requests pass (etcd: 1000)',
  ),
  'experimental-compaction-sleep-interval': flag(
    '<duration>',
    duration,
    '0s',
    'least rest of a compaction after each of these; it rests three times as long as it worked',
  ),
  'experimental-fault-lab': onOff(
    false,
    "let clients cut links, slow down or break the disk of this member (ours, not etcd's); on 127.0.0.1 only",
  ),
  'experimental-restore-from': optional(
    '<file>',
    text,
    "a first start begins with this snapshot's keys and leases (ours, not etcd's)",
  ),
  logger: flag('<kind>', choice('zap'), 'zap', 'zap: lines of JSON, the only kind there is'),
  'log-level': flag('<level>', choice(...LEVELS), 'info', `least level to log: ${LEVELS.join()}`),
  'log-outputs': flag('<list>', list, 'stderr', 'default, stderr, stdout or files'),
};

export type FlagName = keyof typeof FLAGS;
export type Settings = { [Name in FlagName]: ReturnType<(typeof FLAGS)[Name]['parse']> };

/** etcd's rule: `--initial-cluster` is ETCD_INITIAL_CLUSTER. */
export const VARIABLE_PREFIX = 'ETCD_';

export function variableOf(name: string): string {
  return VARIABLE_PREFIX + name.toUpperCase().replaceAll('-', '_');
}

export function isFlag(name: string): name is FlagName {
  return Object.hasOwn(FLAGS, name);
}
