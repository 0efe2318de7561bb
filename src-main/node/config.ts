import { resolve } from 'node:path';
import { DEFAULT_WATCH_PROGRESS_INTERVAL_MS } from './api/deps.ts';
import { ConfigError } from './config/errors.ts';
import type { Settings } from './config/flags.ts';
import { helpText } from './config/help.ts';
import { readSettings } from './config/settings.ts';
import {
  type AutoCompaction,
  type InitialMember,
  parseRetention,
  parseUrl,
} from './config/values.ts';
import { NODE_VERSION } from './version.ts';

export { ConfigError } from './config/errors.ts';
export {
  type Address,
  type AutoCompaction,
  type InitialMember,
  parseUrl,
} from './config/values.ts';

const MIN_WATCH_PROGRESS_INTERVAL_MS = 100;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** A node's settings, from etcd's flags of the same names (config/flags.ts). */
export interface NodeConfig {
  name: string;
  dataDir: string;
  listenClientUrls: string[];
  advertiseClientUrls: string[];
  listenPeerUrls: string[];
  initialAdvertisePeerUrls: string[];
  initialCluster: InitialMember[];
  initialClusterState: 'new' | 'existing';
  initialClusterToken: string;
  /** Refuse changes of membership that would lose the quorum. */
  strictReconfigCheck: boolean;
  /** A new cluster answers v3 requests only once every member has joined. */
  strictCapability: boolean;
  /** Learners that the cluster may have at once. */
  maxLearners: number;
  heartbeatIntervalMs: number;
  electionTimeoutMs: number;
  preVote: boolean;
  snapshotCount: number;
  quotaBackendBytes: number;
  autoCompaction: AutoCompaction;
  /** Rows of history that a compaction removes in one go, and its rest after each. */
  compactionBatchLimit: number;
  compactionSleepMs: number;
  maxTxnOps: number;
  maxRequestBytes: number;
  /** Compare the data with the other members before serving. */
  initialCorruptCheck: boolean;
  /** Between comparisons with the other members; 0 is off. */
  corruptCheckIntervalMs: number;
  /** Between progress notifications to an idle watcher. */
  watchProgressIntervalMs: number;
  /** Clients may disturb this member's links and disk. */
  faultLab: boolean;
  /** A snapshot that a first start begins with; whoever has data already ignores it. */
  restoreFrom: string | undefined;
  logLevel: LogLevel;
  /** Files to log to besides, or instead of, stderr. */
  logOutputs: string[];
}

/**
 * Reads flags and ETCD_* variables. Throws ConfigError in one clear line; undefined if help or the version was asked
 * for, and shown.
 */
export function parseNodeFlags(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): NodeConfig | undefined {
  const line = readSettings(args, env);
  if (line.wants === 'run') return checkConfig(line.settings);
  process.stdout.write(line.wants === 'help' ? helpText() : `${NODE_VERSION}\n`);
  return undefined;
}

function checkConfig(settings: Settings): NodeConfig {
  const { name } = settings;
  const peerUrls = settings['initial-advertise-peer-urls'] ?? settings['listen-peer-urls'];
  const initialCluster = settings['initial-cluster'] ?? [{ name, peerUrls }];
  checkSelf(name, peerUrls, initialCluster);
  checkTiming(settings['heartbeat-interval'], settings['election-timeout']);
  const mode = settings['auto-compaction-mode'];
  const faultLab = settings['experimental-fault-lab'];
  if (faultLab) checkLoopback(settings['listen-client-urls']);
  return {
    name,
    dataDir: resolve(settings['data-dir'] ?? `${name}.raftdeck`),
    listenClientUrls: settings['listen-client-urls'],
    advertiseClientUrls: settings['advertise-client-urls'] ?? settings['listen-client-urls'],
    listenPeerUrls: settings['listen-peer-urls'],
    initialAdvertisePeerUrls: peerUrls,
    initialCluster,
    initialClusterState: settings['initial-cluster-state'],
    initialClusterToken: settings['initial-cluster-token'],
    strictReconfigCheck: settings['strict-reconfig-check'],
    strictCapability: settings['strict-capability'],
    maxLearners: settings['experimental-max-learners'],
    heartbeatIntervalMs: settings['heartbeat-interval'],
    electionTimeoutMs: settings['election-timeout'],
    preVote: settings['pre-vote'],
    snapshotCount: settings['snapshot-count'],
    quotaBackendBytes: settings['quota-backend-bytes'],
    autoCompaction: {
      mode,
      retention: parseRetention(mode, settings['auto-compaction-retention']),
    },
    compactionBatchLimit: settings['experimental-compaction-batch-limit'],
    compactionSleepMs: settings['experimental-compaction-sleep-interval'],
    maxTxnOps: settings['max-txn-ops'],
    maxRequestBytes: settings['max-request-bytes'],
    initialCorruptCheck: settings['experimental-initial-corrupt-check'],
    corruptCheckIntervalMs: settings['experimental-corrupt-check-time'],
    watchProgressIntervalMs: watchInterval(settings),
    faultLab,
    restoreFrom: restoreFile(settings),
    logLevel: logLevel(settings['log-level']),
    logOutputs: settings['log-outputs'],
  };
}

function checkSelf(name: string, peerUrls: string[], initialCluster: InitialMember[]): void {
  const self = initialCluster.find((member) => member.name === name);
  if (self === undefined) {
    throw new ConfigError(
      `--initial-cluster has no member "${name}"`,
      `Add ${name}=${peerUrls[0]} to it, or correct --name.`,
    );
  }
  const [listed, told] = [self.peerUrls, peerUrls].map((urls) => [...urls].sort().join());
  if (listed !== told) {
    throw new ConfigError(
      `--initial-cluster gives "${name}" ${listed} but --initial-advertise-peer-urls is ${told}`,
    );
  }
}

function checkTiming(heartbeatMs: number, electionMs: number): void {
  // The tuning guide's rule: an election needs several heartbeats, or leaders fall for nothing.
  if (electionMs < 2 * heartbeatMs) {
    throw new ConfigError(
      `--election-timeout ${electionMs} must be at least twice --heartbeat-interval ${heartbeatMs}`,
    );
  }
  if (electionMs > 50_000) throw new ConfigError(`--election-timeout ${electionMs} is over 50000`);
}

/** Whoever can reach a fault lab can take the member down. */
function checkLoopback(clientUrls: string[]): void {
  const open = clientUrls.find((url) => !isLoopback(parseUrl(url).host));
  if (open === undefined) return;
  throw new ConfigError(
    `--experimental-fault-lab is for members that serve 127.0.0.1 alone, not ${open}`,
    'Leave it out, or set --listen-client-urls to http://127.0.0.1:<port>.',
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Who joins gets the state of the cluster that is there. */
function restoreFile(settings: Settings): string | undefined {
  const file = settings['experimental-restore-from'];
  if (file === undefined) return undefined;
  if (settings['initial-cluster-state'] === 'new') return resolve(file);
  throw new ConfigError(
    '--experimental-restore-from is for members of a new cluster',
    'Leave it out: who joins a cluster gets the state that is there.',
  );
}

/** etcd's: 0 is the default, and less than a tenth of a second is a tenth of a second. */
function watchInterval(settings: Settings): number {
  const ms = settings['experimental-watch-progress-notify-interval'];
  return ms === 0
    ? DEFAULT_WATCH_PROGRESS_INTERVAL_MS
    : Math.max(MIN_WATCH_PROGRESS_INTERVAL_MS, ms);
}

function logLevel(level: Settings['log-level']): LogLevel {
  return level === 'dpanic' || level === 'panic' ? 'fatal' : level;
}
