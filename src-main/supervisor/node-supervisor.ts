import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { AdoptedChild } from './adopted-child.ts';
import type { ClusterDefinition, NodeDefinition } from './definition.ts';
import type { SupervisorErrorCode } from './errors.ts';
import type { ChildExit, ChildHandle, Launcher, LaunchSpec } from './launcher.ts';
import { clientUrl, type NodePaths, peerUrl } from './layout.ts';
import type { LogTail } from './log-tail.ts';
import { nodeArgs, nodeEnvironment } from './node-args.ts';
import {
  describeExit,
  exitReason,
  type NodeExit,
  type NodeSnapshot,
  type NodeState,
} from './node-state.ts';
import { findOrphan, type Orphan, removePidFile, writePidFile } from './pid-file.ts';
import { checkPorts } from './ports.ts';
import { signalIfAlive } from './process-info.ts';
import { whenListening } from './readiness.ts';
import type { RestartPolicy } from './restart-policy.ts';
import { lastLines, rotateIfLarger, sizeOf } from './rotate.ts';

/** A node that does not stop when asked is killed after this. */
export const DEFAULT_STOP_DEADLINE_MS = 10_000;
/** A killed process is gone within milliseconds, unless the kernel holds it (a dead disk). */
const KILL_DEADLINE_MS = 10_000;
const MAX_STDERR_BYTES = 1024 * 1024;
/** etcd before 3.5 cannot rotate its log; ours does it itself and never gets here. */
const MAX_LOG_BYTES = 8 * 1024 * 1024;
const LOG_FILES = 3;
const REASON_LINES = 10;
const REASON_BYTES = 8 * 1024;
/** The bundled node's exit code for flags and data that no restart can mend. */
const CONFIGURATION_EXIT_CODE = 2;

/**
 * adopt: it goes on under our eyes. stop: it is ended. report: it is shown as orphaned, for the
 * user to decide.
 */
export type OrphanPolicy = 'adopt' | 'stop' | 'report';

export interface NodeSupervisorOptions {
  cluster: ClusterDefinition;
  node: NodeDefinition;
  paths: NodePaths;
  launcher: Launcher;
  nodeEntry: string;
  env: NodeJS.ProcessEnv;
  policy: RestartPolicy;
  clock: Clock;
  /** Unix milliseconds, for what people see. */
  wallClockMs: () => number;
  stopDeadlineMs: number;
  tail: LogTail;
  logger: Logger;
  onChange: () => void;
  /**
   * Runs one action after the other over all nodes: two probes of one port would each see the
   * other.
   */
  inPortTurn: <T>(action: () => Promise<T>) => Promise<T>;
}

