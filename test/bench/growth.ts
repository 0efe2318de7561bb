/** How a server's speed changes with what it holds and with how many ask: as plots, and as figures. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompactionRequest } from '../../src-main/proto/etcd/rpc.ts';
import { type Address, callOnce } from './client/call.ts';
import { framed, headerRevision, Path } from './client/messages.ts';
import { Cluster, type Engine } from './cluster.ts';
import type { LoadGenerator } from './load-generator.ts';
import type { ClosedLoop, LoadResult, Operation } from './loads.ts';
import { Histogram } from './measure/histogram.ts';
import { median } from './measure/statistics.ts';
import { plot } from './report/plot.ts';
import { compact } from './report/table.ts';
import { settle } from './settle.ts';
import { type GrowthScale, revisionOf } from './workloads.ts';

export interface GrowthPlan {
  engines: Engine[];
  scale: GrowthScale;
  generator: LoadGenerator;
  wants: (id: string) => boolean;
  say: (line: string) => void;
}

/** One measured point; a round gives one for each server. */
interface Point {
  figure: string;
  engine: string;
  x: number;
  y: number;
}

const FIGURES: Readonly<Record<string, { title: string; xLabel: string; yLabel: string }>> = {
  'put-by-keys': { title: 'put, 100 clients', xLabel: 'keys in the store', yLabel: 'puts/s' },
  'range-by-keys': {
    title: 'linearizable range of one key, 100 clients',
    xLabel: 'keys in the store',
    yLabel: 'ranges/s',
  },
  'span-by-keys': {
    title: 'range of 10,000 keys, 1 client',
    xLabel: 'keys in the store',
    yLabel: 'keys/s',
  },
  'put-by-clients': { title: 'put', xLabel: 'clients', yLabel: 'puts/s' },
  'range-by-clients': { title: 'range of one key', xLabel: 'clients', yLabel: 'ranges/s' },
  'compaction-p99': {
    title: 'p99 of puts, 10 clients, without (0.5) and during (1) a compaction',
    xLabel: 'compaction',
    yLabel: 'ms',
  },
  'compaction-time': {
    title: 'physical compaction under 10 clients',
    xLabel: 'revisions',
    yLabel: 's',
  },
};

const CLIENTS = [1, 10, 100, 1000];
const CLIENTS_PER_CONNECTION = 10;
const SPAN_KEYS = 10_000;
const COMPACTION_CLIENTS = 10;
/** The load during a compaction is made in runs of this length, until it is done. */
const PIECE_MS = 500;

export async function runGrowth(plan: GrowthPlan, outputDir: string): Promise<Point[]> {
  const points: Point[] = [];
  const add = (point: Point): void => {
    points.push(point);
    plan.say(`${point.figure} ${point.engine} at ${compact(point.x)}: ${compact(point.y)}`);
  };
  if (plan.wants('by-keys')) for (const keys of plan.scale.keys) await byKeys(plan, keys, add);
  if (plan.wants('by-clients')) await byClients(plan, add);
  if (plan.wants('compaction')) await compaction(plan, add);
  draw(points, plan.engines, outputDir, plan.say);
  return points;
}

function draw(
  points: readonly Point[],
  engines: readonly Engine[],
  outputDir: string,
  say: (line: string) => void,
): void {
  mkdirSync(outputDir, { recursive: true });
  for (const [figure, labels] of Object.entries(FIGURES)) {
    const mine = points.filter((point) => point.figure === figure);
    if (mine.length === 0) continue;
    const lines = engines.map(({ name }) => {
      const ofEngine = mine.filter(({ engine }) => engine === name);
      const xs = [...new Set(ofEngine.map(({ x }) => x))].sort((a, b) => a - b);
      const at = (x: number) => ofEngine.filter((point) => point.x === x).map(({ y }) => y);
      return { name, points: xs.map((x) => ({ x, y: median(at(x)) })) };
    });
    const path = join(outputDir, `bench-${figure}.svg`);
    writeFileSync(path, plot({ ...labels, lines }));
    say(`drawn: ${path}`);
  }
}

