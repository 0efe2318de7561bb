import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { etcdctl, freeBasePort, onPath, removeDir, tempDir, until } from '../support/cluster.ts';

export const hasEtcd = onPath('etcd') && onPath('etcdctl');

/** One real etcd on a folder and a port of its own, which keeps both when it is killed. */
export class Etcd {
  readonly endpoint: string;
  readonly #dir: string;
  readonly #port: number;
  #process: ChildProcess | null = null;

  private constructor(port: number) {
    this.#port = port;
    this.endpoint = `127.0.0.1:${port}`;
    this.#dir = tempDir();
  }

  static async start(): Promise<Etcd> {
    const etcd = new Etcd(await freeBasePort(2));
    await etcd.run();
    return etcd;
  }

  async run(): Promise<void> {
    const [client, peer] = [`http://${this.endpoint}`, `http://127.0.0.1:${this.#port + 1}`];
    const flags = ['--name', 'far', '--data-dir', join(this.#dir, 'etcd')];
    flags.push('--listen-client-urls', client, '--advertise-client-urls', client);
    flags.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer);
    flags.push('--initial-cluster', `far=${peer}`);
    this.#process = spawn('etcd', flags, { stdio: 'ignore' });
    await until(
      'etcd serves',
      () => etcdctl([this.endpoint], 'endpoint', 'health').code === 0 || undefined,
    );
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async dispose(): Promise<void> {
    await this.kill();
    removeDir(this.#dir);
  }
}
