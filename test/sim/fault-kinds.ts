import type { Chance } from './chance.ts';
import type { SimCluster } from './cluster.ts';
import { damageDisk } from './disk-damage.ts';
import { SEQUENCES } from './fault-sequences.ts';
import type { SimMember } from './sim-member.ts';
import type { CutMode } from './sim-network.ts';
import type { CrashStep } from './sim-process.ts';

/** Does harm, and answers how to undo it; undefined if there is nothing to undo. */
export type Fault = (cluster: SimCluster, chance: Chance) => (() => void) | undefined;

const CRASH_STEPS: readonly CrashStep[] = ['write', 'sync', 'synced', 'send', 'apply', 'flush'];

/** Half of the time the leader is hit, which is where it hurts. */
function victims(cluster: SimCluster, chance: Chance, most: number): SimMember[] {
  const leader = cluster.leader();
  if (leader !== undefined && chance.happens(0.4)) return [leader];
  return chance.some(cluster.running(), 1, most);
}

function cutBetween(
  cluster: SimCluster,
  pairs: (readonly [SimMember, SimMember])[],
  mode: CutMode,
): () => void {
  const mends = pairs.map(([from, to]) => cluster.network.cut(from.name, to.name, mode));
  return () => {
    for (const mend of mends) mend();
  };
}

function drawMode(chance: Chance): CutMode {
  return chance.happens(0.5) ? 'drop' : 'hold';
}

function kill(cluster: SimCluster, chance: Chance): undefined {
  const hit = victims(cluster, chance, cluster.members.length);
  cluster.recorder.fault('kill', hit);
  for (const member of hit) member.crash(false);
}

/** One machine, some, or the whole rack goes dark. */
function powerCut(cluster: SimCluster, chance: Chance): undefined {
  const running = cluster.running();
  const hit = chance.happens(0.4) ? running : victims(cluster, chance, running.length);
  cluster.recorder.fault('power cut', hit);
  for (const member of hit) member.crash(true);
}

function stop(cluster: SimCluster, chance: Chance): undefined {
  const hit = victims(cluster, chance, 2);
  cluster.recorder.fault('stop', hit);
  for (const member of hit) member.stop();
}

/** Down for long: the others compact their logs meanwhile, and it needs a snapshot. */
function holdDown(cluster: SimCluster, chance: Chance): (() => void) | undefined {
  const [member] = victims(cluster, chance, 1);
  if (member === undefined) return undefined;
  cluster.recorder.fault('hold down', [member]);
  member.heldDown = true;
  member.crash(chance.happens(0.5));
  member.heldDown = true;
  return () => {
    member.heldDown = false;
    member.start();
  };
}

function crashAtStep(cluster: SimCluster, chance: Chance): (() => void) | undefined {
  const hit = victims(cluster, chance, 3);
  const step = chance.pick(CRASH_STEPS) ?? 'sync';
  const count = chance.integer(1, 20);
  // What was not synced yet is what a power cut takes, so it must come right then.
  const power = chance.happens(0.5);
  cluster.recorder.fault(power ? 'power cut at step' : 'crash at step', hit, `${step} ${count}`);
  const processes = hit.map(({ process }) => process);
  for (const process of processes) process.armCrash(step, count, power);
  return () => {
    for (const process of processes) process.disarm();
  };
}

function pause(cluster: SimCluster, chance: Chance): () => void {
  const hit = victims(cluster, chance, 2);
  cluster.recorder.fault('pause', hit);
  const processes = hit.map(({ process }) => process);
  for (const process of processes) process.pause();
  return () => {
    for (const process of processes) process.resume();
  };
}

/** Two sides that do not see each other. */
function split(cluster: SimCluster, chance: Chance): () => void {
  const all = chance.shuffled(cluster.present());
  const at = chance.integer(1, Math.max(1, all.length - 1));
  const [left, right] = [all.slice(0, at), all.slice(at)];
  const mode = drawMode(chance);
  cluster.recorder.fault('split', left, `from the others, ${mode}`);
  const pairs = left.flatMap((a) => right.flatMap((b) => [[a, b] as const, [b, a] as const]));
  return cutBetween(cluster, pairs, mode);
}

