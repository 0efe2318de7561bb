import { Administrator } from './administrator.ts';
import { Chance } from './chance.ts';
import { drawSettings, type Settings, SimCluster } from './cluster.ts';
import { type Coverage, countHistory } from './coverage.ts';
import type { History, KvHash } from './history.ts';
import { checkLiveness } from './liveness.ts';
import { Nemesis } from './nemesis.ts';
import { checkHistory } from './oracles/index.ts';
import type { Violation } from './recorder.ts';
import type { SimMember } from './sim-member.ts';
import { Workload } from './workload.ts';

export interface RunOptions {
  seed: number;
  /** Events of the safety phase. */
  steps: number;
  /** Kinds of fault that are left out; 'membership' for the administrator's changes. */
  without?: readonly string[];
  /** Numbers of the faults that strike; undefined: all. */
  only?: readonly number[];
  mostClients?: number;
  /** How many faults there may be. */
  mostFaults?: number;
  /** What the seed would decide otherwise. */
  settings?: Partial<Settings>;
}

export interface RunResult {
  seed: number;
  settings: Settings;
  violations: (Violation & { operations?: number[] })[];
  history: History;
  trace: string[];
  simulatedMs: number;
  steps: number;
  cpuMs: number;
  operations: number;
  faults: number;
  faultKinds: string[];
  /** Numbers of the faults that struck. */
  struck: number[];
  clients: number;
  coverage: Coverage;
}

const OBSERVE_EVERY_STEPS = 64;
const LOGS_EVERY_STEPS = 4_096;
const HASH_EVERY_MS = 3_000;
/** While a compaction is under way somewhere, and done elsewhere perhaps. */
const HASH_IN_COMPACTION_MS = 100;

/** One seed's run: a safety phase under faults, then a liveness phase without. */
export async function runSeed(options: RunOptions): Promise<RunResult> {
  const { seed, steps } = options;
  const startedMs = cpuMs();
  const settings = { ...drawSettings(Chance.of(seed, 'settings')), ...options.settings };
  const cluster = new SimCluster(seed, settings);
  const { world, recorder, history } = cluster;
  const workload = new Workload(cluster, options.mostClients);
  const nemesis = new Nemesis(cluster, options);
  const changes = options.without?.includes('membership') !== true;
  const administrator = new Administrator(cluster, changes);
  recorder.trace(JSON.stringify({ seed, ...settings, faults: nemesis.kinds }));
  const onRejection = (error: unknown) => recorder.violation('unhandled rejection', '', error);
  process.on('unhandledRejection', onRejection);
  world.onError = (error) => recorder.violation('uncaught error', '', error);
  watchClosely(cluster);
  try {
    cluster.start();
    workload.start();
    nemesis.start();
    administrator.start();
    compareHashes(cluster);
    const isOver = () => recorder.violations.length > 0;
    await world.run(Number.POSITIVE_INFINITY, () => isOver() || world.steps >= steps);
    if (!isOver()) {
      let finished = false;
      recorder.trace('liveness phase');
      void checkLiveness({ cluster, workload, nemesis, administrator }).then(() => {
        finished = true;
      });
      await world.run(Number.POSITIVE_INFINITY, () => finished || isOver());
    }
    const violations: RunResult['violations'] = [...recorder.violations];
    if (violations.length === 0) {
      for (const { oracle, rule, message, operations } of checkHistory(history)) {
        const property = `${oracle}: ${rule}`;
        violations.push({ atMs: world.nowMs, property, detail: message, operations });
      }
    }
    countHistory(recorder.coverage, cluster);
    return {
      seed,
      settings,
      violations,
      history,
      trace: recorder.traceLines,
      simulatedMs: world.nowMs,
      steps: world.steps,
      cpuMs: cpuMs() - startedMs,
      operations: history.operations.length,
      faults: nemesis.faults,
      faultKinds: nemesis.kinds,
      struck: nemesis.struck,
      clients: workload.clients.length,
      coverage: recorder.coverage,
    };
  } finally {
    process.off('unhandledRejection', onRejection);
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Cheap looks at one member after the other, while the run goes on. */
function watchClosely(cluster: SimCluster): void {
  const { world, recorder } = cluster;
  let turn = 0;
  world.afterStep = () => {
    if (world.steps % OBSERVE_EVERY_STEPS === 0) {
      const running = cluster.running();
      const member = running[turn++ % Math.max(running.length, 1)];
      if (member !== undefined) recorder.observe(member);
    }
    if (world.steps % LOGS_EVERY_STEPS === 0) recorder.observeLogs(cluster.running());
  };
}

/**
 * Now and then all members' sums at a revision that all of them have. While a compaction is under way, and once more
 * when it is done, that is the same one: how far it has come must not show.
 */
function compareHashes(cluster: SimCluster): void {
  const { world, recorder } = cluster;
  let fixed: number | undefined;
  const compare = () => {
    const running = cluster.running();
    const states = running.flatMap(({ node }) => node?.state ?? []);
    const isCompacting = states.some(({ pendingCompaction }) => pendingCompaction !== undefined);
    const compacted = Math.max(...states.map(({ compactRevision }) => compactRevision));
    if (fixed === undefined || fixed < compacted) {
      fixed = Math.min(...states.map(({ revision }) => revision));
    }
    for (const member of running) void hashOf(cluster, member, fixed);
    if (!isCompacting) fixed = undefined;
    next(isCompacting ? HASH_IN_COMPACTION_MS : HASH_EVERY_MS);
  };
  let cancel = world.after(HASH_EVERY_MS, compare);
  const next = (delayMs: number) => {
    cancel();
    cancel = world.after(delayMs, compare);
  };
  recorder.onCompaction = () => next(1);
}

/** Undefined if that revision is compacted, or the member goes meanwhile. */
export async function hashOf(
  cluster: SimCluster,
  member: SimMember,
  revision: number,
): Promise<KvHash | undefined> {
  const { process } = member;
  try {
    const sum = await member.node?.hashKv(revision);
    if (sum === undefined || !process.alive) return undefined;
    const { hash, hashRevision, compactRevision } = sum;
    const found = { revision: hashRevision, compactRevision, hash };
    cluster.recorder.observe(member, found);
    return found;
  } catch {
    return undefined;
  }
}
