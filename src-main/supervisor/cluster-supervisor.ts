import { type Clock, systemClock } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';
import { CodedError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { type Random, seededRandom } from '../base/prng.ts';
import type { ClusterDefinition } from './definition.ts';
import { Emitter } from './emitter.ts';
import type { SupervisorErrorCode } from './errors.ts';
import { BUNDLED_NODE_ENTRY, ChildProcessLauncher, type Launcher } from './launcher.ts';
import { nodePaths } from './layout.ts';
import { LogTail } from './log-tail.ts';
import type { NodeSnapshot } from './node-state.ts';
import { DEFAULT_STOP_DEADLINE_MS, NodeSupervisor, type OrphanPolicy } from './node-supervisor.ts';
import { checkPorts } from './ports.ts';
import { DEFAULT_RESTART_LIMITS, type RestartLimits, RestartPolicy } from './restart-policy.ts';

export interface ClusterSupervisorOptions {
  definition: ClusterDefinition;
  /** Absolute. The caller holds the lock of the data folder that it lies in. */
  clusterDir: string;
  launcher?: Launcher;
  /** JavaScript entry of the bundled node. */
  nodeEntry?: string;
  env?: NodeJS.ProcessEnv;
  /** What to do with nodes that a former supervisor left running. */
  orphans?: OrphanPolicy;
  restartLimits?: RestartLimits;
  stopDeadlineMs?: number;
  /** Follow the nodes' logs from the start; else they are read only to explain a crash. */
  followLogs?: boolean;
  clock?: Clock;
  wallClockMs?: () => number;
  random?: Random;
  logger?: Logger;
}

export interface ClusterProcesses {
  definition: ClusterDefinition;
  nodes: NodeSnapshot[];
}

interface Member {
  node: NodeSupervisor;
  tail: LogTail;
}

/** The processes of one local cluster. */
export class ClusterSupervisor {
  #definition: ClusterDefinition;
  readonly clusterDir: string;
  readonly #members = new Map<string, Member>();
  readonly #changes = new Emitter<ClusterProcesses>();
  #portTurns: Promise<unknown> = Promise.resolve();

  private constructor(options: ClusterSupervisorOptions) {
    this.#definition = options.definition;
    this.clusterDir = options.clusterDir;
    const clock = options.clock ?? systemClock;
    const random = options.random ?? seededRandom(process.pid ^ Date.now());
    for (const node of options.definition.nodes) {
      const paths = nodePaths(options.clusterDir, node);
      const tail = new LogTail({ file: paths.logFile, node: node.name, clock });
      if (options.followLogs ?? true) tail.follow();
      const supervisor = new NodeSupervisor({
        cluster: options.definition,
        node,
        paths,
        launcher: options.launcher ?? new ChildProcessLauncher(),
        nodeEntry: options.nodeEntry ?? BUNDLED_NODE_ENTRY,
        env: options.env ?? process.env,
        policy: new RestartPolicy(options.restartLimits ?? DEFAULT_RESTART_LIMITS, random),
        clock,
        wallClockMs: options.wallClockMs ?? Date.now,
        stopDeadlineMs: options.stopDeadlineMs ?? DEFAULT_STOP_DEADLINE_MS,
        tail,
        logger: options.logger ?? silentLogger,
        onChange: () => this.#changes.emit(this.snapshot()),
        inPortTurn: (action) => this.#inPortTurn(action),
      });
      this.#members.set(node.name, { node: supervisor, tail });
    }
  }

  /** Finds what a former supervisor left running; starts nothing. */
  static async open(options: ClusterSupervisorOptions): Promise<ClusterSupervisor> {
    const supervisor = new ClusterSupervisor(options);
    const policy = options.orphans ?? 'adopt';
    try {
      await supervisor.#each((node) => node.recover(policy));
    } catch (error) {
      supervisor.dispose();
      throw error;
    }
    return supervisor;
  }

  get definition(): ClusterDefinition {
    return this.#definition;
  }

  snapshot(): ClusterProcesses {
    const nodes = [...this.#members.values()].map((member) => member.node.snapshot());
    return { definition: this.#definition, nodes };
  }

  /** Called with every change of a node's process. */
  onChange(listener: (processes: ClusterProcesses) => void): Disposable {
    return this.#changes.on(listener);
  }

  /** After a rename in the registry. Processes keep the flags they were started with. */
  setName(name: string): void {
    this.#definition = { ...this.#definition, name };
    this.#changes.emit(this.snapshot());
  }

  /** Starts what does not run, all at once: none is started if one port is taken (PortInUse). */
  async start(): Promise<void> {
    await this.#inPortTurn(() => {
      const isDown = (name: string) => this.#member(name).node.snapshot().pid === null;
      return checkPorts(
        this.#definition,
        this.#definition.nodes.filter(({ name }) => isDown(name)),
      );
    });
    await this.#each((node) => node.start());
  }

  /** Stops all nodes at once, each with the deadline. */
  stop(): Promise<void> {
    return this.#each((node) => node.stop());
  }

  kill(): Promise<void> {
    return this.#each((node) => node.kill());
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  startNode(name: string): Promise<void> {
    return this.#member(name).node.start();
  }

  stopNode(name: string): Promise<void> {
    return this.#member(name).node.stop();
  }

  /** SIGKILL, as if the machine had died; the node stays down until it is started. */
  killNode(name: string): Promise<void> {
    return this.#member(name).node.kill();
  }

  restartNode(name: string): Promise<void> {
    return this.#member(name).node.restart();
  }

  pauseNode(name: string): void {
    this.#member(name).node.pause();
  }

  resumeNode(name: string): void {
    this.#member(name).node.resume();
  }

  logs(name: string): LogTail {
    return this.#member(name).tail;
  }

  /** Resolves once `isDone` holds for a snapshot; it is asked now and on every change. */
  waitFor(isDone: (processes: ClusterProcesses) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const subscription = this.onChange(check);
      function check(processes: ClusterProcesses): void {
        try {
          if (!isDone(processes)) return;
          resolve();
        } catch (error) {
          reject(error);
        }
        subscription.dispose();
      }
      check(this.snapshot());
    });
  }

  /** Lets go: nodes that still run go on, and the next supervisor finds them. */
  dispose(): void {
    for (const { node, tail } of this.#members.values()) {
      node.dispose();
      tail.dispose();
    }
    this.#changes.dispose();
  }

  #member(name: string): Member {
    const member = this.#members.get(name);
    if (member !== undefined) return member;
    throw new CodedError<SupervisorErrorCode>(
      'NodeNotFound',
      `cluster ${this.#definition.name} has no node ${name}`,
    );
  }

  #inPortTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#portTurns.then(action);
    this.#portTurns = result.catch(() => {});
    return result;
  }

  /** Every node gets its turn; the first failure is thrown once all are through. */
  async #each(action: (node: NodeSupervisor) => Promise<void>): Promise<void> {
    const actions = [...this.#members.values()].map(({ node }) => action(node));
    for (const result of await Promise.allSettled(actions)) {
      if (result.status === 'rejected') throw result.reason;
    }
  }
}
