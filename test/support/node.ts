import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestClient } from './client.ts';
import { type Engine, NodeProcess, url } from './members.ts';

export interface NodeSpec {
  name: string;
  /** The folder that holds the data folders and logs of the whole cluster. */
  dir: string;
  clientPort: number;
  peerPort: number;
}

/** `name=url,…` of these nodes, for --initial-cluster. */
export function initialCluster(nodes: readonly NodeSpec[]): string {
  return nodes.map(({ name, peerPort }) => `${name}=${url(peerPort)}`).join();
}

/** One node process, ours or etcd's, which take the same flags: started, killed and started again. */
export class TestNode {
  readonly spec: NodeSpec;
  readonly url: string;
  readonly peerUrl: string;
  readonly client: TestClient;
  readonly #engine: Engine;
  #process: NodeProcess | undefined;

  constructor(spec: NodeSpec, engine: Engine = 'raftdeck') {
    this.spec = spec;
    this.#engine = engine;
    this.url = url(spec.clientPort);
    this.peerUrl = url(spec.peerPort);
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
    args.push('--log-outputs', `${this.dataDir}.log`, ...flags);
    this.#process = new NodeProcess(args, {}, {}, this.#engine);
    return this;
  }

  /** Its exit code, once it has ended; null after a signal. */
  async exited(): Promise<number | null> {
    return (await this.#process?.exit)?.code ?? null;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    return (await this.#process?.kill(signal))?.code ?? null;
  }

  async dispose(): Promise<void> {
    this.client.close();
    await this.kill();
  }
}
