import type { Chance } from './chance.ts';
import type { SimCluster } from './cluster.ts';
import type { Fault } from './fault-kinds.ts';
import { Operations } from './operations.ts';
import { SimClient } from './sim-client.ts';
import type { SimMember } from './sim-member.ts';

/*
 * Harm that takes several steps in their right order, which faults that know nothing of each other would hardly ever
 * take. Each ends in what only Raft's finer rules keep from going wrong.
 */

/** The first number of a client that makes one call of a surge. */
const SURGE_CLIENTS = 1_000_000;
const SURGE_LEASES = 0x1000000000;
/** So many that the puts of a surge are not all about one key, which would be hard to judge. */
const KEYS = 100;
const POLL_MS = 10;
/** Entries that a leader must drop for a snapshot are brought about up to here. */
const MOST_SNAPSHOT_COUNT = 40;
const WAVE = 4;
const MOST_WAVES = 24;

/** One call of somebody who makes no other. */
function passerBy({ history, world, recorder }: SimCluster, chance: Chance): Operations {
  const id = SURGE_CLIENTS + history.operations.length;
  return new Operations(history, new SimClient(id, world, chance, recorder));
}

/** Many puts at once at one member, whose answers nobody waits for. */
function surge(cluster: SimCluster, chance: Chance, member: SimMember, count: number): void {
  for (let i = 0; i < count; i++) {
    const number = cluster.history.operations.length;
    void passerBy(cluster, chance).put(member, `s${number % KEYS}`, `s.${number}`);
  }
}

function voters(cluster: SimCluster): SimMember[] {
  return cluster.running().filter(({ node }) => node?.isLearner === false);
}

/**
 * A leader that is cut off takes many entries that nobody else gets. The others elect a successor, which is lost just
 * as the old leader comes back: its log is the longest, and must not win.
 */
function depose(cluster: SimCluster, chance: Chance): (() => void) | undefined {
  const { world, recorder, network } = cluster;
  const leader = cluster.leader();
  if (leader === undefined || voters(cluster).length < 3) return undefined;
  recorder.fault('depose', [leader]);
  const mends = cluster
    .present()
    .filter((other) => other !== leader)
    .flatMap(({ name }) => [
      network.cut(leader.name, name, 'drop'),
      network.cut(name, leader.name, 'drop'),
    ]);
  const mend = () => {
    for (const one of mends) one();
  };
  surge(cluster, chance, leader, chance.integer(5, 30));
  const aimMs = chance.between(0, 30);
  let lost: SimMember | undefined;
  let isOver = false;
  const strike = (successor: SimMember) => {
    if (isOver) return;
    lost = successor;
    successor.crash(chance.happens(0.5));
    successor.heldDown = true;
    mend();
  };
  const watch = () => {
    if (isOver) return;
    const isNew = (one: SimMember) => one !== leader && one.node?.raftStatus().role === 'leader';
    const successor = cluster.running().find(isNew);
    if (successor === undefined) world.after(POLL_MS, watch);
    else world.after(aimMs, () => strike(successor));
  };
  watch();
  return () => {
    isOver = true;
    mend();
    if (lost === undefined) return;
    lost.heldDown = false;
    lost.start();
  };
}

/**
 * What a member answers its leader waits on its connection until the leader has dropped the entries after the last one
 * that it knows to be there. Then the leader's connection breaks: it begins anew, with a snapshot, and that is overtaken
 * by the answers, and by the entries that follow from them.
 */
function stallAnswers(cluster: SimCluster, chance: Chance): (() => void) | undefined {
  const { world, recorder, network } = cluster;
  const leader = cluster.leader();
  const other = chance.pick(cluster.running().filter((one) => one !== leader));
  if (leader === undefined || other?.memberId === undefined) return undefined;
  if (cluster.settings.snapshotCount > MOST_SNAPSHOT_COUNT) return undefined;
  const id = other.memberId;
  recorder.fault('stall', [other], `what it answers ${leader.name}`);
  const before = network.trouble;
  const trouble = { ...before, stallStream: 0.06 };
  const firstIndex = leader.node?.raftStatus().firstIndex;
  let mend: (() => void) | undefined;
  let isOver = false;
  let waves = 0;
  const watch = () => {
    const status = leader.node?.raftStatus();
    const progress = status?.progress.find((one) => one.id === id);
    if (isOver || status?.role !== 'leader' || progress === undefined) return;
    if (mend !== undefined && progress.match + 1 < status.firstIndex) {
      leader.breakConnection(id);
      // It finds out where the other one is as soon as it has something to tell it.
      world.after(1, () => surge(cluster, chance, leader, 2));
      world.after(chance.between(5, 100), mend);
      return;
    }
    // Just after the log was cut: at the next cut it will lack little of what the other one has by then.
    if (mend === undefined && status.firstIndex !== firstIndex) {
      mend = network.cut(other.name, leader.name, 'stall');
      network.trouble = trouble;
    }
    if (++waves > MOST_WAVES) return;
    surge(cluster, chance, leader, WAVE);
    world.after(POLL_MS, watch);
  };
  watch();
  return () => {
    isOver = true;
    mend?.();
    if (network.trouble === trouble) network.trouble = before;
  };
}

