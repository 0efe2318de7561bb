import { join } from 'node:path';
import { CodedError } from '../../base/errors.ts';
import { type ClusterProcesses, ClusterSupervisor } from '../../supervisor/cluster-supervisor.ts';
import { defaultDataDir, prepareDataDir } from '../../supervisor/data-dir.ts';
import type { Engine } from '../../supervisor/definition.ts';
import { describeExit, type NodeSnapshot } from '../../supervisor/node-state.ts';
import { openStandalone } from '../../supervisor/standalone.ts';
import type { Leader } from './leader.ts';
import { EXIT_FAILURE, EXIT_OK, type Output, printError } from './output.ts';
import { Shutdown } from './shutdown.ts';

export interface UpOptions {
  /** Absolute. */
  dataDir?: string;
  nodes?: number;
  basePort?: number;
  json: boolean;
  /** The bundled node, unless a comparison with another engine is wanted. */
  engine?: Engine;
}

/**
 * `raftdeck up`: a cluster in the foreground until a signal ends it. Resolves with the exit code.
 */
export async function runUp(options: UpOptions, output: Output): Promise<number> {
  const shutdown = new Shutdown();
  try {
    const dataDir = options.dataDir ?? (await defaultUpDir());
    const { definition, lock } = await openStandalone({ ...options, dataDir });
    try {
      const supervisor = await ClusterSupervisor.open({
        definition,
        clusterDir: dataDir,
        followLogs: false,
      });
      return await superviseUntilAsked(supervisor, options, output, shutdown);
    } finally {
      await lock.release();
    }
  } finally {
    shutdown.dispose();
  }
}

/** Below the app's folder, which is marked as such so that the app accepts it later. */
async function defaultUpDir(): Promise<string> {
  const parent = defaultDataDir();
  await prepareDataDir(parent, 'app');
  return join(parent, 'up');
}

async function superviseUntilAsked(
  supervisor: ClusterSupervisor,
  options: UpOptions,
  output: Output,
  shutdown: Shutdown,
): Promise<number> {
  const startedAtMs = performance.now();
  const notices = supervisor.onChange(crashNotices(output));
  const asked = new AbortController();
  void shutdown.asked.then(() => asked.abort());
  let failure: unknown;
  try {
    const [{ waitForLeader }] = await Promise.all([import('./leader.ts'), supervisor.start()]);
    const leader = await waitForLeader(supervisor, asked.signal);
    if (leader !== null) {
      const tookMs = performance.now() - startedAtMs;
      const { nodes } = supervisor.snapshot();
      output.out(
        options.json
          ? `${JSON.stringify(summary(nodes))}\n`
          : table(supervisor.clusterDir, nodes, leader, tookMs),
      );
      await Promise.race([shutdown.asked, supervisor.waitFor(failIfAllCrashed)]);
    }
  } catch (error) {
    failure = error;
  }
  notices.dispose();
  try {
    await Promise.race([supervisor.stop(), shutdown.forced.then(() => supervisor.kill())]);
  } catch (error) {
    failure ??= error;
  }
  supervisor.dispose();
  if (failure !== undefined) {
    printError(output, failure);
    return EXIT_FAILURE;
  }
  if (!shutdown.isForced) return EXIT_OK;
  output.err('raftdeck: the nodes were killed before they had stopped\n');
  return EXIT_FAILURE;
}

function failIfAllCrashed({ nodes }: ClusterProcesses): boolean {
  const last = nodes[0]?.lastExit;
  if (!nodes.every((node) => node.state === 'crashed')) return false;
  const why = last ? `; ${nodes[0]?.name} ${describeExit(last)}` : '';
  throw new CodedError('AllNodesCrashed', `all nodes have crashed and stay down${why}`);
}

/** Says once per crash what becomes of the node. */
function crashNotices(output: Output): (processes: ClusterProcesses) => void {
  const told = new Map<string, number>();
  return ({ nodes }) => {
    for (const node of nodes) {
      const exit = node.lastExit;
      if (exit?.cause !== 'crash' || told.get(node.name) === exit.atMs) continue;
      if (node.state !== 'backoff' && node.state !== 'crashed') continue;
      told.set(node.name, exit.atMs);
      const next = node.state === 'backoff' ? 'starting it again' : 'it stays down';
      const why = describeExit(exit).replaceAll('\n', ' ');
      output.err(`raftdeck: node ${node.name} ${why}; ${next}\n`);
    }
  };
}

function summary(nodes: NodeSnapshot[]) {
  return {
    endpoints: nodes.map((node) => node.clientUrl),
    nodes: nodes.map(({ name, pid, clientUrl, peerUrl, dataDir }) => ({
      name,
      pid,
      clientUrl,
      peerUrl,
      dataDir,
    })),
  };
}

function table(dir: string, nodes: NodeSnapshot[], leader: Leader, tookMs: number): string {
  const rows = [
    ['NODE', 'CLIENTS', 'PEERS', 'PID', ''],
    ...nodes.map((node) => [
      node.name,
      node.clientUrl,
      node.peerUrl,
      String(node.pid ?? '-'),
      node.name === leader.name ? `leader, term ${leader.term}` : '',
    ]),
  ];
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '));
  return [
    `Ready after ${(tookMs / 1_000).toFixed(1)} s. Data: ${dir}`,
    '',
    ...lines.map((line) => `  ${line}`.trimEnd()),
    '',
    `export ETCDCTL_ENDPOINTS=${nodes.map((node) => node.clientUrl).join(',')}`,
    '',
    'Ctrl-C stops the nodes and keeps their data.',
    '',
  ].join('\n');
}
