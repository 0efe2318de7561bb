import { CodedError, errorMessage } from '../../src-main/base/errors.ts';
import type { Logger } from '../../src-main/base/logger.ts';
import { createServices } from '../../src-main/node/api/services.ts';
import type { NodeConfig } from '../../src-main/node/config.ts';
import type { MethodImplementation } from '../../src-main/node/rpc/service.ts';
import { openNode } from '../../src-main/node/server/bootstrap.ts';
import type { NodeIo } from '../../src-main/node/server/io.ts';
import { NodeServer } from '../../src-main/node/server/node-server.ts';
import { Chance } from './chance.ts';
import { count } from './coverage.ts';
import type { Recorder } from './recorder.ts';
import { SimClock } from './sim-clock.ts';
import { SimDisk } from './sim-disk.ts';
import { SimEndpoint } from './sim-endpoint.ts';
import type { SimNetwork } from './sim-network.ts';
import { SimProcess } from './sim-process.ts';
import { DurableState, SimStore } from './sim-store.ts';
import type { World } from './world.ts';

/** Log segments are small, so that they roll over and go. */
const SEGMENT_BYTES = 16 * 1024;
/** A supervisor starts it again this much later, at most. */
const RESTART_MS = 1_500;
/** 2020-01-01, so that ids look as they do. */
const UNIX_EPOCH_MS = 1_577_836_800_000;

/**
 * down: not running, and somebody will start it. removed: the cluster does not want it any more. lost: its disk is
 * beyond use, so that it must be replaced.
 */
export type Phase = 'down' | 'starting' | 'running' | 'stopping' | 'removed' | 'lost';

export interface MemberSeams {
  world: World;
  network: SimNetwork;
  recorder: Recorder;
  seed: number;
}

/** One member: a disk that lasts, and one process after the other on it. */
export class SimMember {
  readonly name: string;
  readonly config: NodeConfig;
  readonly disk: SimDisk;
  readonly chance: Chance;
  phase: Phase = 'down';
  incarnation = 0;
  process: SimProcess;
  node: NodeServer | undefined;
  /** Known once it was started. */
  memberId: bigint | undefined;
  /** A fault lets it die when it takes a snapshot in. */
  diesAtImport = false;
  /** A fault keeps it down, or starts it itself. */
  heldDown = false;
  /** Its clock's milliseconds in one true one. */
  clockRate = 1;
  /** Of services, while it runs. */
  methods: ReadonlyMap<string, MethodImplementation> = new Map();
  readonly state = new DurableState();
  readonly #seams: MemberSeams;
  readonly #clockOffsetMs: number;
  #endpoint: SimEndpoint | undefined;
  #onDeath = new Set<() => void>();

  constructor(seams: MemberSeams, name: string, config: NodeConfig) {
    this.#seams = seams;
    this.name = name;
    this.config = config;
    this.chance = Chance.of(seams.seed, `member ${name}`);
    this.disk = new SimDisk(seams.world, Chance.of(seams.seed, `disk ${name}`), (what, times) =>
      count(seams.recorder.coverage, what, times),
    );
    this.process = new SimProcess(seams.world, () => {});
    this.process.alive = false;
    this.#clockOffsetMs = this.chance.between(0, 1_000_000);
  }

  get isRunning(): boolean {
    return this.phase === 'running';
  }

  get isUp(): boolean {
    return this.phase === 'running' || this.phase === 'starting';
  }

  /** The listener is told once when the present process is gone. */
  onDeath(listener: () => void): () => void {
    this.#onDeath.add(listener);
    return () => this.#onDeath.delete(listener);
  }