/**
 * What a leader tells a member waits on its connection for less than an election time-out, but long enough for the
 * member to ask once more what it has asked already; meanwhile the leader goes on.
 */
function stallReads(cluster: SimCluster, chance: Chance): (() => void) | undefined {
  const { world, recorder, network } = cluster;
  const leader = cluster.leader();
  const other = chance.pick(voters(cluster).filter((one) => one !== leader));
  if (leader === undefined || other === undefined) return undefined;
  recorder.fault('stall', [leader], `what it tells ${other.name}`);
  const mend = network.cut(leader.name, other.name, 'stall');
  const { electionTimeoutMs } = cluster.settings;
  const key = `s${chance.below(KEYS)}`;
  const readWriteRead = async () => {
    void passerBy(cluster, chance).get(other, key, false);
    await world.sleep(chance.between(2, 0.3 * electionTimeoutMs));
    const value = `s.${cluster.history.operations.length}`;
    const { outcome } = await passerBy(cluster, chance).put(leader, key, value);
    if (outcome.ok) await passerBy(cluster, chance).get(other, key, false);
  };
  void readWriteRead();
  world.after(chance.between(0.5, 1) * electionTimeoutMs, mend);
  return mend;
}

/**
 * The leader is paused for longer than a lease lasts, which its client renews meanwhile with the successor: when it goes
 * on, it must end nothing. Ends by itself.
 */
function usurp(cluster: SimCluster, chance: Chance): undefined {
  const { world, recorder, settings } = cluster;
  const leader = cluster.leader();
  if (leader === undefined || voters(cluster).length < 3) return undefined;
  recorder.fault('usurp', [leader]);
  const { process } = leader;
  const ttlSeconds = Math.ceil((1.5 * settings.electionTimeoutMs) / 1_000) + chance.below(2);
  const ttlMs = ttlSeconds * 1_000;
  const lease = (SURGE_LEASES + cluster.history.operations.length).toString(16).padStart(16, '0');
  const run = async () => {
    const { outcome } = await passerBy(cluster, chance).leaseGrant(leader, lease, ttlSeconds);
    if (!outcome.ok) return;
    process.pause();
    const pauseMs = ttlMs * 1.1 + chance.between(0, 2) * settings.electionTimeoutMs;
    world.after(pauseMs, () => process.resume());
    const untilMs = world.nowMs + pauseMs + ttlMs;
    while (world.nowMs < untilMs) {
      await world.sleep(ttlMs / 6);
      const member = chance.pick(voters(cluster).filter((one) => one !== leader));
      if (member !== undefined) void passerBy(cluster, chance).leaseKeepAlive(member, lease);
    }
  };
  void run();
}

/** The power goes in the middle of a write, and once more, or the process dies, some time after the restart. */
function tornWrite(cluster: SimCluster, chance: Chance): () => void {
  const hit = chance.some(cluster.running(), 1, 2);
  cluster.recorder.fault('torn write', hit);
  for (const { disk, process } of hit) {
    disk.tears = true;
    process.armCrash('sync', chance.integer(1, 4), true);
  }
  return () => {
    for (const member of hit) {
      member.disk.tears = false;
      member.process.disarm();
      member.crash(chance.happens(0.3));
    }
  };
}

/** Whoever gets a snapshot while this lasts dies before it is in place of the state; somebody is made to need one. */
function crashAtImport(cluster: SimCluster, chance: Chance): (() => void) | undefined {
  const { world, recorder, settings, members } = cluster;
  const leader = cluster.leader();
  const victim = chance.pick(cluster.running().filter((one) => one !== leader));
  if (leader === undefined || victim === undefined) return undefined;
  recorder.fault('crash at import', [victim]);
  for (const member of members) member.diesAtImport = true;
  victim.crash(chance.happens(0.5));
  victim.heldDown = true;
  const start = () => {
    victim.heldDown = false;
    victim.start();
  };
  if (settings.snapshotCount <= MOST_SNAPSHOT_COUNT / 2) {
    surge(cluster, chance, leader, 2 * settings.snapshotCount + 10);
  }
  world.after(chance.between(100, 1_000), start);
  return () => {
    for (const member of members) member.diesAtImport = false;
    start();
  };
}

export const SEQUENCES: Readonly<Record<string, Fault>> = {
  depose,
  stallAnswers,
  stallReads,
  usurp,
  tornWrite,
  crashAtImport,
};
