import { Cluster, type Engine } from './cluster.ts';
import type { LoadGenerator } from './load-generator.ts';
import type { Results } from './report/table.ts';
import {
  BIRTH,
  GROUPS,
  type Group,
  measureBirth,
  measureRestart,
  RESTART,
  RESTART_MEMORY,
  type Scale,
  type Workload,
} from './workloads.ts';

export interface Plan {
  engines: Engine[];
  scale: Scale;
  generator: LoadGenerator;
  results: Results;
  /** Which workloads are wanted. */
  wants: (id: string) => boolean;
  say: (line: string) => void;
}

/** Rest between two runs: what a server still has to put away falls on itself and not on the next. */
const REST_MS = 200;

/**
 * Runs what is wanted. The clusters of a group run side by side, but only one is loaded at a time; round by round the
 * servers take turns, in one order and then in the other, so that what disturbs the machine falls on all of them.
 */
export async function runPlan(plan: Plan): Promise<void> {
  for (const group of GROUPS) await runGroup(plan, group);
  if (plan.wants(BIRTH.id)) await runBirths(plan);
  if (plan.wants(RESTART.id)) await runRestarts(plan);
}

async function runGroup(plan: Plan, group: Group): Promise<void> {
  const { scale, generator } = plan;
  const workloads = group.workloads.filter(({ id }) => plan.wants(id));
  if (workloads.length === 0) return;
  const clusters: Cluster[] = [];
  try {
    for (const engine of plan.engines) {
      const cluster = await Cluster.start(engine, group.nodes);
      clusters.push(cluster);
      const address = await cluster.leader();
      await generator.run({ kind: 'fill', address, keys: scale.keys, rounds: 1 });
    }
    for (let round = 0; round < scale.rounds; round++) {
      for (const workload of workloads) await runRound(plan, workload, clusters, round);
    }
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.destroy()));
  }
}

async function runRound(
  plan: Plan,
  workload: Workload,
  clusters: readonly Cluster[],
  round: number,
): Promise<void> {
  for (const cluster of inTurn(clusters, round)) {
    const sample = await workload.run(cluster, plan.generator, plan.scale, round);
    plan.results.add(workload, cluster.engine.name, sample);
    const { value, p50Ms, p99Ms, cpuUsPerOperation } = sample;
    const latencies =
      p50Ms === undefined
        ? ''
        : `, p50 ${p50Ms.toFixed(2)} p99 ${p99Ms?.toFixed(2)} ms, ${cpuUsPerOperation?.toFixed(0)} µs CPU`;
    plan.say(
      `round ${round + 1} ${workload.id} ${cluster.engine.name}: ${value.toFixed(0)} ${workload.unit}${latencies}`,
    );
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
  }
}

async function runBirths(plan: Plan): Promise<void> {
  for (let round = 0; round < plan.scale.rounds; round++) {
    for (const engine of inTurn(plan.engines, round)) {
      const sample = await measureBirth(engine);
      plan.results.add(BIRTH, engine.name, sample);
      plan.say(`round ${round + 1} ${BIRTH.id} ${engine.name}: ${sample.value.toFixed(2)} s`);
    }
  }
}

async function runRestarts(plan: Plan): Promise<void> {
  const { generator, results, say } = plan;
  const { restartKeys, rounds } = plan.scale;
  const thousands = `${restartKeys / 1000} k keys`;
  for (const engine of plan.engines) {
    say(`${RESTART.id} ${engine.name}: filling ${thousands}`);
    for (const sample of await measureRestart(engine, generator, restartKeys, rounds)) {
      for (const measurement of [RESTART, RESTART_MEMORY]) {
        const { id, title } = measurement;
        const one = sample[id];
        if (one === undefined) continue;
        results.add({ ...measurement, title: `${title}, ${thousands}` }, engine.name, one);
        say(`${id} ${engine.name}: ${one.value.toFixed(2)} ${measurement.unit}`);
      }
    }
  }
}

function inTurn<T>(list: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? list : [...list].reverse();
}
