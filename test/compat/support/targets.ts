import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  freeBasePort,
  NODE_MAIN,
  onPath,
  removeDir,
  tempDir,
  until,
} from '../../support/cluster.ts';

export type TargetName = 'etcd' | 'raftdeck';

/** A running single-member cluster that the cases are driven against. */
export interface Target {
  name: TargetName;
  /** host:port of the client URL. */
  address: string;
  dataDir: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Ends it without warning and starts it again on the same folder. */
  killAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;

/** What is said at most of a member that does not come up. */
const MAX_OUTPUT_CHARS = 4_000;

/** Whether the real etcd is here to be compared with. COMPAT_TARGETS=raftdeck leaves it out. */
export const etcdWanted = wanted('etcd') && onPath('etcd');
export const raftdeckWanted = wanted('raftdeck');

function wanted(name: TargetName): boolean {
  const list = process.env.COMPAT_TARGETS;
  return list === undefined || list.split(',').includes(name);
}

/** `prepare` may fill the data folder before the start, for a member m1 with that peer URL. */
export async function startTarget(
  name: TargetName,
  flags: string[] = [],
  prepare: (dataDir: string, peerUrl: string) => Promise<void> = async () => {},
): Promise<Target> {
  const dir = tempDir();
  const dataDir = `${dir}/m1`;
  const port = await freeBasePort(2);
  const client = `http://127.0.0.1:${port}`;
  const peer = `http://127.0.0.1:${port + 1}`;
  const args = [
    ...['--name', 'm1', '--data-dir', dataDir],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `m1=${peer}`, '--initial-cluster-state', 'new'],
    ...flags,
  ];
  const [command, prefix] = name === 'etcd' ? ['etcd', []] : [process.execPath, [NODE_MAIN]];
  if (name === 'raftdeck' && !existsSync(NODE_MAIN)) {
    throw new Error(`${NODE_MAIN} is missing: run "npm run build" first`);
  }
  await prepare(dataDir, peer).catch((error: unknown) => {
    removeDir(dir);
    throw error;
  });
  const launch = () => launchUntilHealthy(name, command, [...prefix, ...args], client);
  let child: ChildProcess;
  try {
    child = await launch();
  } catch (error) {
    removeDir(dir);
    throw error;
  }
  return {
    name,
    address: `127.0.0.1:${port}`,
    dataDir,
    get pid() {
      return child.pid as number;
    },
    async killAndRestart() {
      await stop(child, 'SIGKILL');
      child = await launch();
    },
    async stop() {
      await stop(child);
      removeDir(dir);
    },
  };
}

async function launchUntilHealthy(
  name: TargetName,
  command: string,
  args: string[],
  url: string,
): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = collectOutput(child);
  try {
    await until(
      `${name} healthy`,
      () => {
        if (child.exitCode !== null) {
          throw new Error(`${name} ended with ${child.exitCode}: ${output()}`);
        }
        return isHealthy(url);
      },
      START_TIMEOUT_MS,
    );
    return child;
  } catch (error) {
    await stop(child);
    throw new Error(`${name} did not start: ${output()}`, { cause: error });
  }
}

async function isHealthy(url: string): Promise<true | undefined> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) });
    return response.ok ? true : undefined;
  } catch {
    return undefined;
  }
}

function collectOutput(child: ChildProcess): () => string {
  let text = '';
  const add = (chunk: Buffer): void => {
    text = (text + chunk.toString()).slice(-MAX_OUTPUT_CHARS);
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  return () => text;
}

async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const hard = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(hard);
}
