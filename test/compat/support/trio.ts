import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { StatusResponse } from '../../../src-main/proto/etcd/rpc.ts';
import { freeBasePort, NODE_MAIN, removeDir, tempDir, until } from '../../support/cluster.ts';
import { call, GrpcClients } from './grpc.ts';
import type { TargetName } from './targets.ts';

const MEMBERS = [0, 1, 2] as const;
const START_TIMEOUT_MS = 60_000;

export interface TrioOptions {
  /** Flags for every member, after those that name ports and folders. */
  flags?: string[];
  /** What runs one of our nodes in place of its own main file. */
  main?: string;
}

/** One process of a cluster, and clients of it alone. */
export class TrioMember {
  readonly clients: GrpcClients;
  readonly #start: () => ChildProcess;
  #process: ChildProcess;

  constructor(address: string, start: () => ChildProcess) {
    this.clients = new GrpcClients({ address });
    this.#start = start;
    this.#process = start();
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(signal);
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }

  /** After `kill`. */
  restart(): void {
    this.#process = this.#start();
  }
}

/** Three members of either kind, which nothing but the test stops or starts. */
export class Trio {
  readonly members: TrioMember[];
  readonly #dir: string;

  private constructor(dir: string, members: TrioMember[]) {
    this.#dir = dir;
    this.members = members;
  }

  static async start(kind: TargetName, options: TrioOptions = {}): Promise<Trio> {
    const dir = tempDir();
    const base = await freeBasePort(6);
    const members = MEMBERS.map((i) => {
      const run = () => startMember(kind, dir, base, i, options);
      return new TrioMember(`127.0.0.1:${base + 2 * i}`, run);
    });
    const trio = new Trio(dir, members);
    try {
      await until('all members answer', () => trio.#allAnswer(), START_TIMEOUT_MS);
    } catch (error) {
      await trio.stop();
      throw error;
    }
    return trio;
  }

  /** The member that leads by its own word. */
  async leader(among = this.members): Promise<TrioMember> {
    return until('a leader', async () => {
      for (const member of among) {
        const status = await statusOf(member).catch(() => undefined);
        if (status !== undefined && status.leader === status.header?.memberId) return member;
      }
      return undefined;
    });
  }

  others(than: TrioMember): TrioMember[] {
    return this.members.filter((member) => member !== than);
  }

  async stop(): Promise<void> {
    for (const { clients } of this.members) clients.close();
    for (const member of this.members) await member.kill();
    removeDir(this.#dir);
  }

  async #allAnswer(): Promise<true | undefined> {
    for (const member of this.members) {
      if ((await statusOf(member).catch(() => undefined))?.leader === 0n) return undefined;
      if ((await member.clients.revision().catch(() => 0)) === 0) return undefined;
    }
    return true;
  }
}

function statusOf({ clients }: TrioMember) {
  return call<StatusResponse>((...rest) => clients.maintenance.status({}, ...rest));
}

function startMember(
  kind: TargetName,
  dir: string,
  base: number,
  i: number,
  { flags = [], main = NODE_MAIN }: TrioOptions,
): ChildProcess {
  const url = (port: number) => `http://127.0.0.1:${port}`;
  const [client, peer] = [url(base + 2 * i), url(base + 2 * i + 1)];
  const cluster = MEMBERS.map((k) => `m${k}=${url(base + 2 * k + 1)}`).join();
  const args = [
    ...['--name', `m${i}`, '--data-dir', join(dir, `m${i}`), '--initial-cluster', cluster],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--log-outputs', join(dir, `m${i}.log`)],
    ...flags,
  ];
  const [command, prefix] = kind === 'etcd' ? ['etcd', []] : [process.execPath, [main]];
  const logger = kind === 'etcd' ? ['--logger', 'zap'] : [];
  return spawn(command, [...prefix, ...args, ...logger], { stdio: 'ignore' });
}