/** Starts, watches, restarts and ends one node's process. */
export class NodeSupervisor {
  readonly #options: NodeSupervisorOptions;
  #state: NodeState = 'stopped';
  #sinceMs: number;
  #child: ChildHandle | null = null;
  #adopted = false;
  #paused = false;
  #startedAtMs: number | null = null;
  /** Monotonic; null while it does not serve. */
  #servingSinceMs: number | null = null;
  #asked: 'stop' | 'kill' | null = null;
  #lastExit: NodeExit | null = null;
  #restarts = 0;
  #nextRestartAtMs: number | null = null;
  #cancelRestart: () => void = () => {};
  #cancelReadiness: () => void = () => {};
  #orphan: Orphan | null = null;
  #stderrOffset = 0;
  /** The last log line before this launch: older errors explain no newer exit. */
  #logSeq = 0;
  #disposed = false;
  /** start, stop and restart run one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #ended: Promise<void> = Promise.resolve();

  constructor(options: NodeSupervisorOptions) {
    this.#options = options;
    this.#sinceMs = options.wallClockMs();
  }

  get state(): NodeState {
    return this.#state;
  }

  snapshot(): NodeSnapshot {
    const { node, paths } = this.#options;
    return {
      name: node.name,
      state: this.#state,
      sinceMs: this.#sinceMs,
      pid: this.#child?.pid ?? this.#orphan?.pid ?? null,
      startedAtMs: this.#startedAtMs,
      adopted: this.#adopted,
      paused: this.#paused,
      restarts: this.#restarts,
      nextRestartAtMs: this.#nextRestartAtMs,
      lastExit: this.#lastExit,
      clientUrl: clientUrl(node),
      peerUrl: peerUrl(node),
      dataDir: paths.dataDir,
    };
  }

  /** Looks for a process that a former supervisor left, and treats it as told. */
  recover(policy: OrphanPolicy): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#child !== null) return;
      this.#orphan = await findOrphan(this.#options.paths.pidFile);
      if (this.#orphan === null) return;
      this.#options.logger.info('found an orphan', { pid: this.#orphan.pid, policy });
      if (policy === 'report') this.#enter('orphaned');
      else this.#adopt(this.#orphan);
      if (policy === 'stop') await this.#end('stop');
    });
  }

  /**
   * Resolves once the process runs; whether it serves is told by the state. Throws PortInUse,
   * SpawnFailed.
   */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#orphan !== null) this.#adopt(this.#orphan);
      if (this.#child !== null) return;
      await this.#ended;
      this.#cancelPlannedRestart();
      this.#options.policy.reset();
      this.#restarts = 0;
      try {
        await this.#launch();
      } catch (error) {
        this.#noteFailedStart(error);
        this.#enter('crashed');
        throw error;
      }
    });
  }

  /** Asks it to end, and kills it after the deadline. Nothing happens if it does not run. */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#end('stop'));
  }

  /** Ends it at once; it stays down. Does not wait for a start or stop under way. */
  kill(): Promise<void> {
    if (this.#child === null) return this.#inTurn(() => this.#end('kill'));
    return this.#end('kill');
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /**
   * SIGSTOP: the process stays but does nothing, as on a hung machine. Throws NodeNotRunning,
   * Unsupported.
   */
  pause(): void {
    this.#signalRunning('SIGSTOP');
    this.#paused = true;
    this.#options.onChange();
  }

  resume(): void {
    this.#signalRunning('SIGCONT');
    this.#paused = false;
    this.#options.onChange();
  }

  /** Lets go of the process, which runs on: a later supervisor will find it. */
  dispose(): void {
    this.#disposed = true;
    this.#cancelRestart();
    this.#cancelReadiness();
    if (this.#child instanceof AdoptedChild) this.#child.release();
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(action);
    this.#queue = result.catch(() => {});
    return result;
  }

  #enter(state: NodeState): void {
    if (this.#disposed) return;
    this.#state = state;
    this.#sinceMs = this.#options.wallClockMs();
    this.#options.logger.debug('node state', { node: this.#options.node.name, state });
    this.#options.onChange();
  }

  async #launch(): Promise<void> {
    const { cluster, node, paths, launcher, tail, inPortTurn } = this.#options;
    await mkdir(paths.nodeDir, { recursive: true, mode: 0o700 });
    await mkdir(dirname(paths.dataDir), { recursive: true, mode: 0o700 });
    await mkdir(dirname(paths.logFile), { recursive: true, mode: 0o700 });
    await rotateIfLarger(paths.stderrFile, MAX_STDERR_BYTES, LOG_FILES);
    await rotateIfLarger(paths.logFile, MAX_LOG_BYTES, LOG_FILES);
    this.#stderrOffset = await sizeOf(paths.stderrFile);
    await tail.poll();
    this.#logSeq = tail.query({ limit: 1 })[0]?.seq ?? 0;
    const spec = this.#spec();
    const child = await inPortTurn(async () => {
      await checkPorts(cluster, [node]);
      this.#enter('starting');
      const launched = await launcher.launch(spec);
      this.#attach(launched);
      return launched;
    });
    try {
      await writePidFile(paths.pidFile, child.pid, [spec.program.path, ...spec.args]);
    } catch (error) {
      // It runs all the same; only a later supervisor would not find it.
      const fields = { node: node.name, error: errorMessage(error) };
      this.#options.logger.error('cannot write the pid file', fields);
    }
  }

  #spec(): LaunchSpec {
    const { cluster, node, paths, nodeEntry, env } = this.#options;
    return {
      program:
        cluster.engine.kind === 'bundled'
          ? { kind: 'entry', path: nodeEntry }
          : { kind: 'binary', path: cluster.engine.path },
      args: nodeArgs(cluster, node, paths),
      env: nodeEnvironment(env),
      stderrFile: paths.stderrFile,
    };
  }

  #adopt(orphan: Orphan): void {
    this.#orphan = null;
    this.#enter('starting');
    this.#attach(new AdoptedChild(orphan, this.#options.clock));
    this.#adopted = true;
    this.#paused = orphan.paused;
    this.#startedAtMs = orphan.launchedAtMs;
    this.#options.onChange();
  }

  #attach(child: ChildHandle): void {
    const { clock, node, wallClockMs } = this.#options;
    this.#child = child;
    this.#adopted = false;
    this.#paused = false;
    this.#asked = null;
    this.#startedAtMs = wallClockMs();
    this.#servingSinceMs = null;
    this.#ended = new Promise((resolve) => {
      child.onExit((exit) => void this.#onExit(exit).finally(resolve));
    });
    if (this.#disposed) return;
    this.#cancelReadiness = whenListening(node.clientPort, clock, () => {
      this.#servingSinceMs = clock.nowMs();
      if (this.#state === 'starting') this.#enter('running');
    });
    this.#options.onChange();
  }

  async #onExit(exit: ChildExit): Promise<void> {
    if (this.#disposed) return;
    const { clock, paths, wallClockMs, policy, tail } = this.#options;
    const cause = this.#asked ?? 'crash';
    const servedMs = this.#servingSinceMs === null ? 0 : clock.nowMs() - this.#servingSinceMs;
    this.#cancelReadiness();
    this.#child = null;
    this.#adopted = false;
    this.#paused = false;
    this.#startedAtMs = null;
    this.#asked = null;
    this.#lastExit = { ...exit, cause, atMs: wallClockMs(), reason: '' };
    if (cause === 'crash') {
      await tail.poll();
      const errors = tail.query({ minLevel: 'error', afterSeq: this.#logSeq, limit: 1 });
      const stderr = await this.#lastWords();
      this.#lastExit = { ...this.#lastExit, reason: exitReason(stderr, errors) };
    }
    await removePidFile(paths.pidFile).catch((error: unknown) => {
      // Harmless: the start time in it no longer matches any process.
      this.#options.logger.warn('cannot remove the pid file', { error: errorMessage(error) });
    });
    if (this.#disposed) return;
    if (cause !== 'crash') {
      this.#enter('stopped');
      return;
    }
    this.#options.logger.warn('node crashed', {
      node: this.#options.node.name,
      exit: describeExit(this.#lastExit),
    });
    if (this.#isConfigurationError(exit)) this.#enter('crashed');
    else this.#planRestart(policy.onCrash(servedMs));
  }

  /** An etcd binary also exits with 2 when Go panics, so there it proves nothing. */
  #isConfigurationError(exit: ChildExit): boolean {
    const isBundled = this.#options.cluster.engine.kind === 'bundled';
    return isBundled && exit.code === CONFIGURATION_EXIT_CODE;
  }

  async #lastWords(): Promise<string[]> {
    const { stderrFile } = this.#options.paths;
    try {
      return await lastLines(stderrFile, this.#stderrOffset, REASON_LINES, REASON_BYTES);
    } catch (error) {
      return [`(its stderr cannot be read: ${errorMessage(error)})`];
    }
  }

  #planRestart(decision: ReturnType<RestartPolicy['onCrash']>): void {
    const { clock, wallClockMs } = this.#options;
    if (!decision.restart) {
      this.#enter('crashed');
      return;
    }
    this.#nextRestartAtMs = wallClockMs() + decision.delayMs;
    this.#cancelRestart = clock.setTimer(decision.delayMs, () => void this.#restartAfterCrash());
    this.#enter('backoff');
  }

  #restartAfterCrash(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#state !== 'backoff' || this.#disposed) return;
      this.#nextRestartAtMs = null;
      this.#restarts += 1;
      try {
        await this.#launch();
      } catch (error) {
        this.#noteFailedStart(error);
        this.#planRestart(this.#options.policy.onCrash(0));
      }
    });
  }

  #noteFailedStart(error: unknown): void {
    const atMs = this.#options.wallClockMs();
    const reason = errorMessage(error);
    this.#lastExit = { code: null, signal: null, cause: 'crash', atMs, reason };
    this.#options.logger.warn('node did not start', { node: this.#options.node.name, reason });
  }

  #cancelPlannedRestart(): void {
    this.#cancelRestart();
    this.#nextRestartAtMs = null;
  }

  async #end(how: 'stop' | 'kill'): Promise<void> {
    if (this.#orphan !== null) this.#adopt(this.#orphan);
    const child = this.#child;
    if (child === null) {
      await this.#ended;
      this.#cancelPlannedRestart();
      if (this.#state !== 'stopped') this.#enter('stopped');
      return;
    }
    const ended = this.#ended;
    this.#asked = how;
    this.#enter('stopping');
    if (how === 'stop') {
      child.terminate();
      // A paused process gets the signal once it goes on.
      if (this.#paused) signalIfAlive(child.pid, 'SIGCONT');
      this.#paused = false;
      if (await this.#within(ended, this.#options.stopDeadlineMs)) return;
      this.#options.logger.warn('node did not stop in time', { pid: child.pid });
    }
    child.kill();
    if (await this.#within(ended, KILL_DEADLINE_MS)) return;
    throw new CodedError<SupervisorErrorCode>(
      'StopFailed',
      `node ${this.#options.node.name} (pid ${child.pid}) does not end, even when killed`,
    );
  }

  #within(promise: Promise<void>, deadlineMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.setTimer(deadlineMs, () => resolve(false));
      void promise.then(() => {
        cancel();
        resolve(true);
      });
    });
  }

  #signalRunning(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const child = this.#child;
    if (process.platform === 'win32') {
      const message = 'Windows cannot pause a process by signal';
      throw new CodedError<SupervisorErrorCode>('Unsupported', message);
    }
    if (child === null) {
      const { name } = this.#options.node;
      throw new CodedError<SupervisorErrorCode>('NodeNotRunning', `node ${name} does not run`);
    }
    signalIfAlive(child.pid, signal);
  }
}
