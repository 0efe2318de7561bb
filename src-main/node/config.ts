import { resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { CodedError } from '../base/errors.ts';

export interface Address {
  host: string;
  port: number;
}

export interface InitialMember {
  name: string;
  peerUrls: string[];
}

export interface AutoCompaction {
  mode: 'periodic' | 'revision';
  /** Milliseconds for periodic, revisions for revision; 0 is off. */
  retention: number;
}

/** A node's settings, from etcd's flags of the same names. */
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
  heartbeatIntervalMs: number;
  electionTimeoutMs: number;
  snapshotCount: number;
  quotaBackendBytes: number;
  autoCompaction: AutoCompaction;
  strictReconfigCheck: boolean;
  strictCapability: boolean;
  maxLearners: number;
  maxTxnOps: number;
  maxRequestBytes: number;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Files to log to besides, or instead of, stderr. */
  logOutputs: string[];
}

export class ConfigError extends CodedError<'InvalidConfig'> {
  constructor(message: string, hint?: string) {
    super('InvalidConfig', message, hint === undefined ? {} : { hint });
  }
}

/** Splits `http://host:port`. Only plain http until TLS is served. */
export function parseUrl(url: string): Address {
  const match = /^http:\/\/(\[[0-9a-fA-F:]+\]|[^:/[\]]+):(\d{1,5})\/?$/.exec(url);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new ConfigError(
      `"${url}" is not a URL of the form http://host:port`,
      url.startsWith('https:') ? 'TLS listeners are not available yet; use http://.' : undefined,
    );
  }
  return { host: (match[1] as string).replace(/^\[|\]$/g, ''), port };
}

function urls(value: string): string[] {
  const list = value.split(',').map((url) => url.trim().replace(/\/$/, ''));
  for (const url of list) {
    try {
      parseUrl(url);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  }
  return list;
}

function integer(min: number, max = Number.MAX_SAFE_INTEGER): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^-?\d+$/.test(value) || number < min || number > max) {
      throw new InvalidArgumentError(`It must be an integer of at least ${min}.`);
    }
    return number;
  };
}

/** `name=url,name=url`; a name that comes twice has several URLs, as in etcd. */
export function parseInitialCluster(value: string): InitialMember[] {
  const members = new Map<string, string[]>();
  for (const part of value.split(',')) {
    const at = part.indexOf('=');
    if (at <= 0)
      throw new InvalidArgumentError(`"${part}" is not of the form name=http://host:port.`);
    const name = part.slice(0, at).trim();
    const list = members.get(name) ?? [];
    list.push(...urls(part.slice(at + 1)));
    members.set(name, list);
  }
  return [...members].map(([name, peerUrls]) => ({ name, peerUrls }));
}

const DURATION_UNITS_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** etcd's rule: a bare number is hours for periodic and revisions for revision; else a Go duration. */
export function parseRetention(mode: AutoCompaction['mode'], value: string): number {
  if (/^\d+$/.test(value)) return Number(value) * (mode === 'periodic' ? 3_600_000 : 1);
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (mode === 'revision' || parts.length === 0 || parts.map((p) => p[0]).join('') !== value) {
    throw new ConfigError(
      `--auto-compaction-retention "${value}" is not ${mode === 'revision' ? 'a number of revisions' : 'a duration such as 30m or 1h'}`,
    );
  }
  return parts.reduce((sum, p) => sum + Number(p[1]) * (DURATION_UNITS_MS[p[2] as string] ?? 0), 0);
}

