import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { join } from 'node:path';
import { TestClient } from './client.ts';
import { freeBasePort, NODE_MAIN, removeDir, tempDir, until } from './cluster.ts';

export interface NodeExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

/** Ours or the real one: both take the same flags. */
export type Engine = 'raftdeck' | 'etcd';

const COMMANDS: Record<Engine, [string, string[]]> = {
  raftdeck: [process.execPath, [NODE_MAIN]],
  etcd: ['etcd', ['--logger', 'zap']],
};

/** One process of a node, started with flags alone. */
export class NodeProcess {
  readonly process: ChildProcess;
  readonly exit: Promise<NodeExit>;
  #stderr = '';

  constructor(
    flags: string[],
    env: NodeJS.ProcessEnv = {},
    options: SpawnOptions = {},
    engine: Engine = 'raftdeck',
  ) {
    const [command, before] = COMMANDS[engine];
    this.process = spawn(command, [...before, ...flags], {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.exit = new Promise((resolve) =>
      this.process.once('close', (code, signal) => resolve({ code, signal, stderr: this.#stderr })),
    );
  }

  /** What it logged and complained so far. */
  get stderr(): string {
    return this.#stderr;
  }

  get pid(): number {
    return this.process.pid as number;
  }

  get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Waits until a line of the log holds `text`. */
  says(text: string): Promise<true> {
    return until(`the node says "${text}"`, () => {
      if (this.#stderr.includes(text)) return true;
      if (!this.isRunning) throw new Error(`it ended: ${this.#stderr}`);
      return undefined;
    });
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<NodeExit> {
    if (this.isRunning) this.process.kill(signal);
    return this.exit;
  }
}

export const url = (port: number): string => `http://127.0.0.1:${port}`;

export interface MembersOptions {
  count: number;
  /** Flags for every member, after those that name ports and folders. */
  flags?: string[];
  env?: NodeJS.ProcessEnv;
  /** Ours if undefined. */
  engine?: Engine;
  /** What member `to` is known by to the others; its own listener if undefined. */
  advertisedPeerPort?(to: number, listenPort: number): Promise<number>;
}

/**
 * A cluster of processes m0, m1, … without a supervisor, so that nothing but the test starts, stops or kills them.
 * Election timeout 500 ms, heartbeats every 50 ms.
 */
export class Members {
  readonly dir: string;
  readonly base: number;
  readonly count: number;
  readonly clients: TestClient[];
  readonly nodes: (NodeProcess | undefined)[];
  readonly #options: MembersOptions;
  readonly #peerPorts: number[];
  /** Those that were replaced: they join a cluster that runs. */
  readonly #joins = new Set<number>();
  /** Every process that there was, by member. */
  readonly #lives: NodeProcess[][];

  private constructor(options: MembersOptions, base: number, peerPorts: number[]) {
    this.#options = options;
    this.dir = tempDir();
    this.base = base;
    this.count = options.count;
    this.#peerPorts = peerPorts;
    this.nodes = Array.from({ length: options.count }, () => undefined);
    this.#lives = this.nodes.map(() => []);
    this.clients = this.nodes.map((_, i) => new TestClient(this.clientUrl(i)));
  }

  /** Prepares the members and starts none. */
  static async prepare(options: MembersOptions): Promise<Members> {
    const base = await freeBasePort(2 * options.count);
    const listen = Array.from({ length: options.count }, (_, i) => base + 2 * i + 1);
    const advertised = await Promise.all(
      listen.map((port, i) => options.advertisedPeerPort?.(i, port) ?? port),
    );
    return new Members(options, base, advertised);
  }

  static async start(options: MembersOptions): Promise<Members> {
    const members = await Members.prepare(options);
    members.startAll();
    await members.leader();
    // A majority elects before the last one serves; a channel that was refused waits before it tries again.
    const answers = (i: number) =>
      members
        .client(i)
        .status()
        .then(
          () => true,
          () => undefined,
        );
    await Promise.all(members.nodes.map((_, i) => until(`member ${i} answers`, () => answers(i))));
    return members;
  }

  clientUrl(i: number): string {
    return url(this.base + 2 * i);
  }

  get endpoints(): string[] {
    return this.nodes.map((_, i) => this.clientUrl(i));
  }

  dataDir(i: number): string {
    return join(this.dir, `m${i}`);
  }

  /** Where the others reach member i. */
  peerUrl(i: number): string {
    return url(this.#peerPorts[i] as number);
  }

  /** Member i has lost all it had. It was removed, and is added again: from now on it joins. */
  forget(i: number): void {
    removeDir(this.dataDir(i));
    this.#joins.add(i);
  }

  flags(i: number): string[] {
    const cluster = this.#peerPorts.map((port, k) => `m${k}=${url(port)}`).join();
    return [
      ...['--name', `m${i}`, '--data-dir', this.dataDir(i), '--initial-cluster', cluster],
      ...['--listen-client-urls', this.clientUrl(i), '--advertise-client-urls', this.clientUrl(i)],
      ...['--listen-peer-urls', url(this.base + 2 * i + 1)],
      ...['--initial-advertise-peer-urls', this.peerUrl(i)],
      ...['--initial-cluster-state', this.#joins.has(i) ? 'existing' : 'new'],
      ...['--heartbeat-interval', '50', '--election-timeout', '500'],
      ...(this.#options.flags ?? []),
    ];
  }

  startOne(i: number, extra: string[] = []): NodeProcess {
    const { env, engine } = this.#options;
    const node = new NodeProcess([...this.flags(i), ...extra], env, {}, engine);
    this.nodes[i] = node;
    this.#lives[i]?.push(node);
    return node;
  }

  startAll(extra: string[] = []): void {
    for (let i = 0; i < this.count; i++) this.startOne(i, extra);
  }

  node(i: number): NodeProcess {
    const node = this.nodes[i];
    if (node === undefined) throw new Error(`m${i} was never started`);
    return node;
  }

  client(i: number): TestClient {
    const client = this.clients[i];
    if (client === undefined) throw new Error(`there is no m${i}`);
    return client;
  }

  /** What member i logged and complained, life after life. */
  said(i: number): string {
    const lives = this.#lives[i] ?? [];
    return lives.map(({ pid, stderr }) => `--- process ${pid}\n${stderr}`).join('');
  }

  /** SIGKILL to all at once. */
  async killAll(): Promise<void> {
    const running = this.nodes.filter((node) => node?.isRunning);
    for (const node of running) node?.process.kill('SIGKILL');
    await Promise.all(running.map((node) => node?.exit));
  }

  /** The member that says that it leads, once one does; of several the one with the highest term. */
  leader(among: number[] = this.clients.map((_, i) => i), timeoutMs = 30_000): Promise<number> {
    return until(
      'a leader',
      async () => {
        const all = await Promise.all(
          among.map(async (i) => ({
            i,
            status: await this.client(i)
              .status(500)
              .catch(() => undefined),
          })),
        );
        const leading = all
          .filter(({ status }) => status?.leader === status?.header?.memberId)
          .filter(({ status }) => status !== undefined)
          .sort((a, b) => (b.status?.raftTerm ?? 0) - (a.status?.raftTerm ?? 0));
        return leading[0]?.i;
      },
      timeoutMs,
    );
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    await this.killAll();
    removeDir(this.dir);
  }
}