/** Clusters of one node side by side; each round loads them in turn. */
async function onAll(
  plan: GrowthPlan,
  keys: number,
  round: (cluster: Cluster, address: Address, round: number) => Promise<void>,
): Promise<void> {
  const clusters: Cluster[] = [];
  try {
    for (const engine of plan.engines) {
      const cluster = await Cluster.start(engine, 1);
      clusters.push(cluster);
      const address = await cluster.leader();
      await plan.generator.run({ kind: 'fill', address, keys, rounds: 1 });
    }
    for (let i = 0; i < plan.scale.rounds; i++) {
      for (const cluster of clusters) await round(cluster, await cluster.leader(), i);
    }
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.destroy()));
  }
}

function loopOf(
  plan: GrowthPlan,
  operation: Operation,
  clients: number,
  keys: number,
  address: Address,
): ClosedLoop {
  return {
    kind: 'closedLoop',
    operation,
    addresses: [address],
    clients,
    connections: Math.ceil(clients / CLIENTS_PER_CONNECTION),
    keys,
    spanKeys: Math.min(SPAN_KEYS, keys),
    warmupMs: plan.scale.warmupMs,
    durationMs: plan.scale.durationMs,
    seed: clients,
  };
}

const perSecond = ({ operations, seconds }: LoadResult): number => operations / seconds;

async function byKeys(plan: GrowthPlan, keys: number, add: (point: Point) => void): Promise<void> {
  const { generator } = plan;
  await onAll(plan, keys, async ({ engine: { name: engine } }, address) => {
    const run = (operation: Operation, clients: number) =>
      generator.run(loopOf(plan, operation, clients, keys, address));
    add({ figure: 'put-by-keys', engine, x: keys, y: perSecond(await run('put', 100)) });
    await settle(address);
    add({ figure: 'range-by-keys', engine, x: keys, y: perSecond(await run('range', 100)) });
    const spans = perSecond(await run('span', 1)) * Math.min(SPAN_KEYS, keys);
    add({ figure: 'span-by-keys', engine, x: keys, y: spans });
  });
}

async function byClients(plan: GrowthPlan, add: (point: Point) => void): Promise<void> {
  const [keys = 10_000] = plan.scale.keys;
  await onAll(plan, keys, async ({ engine: { name: engine } }, address) => {
    for (const operation of ['put', 'range'] as const) {
      if (operation === 'range') await settle(address);
      for (const clients of CLIENTS) {
        const result = await plan.generator.run(loopOf(plan, operation, clients, keys, address));
        add({ figure: `${operation}-by-clients`, engine, x: clients, y: perSecond(result) });
      }
    }
  });
}

async function compaction(plan: GrowthPlan, add: (point: Point) => void): Promise<void> {
  const { generator } = plan;
  const { revisions, keys } = plan.scale;
  const [few = 10_000] = keys;
  await onAll(plan, few, async (cluster, address) => {
    const engine = cluster.engine.name;
    const rounds = Math.ceil(revisions / few);
    await generator.run({ kind: 'fill', address, keys: few, rounds });
    const loop = loopOf(plan, 'put', COMPACTION_CLIENTS, few, address);
    const quiet = new Histogram((await generator.run(loop)).buckets);
    add({ figure: 'compaction-p99', engine, x: 0.5, y: quiet.percentile(0.99) });
    const revision = await revisionOf(cluster);
    const request = CompactionRequest.fromPartial({ revision, physical: true });
    const startedMs = performance.now();
    let seconds: number | undefined;
    const bytes = framed(CompactionRequest.encode(request).finish());
    // What goes wrong is told once the load has ended, by `await done`.
    const done = callOnce(address, Path.compact, bytes).then((answer) => {
      if (headerRevision(answer, 0, answer.length) < revision) throw new Error('a wrong answer');
      seconds = (performance.now() - startedMs) / 1000;
    });
    let p99 = 0;
    do {
      const piece = { ...loop, warmupMs: 0, durationMs: PIECE_MS };
      const result = await generator.run(piece);
      p99 = Math.max(p99, new Histogram(result.buckets).percentile(0.99));
    } while (seconds === undefined);
    await done;
    add({ figure: 'compaction-p99', engine, x: 1, y: p99 });
    add({ figure: 'compaction-time', engine, x: revisions, y: seconds });
  });
}