/** One member sees both sides, which do not see each other. */
function bridge(cluster: SimCluster, chance: Chance): () => void {
  const [, ...rest] = chance.shuffled(cluster.present());
  const at = Math.ceil(rest.length / 2);
  const [left, right] = [rest.slice(0, at), rest.slice(at)];
  const mode = drawMode(chance);
  cluster.recorder.fault('bridge', left, `not to ${right.map(({ name }) => name).join()}, ${mode}`);
  const pairs = left.flatMap((a) => right.flatMap((b) => [[a, b] as const, [b, a] as const]));
  return cutBetween(cluster, pairs, mode);
}

/** What one says is not heard by some, though it hears them. */
function oneWay(cluster: SimCluster, chance: Chance): () => void {
  const hit = victims(cluster, chance, 2);
  const others = chance.some(cluster.present(), 1, cluster.members.length);
  const mode = drawMode(chance);
  const deaf = chance.happens(0.5);
  cluster.recorder.fault(deaf ? 'deaf' : 'mute', hit, mode);
  const pairs = hit.flatMap((a) =>
    others.filter((b) => b !== a).map((b) => (deaf ? ([b, a] as const) : ([a, b] as const))),
  );
  return cutBetween(cluster, pairs, mode);
}

function badNetwork(cluster: SimCluster, chance: Chance): () => void {
  const { network } = cluster;
  const trouble = {
    delayMs: chance.pick([0.3, 5, 50, 200]) ?? 5,
    drop: chance.happens(0.5) ? chance.between(0, 0.3) : 0,
    duplicate: chance.happens(0.5) ? chance.between(0, 0.3) : 0,
    reorder: chance.happens(0.5) ? chance.between(0, 0.5) : 0,
    cutStream: chance.happens(0.5) ? chance.between(0, 0.3) : 0,
    stallStream: chance.between(0, 0.3),
  };
  const before = network.trouble;
  network.trouble = trouble;
  cluster.recorder.fault('bad network', [], JSON.stringify(trouble));
  return () => {
    if (network.trouble === trouble) network.trouble = before;
  };
}

function badDisk(cluster: SimCluster, chance: Chance): () => void {
  const hit = victims(cluster, chance, 2);
  const kind = chance.pick(['slow', 'very slow', 'full', 'errors', 'short writes'] as const);
  cluster.recorder.fault(`disk: ${kind}`, hit);
  for (const { disk } of hit) {
    if (kind === 'slow') disk.trouble.syncMs = chance.between(5, 50);
    else if (kind === 'very slow') disk.trouble.syncMs = chance.between(100, 1_000);
    else if (kind === 'full') disk.trouble.full = true;
    else if (kind === 'errors') disk.trouble.ioErrors = chance.between(0.01, 0.3);
    else disk.trouble.shortWrites = 0.5;
  }
  return () => {
    for (const { disk } of hit) disk.heal();
  };
}

/** A disk that is beyond help. One at a time, and only where the others can go on without it. */
function brokenDisk(cluster: SimCluster, chance: Chance): (() => void) | undefined {
  const member = chance.pick(cluster.running().filter((one) => cluster.mayLose(one)));
  if (member === undefined) return undefined;
  if (chance.happens(0.6)) {
    cluster.recorder.fault('bit flip', [member]);
    void damageDisk(cluster, member, chance);
    return undefined;
  }
  cluster.recorder.fault('disk lies', [member]);
  member.disk.trouble.lies = true;
  return () => {
    member.disk.heal();
    member.crash(true);
  };
}

export const FAULTS: Readonly<Record<string, Fault>> = {
  kill,
  powerCut,
  stop,
  holdDown,
  crashAtStep,
  pause,
  split,
  bridge,
  oneWay,
  badNetwork,
  badDisk,
  brokenDisk,
  ...SEQUENCES,
};