export function nodeCommand(): Command {
  const command = new Command('node')
    .description("Run one store node in the foreground. Takes etcd's flags of the same names.")
    .allowExcessArguments(false)
    .showSuggestionAfterError()
    .option('--name <name>', 'human-readable name of this member', 'default')
    .option('--data-dir <dir>', 'data folder (default: <name>.raftdeck)')
    .option('--listen-client-urls <urls>', 'where to serve clients', urls, [
      'http://127.0.0.1:2379',
    ])
    .option('--advertise-client-urls <urls>', 'client URLs told to others', urls)
    .option('--listen-peer-urls <urls>', 'where to serve members', urls, ['http://127.0.0.1:2380'])
    .option('--initial-advertise-peer-urls <urls>', 'peer URLs told to others', urls)
    .option('--initial-cluster <list>', 'name=peerUrl,… of a new cluster', parseInitialCluster)
    .addOption(
      new Option('--initial-cluster-state <state>', 'new or existing')
        .choices(['new', 'existing'])
        .default('new'),
    )
    .option('--initial-cluster-token <token>', 'sets clusters apart', 'etcd-cluster')
    .option('--heartbeat-interval <ms>', 'time between heartbeats', integer(1), 100)
    .option(
      '--election-timeout <ms>',
      'time without a leader before an election',
      integer(10),
      1000,
    )
    .option('--snapshot-count <n>', 'applied entries between log compactions', integer(1), 10_000)
    .option('--quota-backend-bytes <n>', '0: 2 GiB; negative: no limit', integer(-1), 0);
  return command
    .addOption(
      new Option('--auto-compaction-mode <mode>', 'periodic or revision')
        .choices(['periodic', 'revision'])
        .default('periodic'),
    )
    .option('--auto-compaction-retention <value>', 'how much history to keep; 0: all', '0')
    .option('--max-txn-ops <n>', 'operations in one transaction', integer(1), 128)
    .option('--max-request-bytes <n>', 'largest request', integer(1), 1.5 * 1024 * 1024)
    .addOption(
      new Option('--log-level <level>', 'least level to log')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .option('--log-outputs <list>', 'stderr, stdout or files, separated by commas', 'stderr');
}

/** Parses flags. Throws ConfigError in one clear line; undefined if help was asked for and shown. */
export function parseNodeFlags(args: string[]): NodeConfig | undefined {
  const command = nodeCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw new ConfigError(
      error.message.replace(/^error: /, '').replace(/\n/g, ' '),
      'See raftdeck node --help.',
    );
  }
  return checkConfig(command.opts());
}

/** How commander hands the flags over. */
interface RawFlags {
  name: string;
  dataDir?: string;
  listenClientUrls: string[];
  advertiseClientUrls?: string[];
  listenPeerUrls: string[];
  initialAdvertisePeerUrls?: string[];
  initialCluster?: InitialMember[];
  initialClusterState: 'new' | 'existing';
  initialClusterToken: string;
  heartbeatInterval: number;
  electionTimeout: number;
  snapshotCount: number;
  quotaBackendBytes: number;
  autoCompactionMode: AutoCompaction['mode'];
  autoCompactionRetention: string;
  maxTxnOps: number;
  maxRequestBytes: number;
  logLevel: NodeConfig['logLevel'];
  logOutputs: string;
}

function checkConfig(raw: RawFlags): NodeConfig {
  const peerUrls = raw.initialAdvertisePeerUrls ?? raw.listenPeerUrls;
  const initialCluster = raw.initialCluster ?? [{ name: raw.name, peerUrls }];
  const self = initialCluster.find((member) => member.name === raw.name);
  if (self === undefined) {
    throw new ConfigError(
      `--initial-cluster has no member "${raw.name}"`,
      `Add ${raw.name}=${peerUrls[0]} to it, or correct --name.`,
    );
  }
  if ([...self.peerUrls].sort().join() !== [...peerUrls].sort().join()) {
    throw new ConfigError(
      `--initial-cluster gives "${raw.name}" ${self.peerUrls.join()} but --initial-advertise-peer-urls is ${peerUrls.join()}`,
    );
  }
  // etcd's own rule (tuning guide): an election needs several heartbeats, or leaders fall for nothing.
  if (raw.electionTimeout < 2 * raw.heartbeatInterval) {
    throw new ConfigError(
      `--election-timeout ${raw.electionTimeout} must be at least twice --heartbeat-interval ${raw.heartbeatInterval}`,
    );
  }
  if (raw.electionTimeout > 50_000) {
    throw new ConfigError(`--election-timeout ${raw.electionTimeout} is over 50000`);
  }
  return {
    name: raw.name,
    dataDir: resolve(raw.dataDir ?? `${raw.name}.raftdeck`),
    listenClientUrls: raw.listenClientUrls,
    advertiseClientUrls: raw.advertiseClientUrls ?? raw.listenClientUrls,
    listenPeerUrls: raw.listenPeerUrls,
    initialAdvertisePeerUrls: peerUrls,
    initialCluster,
    initialClusterState: raw.initialClusterState,
    initialClusterToken: raw.initialClusterToken,
    heartbeatIntervalMs: raw.heartbeatInterval,
    electionTimeoutMs: raw.electionTimeout,
    snapshotCount: raw.snapshotCount,
    quotaBackendBytes: raw.quotaBackendBytes,
    autoCompaction: {
      mode: raw.autoCompactionMode,
      retention: parseRetention(raw.autoCompactionMode, raw.autoCompactionRetention),
    },
    strictReconfigCheck: true,
    strictCapability: false,
    maxLearners: 1,
    maxTxnOps: raw.maxTxnOps,
    maxRequestBytes: raw.maxRequestBytes,
    logLevel: raw.logLevel,
    logOutputs: raw.logOutputs.split(',').map((output) => output.trim()),
  };
}
