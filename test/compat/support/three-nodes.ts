import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freeBasePort, removeDir, tempDir, type UpNode, until, up } from '../../support/cluster.ts';
import type { TargetName } from './targets.ts';

/** A cluster of three that starts a killed node again, as a supervisor does. */
export interface ThreeNodes {
  /** "http://host:port" of every node. */
  hosts: string[];
  /** SIGKILL. Resolves once the process is gone. */
  kill(index: number): Promise<void>;
  stop(): Promise<void>;
}

const NODES = 3;
const HEALTH_TIMEOUT_MS = 60_000;

export async function startThreeNodes(name: TargetName): Promise<ThreeNodes> {
  const dir = tempDir();
  const basePort = await freeBasePort(2 * NODES);
  const cluster = name === 'etcd' ? startEtcd(dir, basePort) : await startRaftdeck(dir, basePort);
  const stop = async () => {
    await cluster.stop();
    removeDir(dir);
  };
  try {
    await Promise.all(cluster.hosts.map(healthy));
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...cluster, stop };
}

/** Waits until that node is part of a cluster that works. */
export async function healthy(host: string): Promise<void> {
  await until(
    `${host} healthy`,
    async () => {
      const response = await fetch(`${host}/health`, { signal: AbortSignal.timeout(2_000) }).catch(
        () => undefined,
      );
      return response?.ok === true ? true : undefined;
    },
    HEALTH_TIMEOUT_MS,
  );
}

async function startRaftdeck(dir: string, basePort: number): Promise<ThreeNodes> {
  const cluster = await up(dir, ['--nodes', String(NODES), '--base-port', String(basePort)]);
  return {
    hosts: cluster.endpoints,
    async kill(index) {
      const pid = await pidOf(cluster.nodes[index] as UpNode);
      process.kill(pid, 'SIGKILL');
      await until(`the end of ${pid}`, () => !isAlive(pid) || undefined);
    },
    async stop() {
      await cluster.stop();
    },
  };
}

/** From the file that the supervisor keeps: a restarted node has a new one. */
function pidOf(node: UpNode): Promise<number> {
  return until(`a pid of ${node.name}`, async () => {
    const text = await readFile(join(dirname(node.dataDir), 'node.pid'), 'utf8').catch(() => '{}');
    return (JSON.parse(text) as { pid?: number }).pid;
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function startEtcd(dir: string, basePort: number): ThreeNodes {
  const names = Array.from({ length: NODES }, (_, i) => `m${i + 1}`);
  const client = (i: number) => `http://127.0.0.1:${basePort + i}`;
  const peer = (i: number) => `http://127.0.0.1:${basePort + NODES + i}`;
  const initial = names.map((name, i) => `${name}=${peer(i)}`).join();
  let stopping = false;
  const children: ChildProcess[] = [];
  const start = (i: number): void => {
    const args = [
      ...['--name', names[i] as string, '--data-dir', join(dir, names[i] as string)],
      ...['--listen-client-urls', client(i), '--advertise-client-urls', client(i)],
      ...['--listen-peer-urls', peer(i), '--initial-advertise-peer-urls', peer(i)],
      ...['--initial-cluster', initial, '--initial-cluster-state', 'new'],
    ];
    const child = spawn('etcd', args, { stdio: 'ignore' });
    child.once('exit', () => {
      if (!stopping) start(i);
    });
    children[i] = child;
  };
  names.forEach((_, i) => {
    start(i);
  });
  const end = async (child: ChildProcess | undefined): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    hosts: names.map((_, i) => client(i)),
    kill: (index) => end(children[index]),
    async stop() {
      stopping = true;
      await Promise.all(children.map(end));
    },
  };
}
