/** A real etcd for tests: the client is right if it works with what we did not write. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../base/testing/free-ports.ts';
import { EtcdConnection } from '../connection.ts';

export const ETCD = process.env.ETCD_PATH ?? '/usr/bin/etcd';
export const hasEtcd = existsSync(ETCD);
if (!hasEtcd) console.warn(`SKIPPED: tests against a real etcd. There is none at ${ETCD}.`);

const READY_MS = 20_000;

/** Asks again until `read` gives something; fails loudly when it never does. */
export async function eventually<T>(
  read: () => Promise<T | undefined> | T | undefined,
  what: string,
  withinMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export class TestEtcd {
  readonly dir: string;
  readonly clientUrl: string;
  readonly #args: string[];
  #child: ChildProcess | null = null;

  private constructor(dir: string, clientUrl: string, args: string[]) {
    this.dir = dir;
    this.clientUrl = clientUrl;
    this.#args = args;
  }

  /** Members of one cluster; starts nothing yet. */
  static async create(members: number, extraArgs: string[] = []): Promise<TestEtcd[]> {
    const ports = await freePorts(2 * members);
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    const peers = urls.slice(members);
    const cluster = peers.map((url, i) => `m${i}=${url}`).join(',');
    return Promise.all(
      peers.map(async (peerUrl, i) => {
        const dir = await mkdtemp(join(tmpdir(), 'raftdeck-etcd-'));
        const clientUrl = urls[i] as string;
        const flags = {
          name: `m${i}`,
          'data-dir': join(dir, 'data'),
          'listen-client-urls': clientUrl,
          'advertise-client-urls': clientUrl,
          'listen-peer-urls': peerUrl,
          'initial-advertise-peer-urls': peerUrl,
          'initial-cluster': cluster,
          'log-level': 'error',
        };
        const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
        return new TestEtcd(dir, clientUrl, [...args, ...extraArgs]);
      }),
    );
  }

  static async startCluster(members: number, extraArgs: string[] = []): Promise<TestEtcd[]> {
    const all = await TestEtcd.create(members, extraArgs);
    await Promise.all(all.map((member) => member.start()));
    return all;
  }

  static async start(options: { args?: string[] } = {}): Promise<TestEtcd> {
    const [etcd] = await TestEtcd.startCluster(1, options.args);
    return etcd as TestEtcd;
  }

  async start(): Promise<void> {
    const child = spawn(ETCD, this.#args, { stdio: 'ignore' });
    this.#child = child;
    const connection = new EtcdConnection([this.clientUrl], { timeoutMs: 500 });
    try {
      await eventually(
        async () => {
          if (child.exitCode !== null) throw new Error(`etcd exited with ${child.exitCode}`);
          const status = await connection.status(this.clientUrl).catch(() => undefined);
          if (status === undefined) return undefined;
          return status.leader === 0n ? undefined : status;
        },
        'etcd answers',
        READY_MS,
      );
    } finally {
      connection.dispose();
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}