  start(): void {
    if (this.phase !== 'down') return;
    this.heldDown = false;
    this.phase = 'starting';
    this.incarnation++;
    this.disk.errorsGiven = 0;
    const process = new SimProcess(this.#seams.world, (power) => this.crash(power));
    this.process = process;
    const { chance } = this;
    process.laneDelayMs = () => (chance.happens(0.5) ? chance.between(0, 5) : 0);
    this.#trace('starts');
    this.#run(process).catch((error: unknown) => {
      if (process.alive) this.#refused(error);
    });
  }

  /** kill -9, or with `power` a machine that goes dark. */
  crash(power: boolean): void {
    if (!this.process.alive) return;
    this.#trace(power ? 'loses power' : 'is killed');
    const isFlushed = this.chance.happens(0.5);
    this.#gone(power);
    this.state.crash(isFlushed);
    if (power) this.disk.powerCut();
    // What it promised it may not keep: no protocol can help that, so it must not come back with this disk.
    if (power && this.disk.hasLied) this.lose('its disk lied');
    else this.#startLater();
  }

  /** As a service manager stops it. */
  stop(): void {
    const { node, process } = this;
    if (node === undefined || this.phase !== 'running') return;
    this.#trace('is stopped');
    this.phase = 'stopping';
    node.stop().then(
      () => {
        if (!process.alive) return;
        this.#gone(false);
        this.#startLater();
      },
      (error: unknown) => {
        if (process.alive) this.#failed(error);
      },
    );
  }

  /** Its connection to that member breaks, and is made anew. */
  breakConnection(id: bigint): void {
    this.#endpoint?.breakConnection(id);
  }

  /** Its disk is replaced by an empty one, or it is given up. */
  lose(why: string): void {
    this.#trace(`is lost: ${why}`);
    if (this.process.alive) this.#gone(false);
    this.state.crash(false);
    this.phase = 'lost';
  }

  #startLater(): void {
    const delayMs = this.chance.between(1, RESTART_MS);
    this.#seams.world.after(delayMs, () => {
      if (this.phase === 'down' && !this.heldDown) this.start();
    });
  }

  #gone(silently: boolean): void {
    this.process.alive = false;
    this.phase = 'down';
    this.node = undefined;
    this.methods = new Map();
    this.#endpoint?.died(silently);
    this.#endpoint = undefined;
    const listeners = [...this.#onDeath];
    this.#onDeath.clear();
    for (const listener of listeners) listener();
  }

  async #run(process: SimProcess): Promise<void> {
    const { recorder } = this.#seams;
    const io = this.#io(process);
    const logger = this.#logger(process);
    const opened = await openNode(this.config, io, logger);
    this.memberId = opened.identity.memberId;
    recorder.opened(this, opened);
    const node = new NodeServer({
      ...io,
      config: this.config,
      opened,
      logger,
      onFatal: (error) => {
        if (process.alive) this.#failed(error);
      },
      onRemoved: () => void this.#leave(node, process),
    });
    await node.start();
    if (!process.alive) return;
    const services = createServices(node, {
      logger,
      clock: io.clock,
      watchProgressIntervalMs: this.config.watchProgressIntervalMs,
    });
    const methods = services.flatMap((service) => service.methods);
    this.methods = new Map(methods.map((method) => [method.path, method]));
    this.node = node;
    this.phase = 'running';
  }

  #io(process: SimProcess): NodeIo {
    const { world, network } = this.#seams;
    const clock = new SimClock(world, process, this.clockRate, this.#clockOffsetMs);
    const { chance, disk, state } = this;
    return {
      clock,
      random: chance,
      startMs: UNIX_EPOCH_MS + Math.floor(world.nowMs),
      schedule: (task) => {
        if (process.alive) world.after(chance.between(0.005, 0.05), task, process);
      },
      disk: {
        files: disk.filesFor(process),
        segmentBytes: SEGMENT_BYTES,
        claim: () => {},
        openStore: async () => {
          const store = new SimStore(disk, process, state);
          store.onImport = () => this.#imports(process);
          return store;
        },
        readInPieces: (path) => disk.readInPieces(process, path),
      },
      network: {
        open: (options, handler) => {
          const endpoint = new SimEndpoint(network, this.name, process, options, handler);
          this.#endpoint = endpoint;
          endpoint.onSend = (messages) => this.#seams.recorder.sent(this, messages);
          return endpoint;
        },
        askMembers: async ({ host, port }) => {
          await world.sleep(1, process);
          const target = network.endpoints.get(`${host}:${port}`);
          if (target === undefined || network.isCut(this.name, host)) {
            throw new CodedError('PeerProtocol', 'nobody answers');
          }
          const members = target.handler.members();
          await world.sleep(1, process);
          return members;
        },
      },
    };
  }

  /** A snapshot begins to replace the state: somebody defragments just then, and a fault may strike. */
  #imports(process: SimProcess): void {
    if (this.diesAtImport) process.armCrash('import', 1, this.chance.happens(0.5));
    this.diesAtImport = false;
    if (!this.chance.happens(0.4)) return;
    const { world } = this.#seams;
    // Refused, or a disk that fails: both are the member's own concern.
    const defragment = () => void this.node?.defragment().catch(() => {});
    world.after(this.chance.between(0, 8), defragment, process);
  }

  #logger(process: SimProcess): Logger {
    const { recorder } = this.#seams;
    const note = (message: string, fields: Record<string, unknown> = {}) => {
      if (process.alive) recorder.logged(this, message, fields);
    };
    return { debug: () => {}, info: note, warn: note, error: note };
  }

  /** What main.ts does after a failure: nothing more is written, and the process ends. */
  #failed(error: unknown): void {
    const { recorder } = this.#seams;
    this.#trace(`stops: ${errorMessage(error)}`);
    if (this.disk.errorsGiven === 0) recorder.violation('fatal', this.name, error);
    this.#gone(false);
    this.state.crash(this.chance.happens(0.5));
    this.#startLater();
  }

  /** A start that ended with an error. */
  #refused(error: unknown): void {
    const { recorder } = this.#seams;
    const code = error instanceof CodedError ? error.code : '';
    this.#trace(`does not start: ${errorMessage(error)}`);
    this.#gone(false);
    this.state.crash(false);
    if (code === 'MemberRemoved') {
      this.phase = 'removed';
      recorder.leftCluster(this);
    } else if (code === 'JoinFailed') this.#startLater();
    else {
      if (this.disk.errorsGiven === 0) recorder.violation('refused', this.name, error);
      this.#startLater();
    }
  }

  async #leave(node: NodeServer, process: SimProcess): Promise<void> {
    if (!process.alive) return;
    this.#trace('leaves the cluster');
    this.phase = 'stopping';
    await node.stop();
    if (!process.alive) return;
    this.#gone(false);
    this.phase = 'removed';
    this.#seams.recorder.leftCluster(this);
  }

  #trace(text: string): void {
    this.#seams.recorder.trace(`${this.name} ${text}`);
  }
}
