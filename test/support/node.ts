import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestClient } from './client.ts';
import { NODE_MAIN } from './cluster.ts';

export interface NodeSpec {
  name: string;
  /** The folder that holds the data folders and logs of the whole cluster. */
  dir: string;
  clientPort: number;
  peerPort: number;
}

export const nodeUrl = (port: number): string => `http://127.0.0.1:${port}`;

/** `name=url,…` of these nodes, for --initial-cluster. */
export function initialCluster(nodes: readonly NodeSpec[]): string {
  return nodes.map(({ name, peerPort }) => `${name}=${nodeUrl(peerPort)}`).join();
}

export type Engine = 'raftdeck' | 'etcd';

const COMMANDS: Record<Engine, [string, string[]]> = {
  raftdeck: [process.execPath, [NODE_MAIN]],
  etcd: ['etcd', []],
};

/** One node process, ours or etcd's, which take the same flags: started, killed and started again. */
export class TestNode {
  readonly spec: NodeSpec;
  readonly url: string;
  readonly peerUrl: string;
  readonly client: TestClient;
  readonly #engine: Engine;
  #process: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);

  constructor(spec: NodeSpec, engine: Engine = 'raftdeck') {
    this.spec = spec;
    this.#engine = engine;
    this.url = nodeUrl(spec.clientPort);
    this.peerUrl = nodeUrl(spec.peerPort);
    this.client = new TestClient(this.url);
  }

  get dataDir(): string {
    return join(this.spec.dir, this.spec.name);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** What it has logged so far, in all its lives. */
  get log(): string {
    return readFileSync(`${this.dataDir}.log`, 'utf8');
  }

  start(cluster: string, ...flags: string[]): this {
    const { name } = this.spec;
    const args = ['--name', name, '--data-dir', this.dataDir, '--initial-cluster', cluster];
    args.push('--listen-client-urls', this.url, '--listen-peer-urls', this.peerUrl);
    args.push('--heartbeat-interval', '50', '--election-timeout', '300');
    args.push('--advertise-client-urls', this.url, '--initial-advertise-peer-urls', this.peerUrl);
    if (this.#engine === 'etcd') args.push('--logger', 'zap');
    args.push('--log-outputs', `${this.dataDir}.log`, ...flags);
    const [command, before] = COMMANDS[this.#engine];
    const child = spawn(command, [...before, ...args], { stdio: 'ignore' });
    this.#process = child;
    this.#exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    return this;
  }

  /** Its exit code, once it has ended; null after a signal. */
  exited(): Promise<number | null> {
    return this.#exited;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const child = this.#process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
    }
    return this.#exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async dispose(): Promise<void> {
    this.client.close();
    // A stopped process does not even die before it goes on.
    this.signal('SIGCONT');
    await this.kill();
  }
}
