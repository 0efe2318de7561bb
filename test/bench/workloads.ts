import { RangeRequest } from '../../src-main/proto/etcd/rpc.ts';
import { callOnce } from './client/call.ts';
import { framed, headerRevision, keyOf, Path } from './client/messages.ts';
import { Cluster, type Engine } from './cluster.ts';
import type { LoadGenerator } from './load-generator.ts';
import type { LoadResult, Operation } from './loads.ts';
import { Histogram } from './measure/histogram.ts';
import { settle } from './settle.ts';

/** How long and how much. */
export interface Scale {
  rounds: number;
  warmupMs: number;
  durationMs: number;
  /** In the key space that puts and reads are drawn from. */
  keys: number;
  /** In the store that is restarted. */
  restartKeys: number;
}

/** How far the growth is followed. */
export interface GrowthScale {
  rounds: number;
  warmupMs: number;
  durationMs: number;
  /** Keys in the store, ascending. */
  keys: number[];
  /** That are compacted. */
  revisions: number;
}

/** What one run of a workload on one server gave. Higher is better for `value` if the workload says so. */
export interface Sample {
  value: number;
  p50Ms?: number;
  p99Ms?: number;
  /** CPU time of all members for one operation: hardly disturbed by what else the machine does. */
  cpuUsPerOperation?: number;
  /** Share of one core that the load generator used. */
  generatorCores?: number;
}

/** A sample beside the first one, under a workload's id of its own. */
export type Samples = Record<string, Sample>;

export interface Measurement {
  id: string;
  title: string;
  unit: string;
  higherIsBetter: boolean;
  /** Of the median of (ours / etcd), or an absolute bound in the unit. */
  goal?: { ratio?: number; absolute?: number };
}

/** Something that is measured on a running cluster. */
export interface Workload extends Measurement {
  run(cluster: Cluster, generator: LoadGenerator, scale: Scale, round: number): Promise<Sample>;
}

interface LoopShape {
  operation: Operation;
  clients: number;
  connections: number;
  /** Otherwise the leader alone. */
  toAll?: boolean;
}

/** Several workloads that run one after the other on the same cluster. */
export interface Group {
  id: string;
  nodes: number;
  workloads: Workload[];
}

const PUT_GOAL = { ratio: 1.5 };
const LONE_PUT_GOAL = { ratio: 1.2 };
const RANGE_GOAL = { ratio: 2 };
const WATCH_CONNECTIONS = 10;
const WATCH_STREAMS_PER_CONNECTION = 10;

export const GROUPS: readonly Group[] = [
  {
    id: '1',
    nodes: 1,
    workloads: [
      loop('put-1-1', '1 node, put, 1 client', LONE_PUT_GOAL, shape('put', 1, 1)),
      loop('put-1-100', '1 node, put, 100 clients', PUT_GOAL, shape('put', 100, 10)),
      loop('put-1-1000', '1 node, put, 1,000 clients', PUT_GOAL, shape('put', 1000, 100)),
      loop('range-1', '1 node, range, linearizable', RANGE_GOAL, shape('range', 100, 10)),
      loop(
        'range-1-serializable',
        '1 node, range, serializable',
        RANGE_GOAL,
        shape('rangeSerializable', 100, 10),
      ),
      memory('memory-1', '1 node, memory after that'),
    ],
  },
  {
    id: '3',
    nodes: 3,
    workloads: [
      loop('put-3-1', '3 nodes, put to the leader, 1 client', LONE_PUT_GOAL, shape('put', 1, 1)),
      loop('put-3-100', '3 nodes, put to the leader, 100 clients', PUT_GOAL, shape('put', 100, 10)),
      loop('put-3-1000', '3 nodes, put to all, 1,000 clients', PUT_GOAL, {
        ...shape('put', 1000, 100),
        toAll: true,
      }),
      loop('range-3', '3 nodes, range, linearizable', RANGE_GOAL, shape('range', 100, 10)),
      loop(
        'range-3-serializable',
        '3 nodes, range, serializable',
        RANGE_GOAL,
        shape('rangeSerializable', 100, 10),
      ),
      memory('memory-3', '3 nodes, memory of a node after that'),
    ],
  },
  {
    id: 'watch',
    nodes: 1,
    workloads: [
      fanOut('watch-1000', '1 put to 1,000 watchers', 1000),
      fanOut('watch-10000', '1 put to 10,000 watchers', 10_000),
    ],
  },
];

