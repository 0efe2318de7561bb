import { idToHex } from '../../src-main/base/bytes.ts';
import { type NodeConfig, parseNodeFlags } from '../../src-main/node/config.ts';
import { Chance } from './chance.ts';
import { count } from './coverage.ts';
import type { History } from './history.ts';
import { Recorder } from './recorder.ts';
import { SimMember } from './sim-member.ts';
import { SimNetwork } from './sim-network.ts';
import { World } from './world.ts';

/** What a seed decides of a cluster besides its members. */
export interface Settings {
  members: number;
  electionTimeoutMs: number;
  heartbeatIntervalMs: number;
  preVote: boolean;
  snapshotCount: number;
  quotaBytes: number;
  compactionBatchLimit: number;
  compactionSleepMs: number;
  autoCompactRetentionMs: number;
  corruptCheckIntervalMs: number;
  watchProgressIntervalMs: number;
  strictReconfigCheck: boolean;
  /** How much faster or slower than true time a clock may run. */
  maxClockDrift: number;
}

export function drawSettings(chance: Chance): Settings {
  // About what people run: heartbeats more often than that take the time in which something could happen.
  const electionTimeoutMs = chance.pick([500, 1_000, 1_000, 2_000]) ?? 1_000;
  return {
    members: chance.pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7]) ?? 3,
    electionTimeoutMs,
    heartbeatIntervalMs: electionTimeoutMs / (chance.pick([3, 5, 10, 10]) ?? 10),
    preVote: chance.happens(0.8),
    // Small ones let whoever was away for a while need a snapshot.
    snapshotCount: chance.happens(0.5) ? chance.integer(4, 40) : chance.integer(20, 300),
    quotaBytes: chance.happens(0.2) ? chance.integer(8_000, 60_000) : 0,
    // Slow ones are under way for long, and not as far everywhere.
    compactionBatchLimit: chance.happens(0.5) ? chance.integer(3, 20) : chance.integer(1, 200),
    compactionSleepMs: chance.happens(0.5) ? chance.integer(0, 5) : chance.integer(5, 80),
    autoCompactRetentionMs: chance.happens(0.2) ? chance.integer(10_000, 30_000) : 0,
    corruptCheckIntervalMs: chance.happens(0.5) ? chance.integer(2_000, 10_000) : 0,
    watchProgressIntervalMs: chance.integer(100, 2_000),
    strictReconfigCheck: chance.happens(0.7),
    maxClockDrift: chance.happens(0.5) ? 0 : 0.05,
  };
}

export function nameOf(number: number): string {
  return `m${number}`;
}

/** A whole cluster in one process: its members, its network, and the record of what happens. */
export class SimCluster {
  readonly seed: number;
  readonly world = new World();
  readonly settings: Settings;
  readonly network: SimNetwork;
  readonly recorder: Recorder;
  readonly history: History;
  readonly members: SimMember[] = [];
  readonly #chance: Chance;
  /** Until then a change of the membership may come true that nobody knows of: no disk may be lost. */
  membershipUnsureUntilMs = 0;
  /** An administrator is at it. */
  membershipChanges = false;

  constructor(seed: number, settings: Settings) {
    this.seed = seed;
    this.settings = settings;
    this.#chance = Chance.of(seed, 'cluster');
    this.network = new SimNetwork(this.world, Chance.of(seed, 'network'));
    this.history = {
      seed,
      quotaBytes: settings.quotaBytes,
      electionTimeoutMs: settings.electionTimeoutMs,
      maxClockDrift: settings.maxClockDrift,
      operations: [],
      watches: [],
      leases: [],
      observations: [],
      logs: [],
      applied: [],
      writes: [],
      compactions: [],
      faults: [],
      final: undefined,
    };
    this.recorder = new Recorder(this.world, this.history);
    this.network.count = (what) => count(this.recorder.coverage, what);
    const names = Array.from({ length: settings.members }, (_, i) => nameOf(i + 1));
    for (const name of names) this.#make(name, names, 'new');
  }

  start(): void {
    for (const member of this.members) {
      this.world.after(this.#chance.around(20), () => member.start());
    }
  }

  running(): SimMember[] {
    return this.members.filter(({ isRunning }) => isRunning);
  }

  /** Members whose disk is sound and that are part of the cluster, as far as anybody knows. */
  present(): SimMember[] {
    return this.members.filter(({ phase }) => phase !== 'removed' && phase !== 'lost');
  }

  leader(): SimMember | undefined {
    return this.running().find(({ node }) => node?.raftStatus().role === 'leader');
  }

  byId(id: string): SimMember | undefined {
    return this.members.find(({ memberId }) => memberId !== undefined && idToHex(memberId) === id);
  }

  /** A disk is lost, or may be at any time. */
  get isLosing(): boolean {
    return this.members.some(
      ({ phase, disk }) =>
        phase !== 'removed' && (phase === 'lost' || disk.hasLied || disk.trouble.lies),
    );
  }

  /** Whether the others go on for sure without that member, and can replace it. */
  mayLose(member: SimMember): boolean {
    if (this.isLosing || this.membershipChanges || this.world.nowMs < this.membershipUnsureUntilMs)
      return false;
    // Everybody must agree on who votes: a change under way could make it too many.
    const configurations = new Set<string>();
    for (const one of this.present()) {
      const voters = one.node?.raftStatus().confState.voters ?? [];
      configurations.add([...voters].sort().join());
      if (voters.length < 3 || !voters.includes(member.memberId ?? 0n)) return false;
    }
    return configurations.size === 1;
  }

  /** A member to come: it starts, and joins once the cluster knows its URL. */
  newcomer(): SimMember {
    const known = this.present().map(({ name }) => name);
    const name = nameOf(this.members.length + 1);
    return this.#make(name, [...known, name], 'existing');
  }

  #make(name: string, names: string[], state: 'new' | 'existing'): SimMember {
    const { world, network, recorder, seed, settings } = this;
    const config = configOf(name, names, state, settings);
    const member = new SimMember({ world, network, recorder, seed }, name, config);
    const drift = settings.maxClockDrift;
    member.clockRate = this.#chance.between(1 - drift, 1 + drift);
    this.members.push(member);
    return member;
  }
}

export function peerUrl(name: string): string {
  return `http://${name}:2380`;
}

function configOf(
  name: string,
  names: string[],
  state: 'new' | 'existing',
  settings: Settings,
): NodeConfig {
  const config = parseNodeFlags([
    `--name=${name}`,
    `--data-dir=/${name}`,
    `--listen-peer-urls=${peerUrl(name)}`,
    `--initial-advertise-peer-urls=${peerUrl(name)}`,
    `--initial-cluster=${names.map((one) => `${one}=${peerUrl(one)}`).join()}`,
    `--initial-cluster-state=${state}`,
    `--pre-vote=${settings.preVote}`,
    `--strict-reconfig-check=${settings.strictReconfigCheck}`,
  ]);
  if (config === undefined) throw new Error('the flags ask for nothing but help');
  return {
    ...config,
    heartbeatIntervalMs: settings.heartbeatIntervalMs,
    electionTimeoutMs: settings.electionTimeoutMs,
    snapshotCount: settings.snapshotCount,
    quotaBackendBytes: settings.quotaBytes,
    autoCompaction: { mode: 'periodic', retention: settings.autoCompactRetentionMs },
    compactionBatchLimit: settings.compactionBatchLimit,
    compactionSleepMs: settings.compactionSleepMs,
    corruptCheckIntervalMs: settings.corruptCheckIntervalMs,
    watchProgressIntervalMs: settings.watchProgressIntervalMs,
    maxLearners: 2,
  };
}
