import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freeBasePort } from '../../src-main/base/testing/free-ports.ts';
import { StatusRequest, StatusResponse } from '../../src-main/proto/etcd/rpc.ts';
import { type Address, callOnce } from './client/call.ts';
import { framed, Path } from './client/messages.ts';
import { cpuSeconds, residentMib } from './processes.ts';

/** A server to measure: its name in the tables and how one member is started. */
export interface Engine {
  name: string;
  command: string;
  args: string[];
}

const OURS = resolve(import.meta.dirname, '../main/node/main.js');
const POLL_MS = 5;
const START_TIMEOUT_MS = 120_000;
const HOST = '127.0.0.1';
/** Large enough that no workload meets it: both would refuse. */
const QUOTA_BYTES = 8 * 1024 ** 3;

export function ourEngine(name = 'raftdeck', main: string = OURS): Engine {
  return { name, command: process.execPath, args: [main] };
}

/** The etcd on PATH; undefined if there is none. */
export function etcdEngine(): Engine | undefined {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    const command = join(dir, 'etcd');
    if (dir !== '' && existsSync(command)) return { name: 'etcd', command, args: [] };
  }
  return undefined;
}

/** A cluster of real processes with flags that both kinds of server know, durable writes included. */
export class Cluster {
  readonly engine: Engine;
  readonly addresses: Address[];
  readonly #dir: string;
  readonly #basePort: number;
  readonly #processes: (ChildProcess | undefined)[];

  private constructor(engine: Engine, nodes: number, basePort: number) {
    this.engine = engine;
    this.#basePort = basePort;
    this.#dir = mkdtempSync(join(tmpdir(), 'raftdeck-bench-'));
    this.#processes = Array.from({ length: nodes });
    this.addresses = this.#processes.map((_, i) => ({ host: HOST, port: basePort + 2 * i }));
  }

  /** Starts the members and answers once there is a leader that serves. */
  static async start(engine: Engine, nodes: number): Promise<Cluster> {
    const cluster = new Cluster(engine, nodes, await freeBasePort(2 * nodes));
    try {
      cluster.launch();
      await cluster.leader();
      return cluster;
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
  }

  /** Members that have been stopped are started again, on the same data. */
  launch(): void {
    const urlOf = (i: number) => `http://${HOST}:${this.#basePort + i}`;
    const members = this.addresses.map((_, i) => `n${i}=${urlOf(2 * i + 1)}`).join();
    for (const [i, running] of this.#processes.entries()) {
      if (running !== undefined) continue;
      const flags = [
        ...['--name', `n${i}`, '--data-dir', join(this.#dir, `n${i}`)],
        ...['--initial-cluster', members, '--quota-backend-bytes', String(QUOTA_BYTES)],
        ...['--listen-client-urls', urlOf(2 * i), '--advertise-client-urls', urlOf(2 * i)],
        ...['--listen-peer-urls', urlOf(2 * i + 1)],
        ...['--initial-advertise-peer-urls', urlOf(2 * i + 1)],
      ];
      const { command, args } = this.engine;
      this.#processes[i] = spawn(command, [...args, ...flags], {
        stdio: process.env.BENCH_SERVER_OUTPUT ? 'inherit' : 'ignore',
      });
    }
  }

  /** The leader's address, once a member says that it leads. */
  async leader(): Promise<Address> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    const status = framed(StatusRequest.encode(StatusRequest.create()).finish());
    for (;;) {
      for (const address of this.addresses) {
        const answer = await callOnce(address, Path.status, status).catch(() => undefined);
        if (answer === undefined) continue;
        const { leader, header } = StatusResponse.decode(answer);
        if (leader !== 0n && leader === header?.memberId) return address;
      }
      this.#assertRunning();
      if (performance.now() > deadlineMs) throw new Error(`${this.engine.name}: no leader`);
      await sleep(POLL_MS);
    }
  }

  /** CPU seconds of all members together. */
  cpuSeconds(): number {
    return this.#sum(cpuSeconds);
  }

  /** Resident memory in MiB, of the member that has most. */
  residentMib(): number {
    return Math.max(...this.#pids().map(residentMib));
  }

  /** Stops the members as an administrator would, and keeps their data. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await Promise.all(
      this.#processes.map(async (child, i) => {
        this.#processes[i] = undefined;
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
        const exited = new Promise((resolveExit) => child.once('exit', resolveExit));
        child.kill(signal);
        await exited;
      }),
    );
  }

  /** Ends the members at once and removes their data. */
  async destroy(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #pids(): number[] {
    return this.#processes.flatMap((child) => (child?.pid === undefined ? [] : [child.pid]));
  }

  #sum(of: (pid: number) => number): number {
    return this.#pids().reduce((total, pid) => total + of(pid), 0);
  }

  #assertRunning(): void {
    for (const child of this.#processes) {
      if (child?.exitCode === null || child === undefined) continue;
      throw new Error(`a member of ${this.engine.name} ended with ${child.exitCode}`);
    }
  }
}