export const RESTART: Measurement = {
  id: 'restart',
  title: 'restart to the first answer',
  unit: 's',
  higherIsBetter: false,
  goal: { ratio: 0.15 },
};
export const RESTART_MEMORY: Measurement = {
  id: 'restart-memory',
  title: 'memory after that restart',
  unit: 'MiB',
  higherIsBetter: false,
  goal: { ratio: 0.5 },
};
export const BIRTH: Measurement = {
  id: 'start-3',
  title: '3 nodes from nothing to a leader',
  unit: 's',
  higherIsBetter: false,
  goal: { absolute: 1 },
};

function shape(operation: Operation, clients: number, connections: number): LoopShape {
  return { operation, clients, connections };
}

function loop(
  id: string,
  title: string,
  goal: { ratio: number },
  { operation, clients, connections, toAll = false }: LoopShape,
): Workload {
  return {
    id,
    title,
    unit: '/s',
    higherIsBetter: true,
    goal,
    run: (cluster, generator, { keys, warmupMs, durationMs }, seed) =>
      measured(cluster, operation === 'put', async () => {
        const addresses = toAll ? cluster.addresses : [await cluster.leader()];
        if (operation !== 'put') await settle(await cluster.leader());
        const loop = { kind: 'closedLoop', operation, clients, connections, addresses } as const;
        return generator.run({ ...loop, keys, spanKeys: 1, warmupMs, durationMs, seed });
      }),
  };
}

function fanOut(id: string, title: string, watchers: number): Workload {
  return {
    id,
    title,
    unit: 'events/s',
    higherIsBetter: true,
    goal: { ratio: 2 },
    run: (cluster, generator, { durationMs }) =>
      measured(cluster, false, async () =>
        generator.run({
          kind: 'fanOut',
          address: await cluster.leader(),
          watchers,
          connections: WATCH_CONNECTIONS,
          streamsPerConnection: WATCH_STREAMS_PER_CONNECTION,
          durationMs,
        }),
      ),
  };
}

function memory(id: string, title: string): Workload {
  return {
    id,
    title,
    unit: 'MiB',
    higherIsBetter: false,
    goal: { ratio: 1 },
    run: async (cluster) => ({ value: cluster.residentMib() }),
  };
}

/** Runs a load and checks that every put that was answered is a revision, no more and no less. */
export async function measured(
  cluster: Cluster,
  writes: boolean,
  run: () => Promise<LoadResult>,
): Promise<Sample> {
  const before = writes ? await revisionOf(cluster) : 0;
  const cpuBefore = cluster.cpuSeconds();
  const result = await run();
  const cpuSeconds = cluster.cpuSeconds() - cpuBefore;
  const made = writes ? (await revisionOf(cluster)) - before : result.succeeded;
  if (made !== result.succeeded) {
    throw new Error(`${result.succeeded} puts were answered, but ${made} revisions made`);
  }
  const latencies = new Histogram(result.buckets);
  return {
    value: result.operations / result.seconds,
    p50Ms: latencies.percentile(0.5),
    p99Ms: latencies.percentile(0.99),
    cpuUsPerOperation: (cpuSeconds * 1e6) / result.succeeded,
    generatorCores: result.cpuSeconds / result.seconds,
  };
}

/** As a linearizable read tells it. */
export async function revisionOf(cluster: Cluster): Promise<number> {
  const request = RangeRequest.fromPartial({ key: keyOf(0), countOnly: true });
  const bytes = framed(RangeRequest.encode(request).finish());
  const answer = await callOnce(await cluster.leader(), Path.range, bytes);
  return headerRevision(answer, 0, answer.length);
}

/** Seconds from starting three processes to a member that says that it leads. */
export async function measureBirth(engine: Engine): Promise<Sample> {
  const startedMs = performance.now();
  const cluster = await Cluster.start(engine, 3);
  const seconds = (performance.now() - startedMs) / 1000;
  await cluster.destroy();
  return { value: seconds };
}

/** Stops and starts a node with many keys; the first answer is a linearizable read. */
export async function measureRestart(
  engine: Engine,
  generator: LoadGenerator,
  keys: number,
  rounds: number,
): Promise<Samples[]> {
  const cluster = await Cluster.start(engine, 1);
  try {
    const [address] = cluster.addresses as [{ host: string; port: number }];
    await generator.run({ kind: 'fill', address, keys, rounds: 1 });
    const samples: Samples[] = [];
    for (let round = 0; round < rounds; round++) {
      await cluster.stop();
      const startedMs = performance.now();
      cluster.launch();
      await cluster.leader();
      await revisionOf(cluster);
      const value = (performance.now() - startedMs) / 1000;
      samples.push({
        [RESTART.id]: { value },
        [RESTART_MEMORY.id]: { value: cluster.residentMib() },
      });
    }
    return samples;
  } finally {
    await cluster.destroy();
  }
}
