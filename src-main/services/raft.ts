import type { Clock } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';
import type { CallParsed } from '../contract/calls.ts';
import type { FaultsView, NodeView, RaftEventView, RaftView } from '../contract/views.ts';
import type { RaftResponse } from '../proto/raftdeck/inspect.ts';
import { FaultSet } from '../proto/raftdeck/inspect.ts';
import { EtcdConnection } from '../remote/connection.ts';
import { RemoteError } from '../remote/errors.ts';
import type { ClusterSupervisor } from '../supervisor/cluster-supervisor.ts';
import { failure } from './errors.ts';
import type { ClusterMonitor } from './overview.ts';
import { Poller } from './poller.ts';
import {
  eventOf,
  faultSetOf,
  faultsOf,
  inspectedMember,
  memberOf,
  type Names,
} from './raft-model.ts';
import type { StreamSink, StreamSource } from './stream.ts';

const POLL_MS = 500;
/** A member that hangs must not hold up what the others tell. */
const ROUND_MS = 300;
const CALL_TIMEOUT_MS = 1_500;
/** One that does not know our service may be replaced by one that does. */
const ASK_AGAIN_MS = 30_000;
const MAX_EVENTS = 500;

/** What one member told last. */
interface Told {
  raft: RaftResponse | null;
  faults: FaultsView | null;
  lastEvent: number;
  startMs: number;
  isAsking: boolean;
  /** By the clock: it is no node of ours, and is not asked before. */
  notBeforeMs: number;
}

/** Raft of one cluster, as its members tell it, and what is wrong with them on purpose. */
export class RaftInspector implements Disposable {
  readonly #monitor: ClusterMonitor;
  readonly #supervisor: ClusterSupervisor | null;
  readonly #clock: Clock;
  readonly #wallClockMs: () => number;
  /** Its own channels: a member that hangs must not hold up anything else. */
  readonly #connection: EtcdConnection;
  readonly #poller: Poller;
  readonly #told = new Map<string, Told>();
  #events: RaftEventView[] = [];
  #monitorInterest: Disposable | null = null;

  constructor(options: {
    endpoints: string[];
    monitor: ClusterMonitor;
    supervisor: ClusterSupervisor | null;
    clock: Clock;
    wallClockMs: () => number;
  }) {
    const { clock } = options;
    this.#monitor = options.monitor;
    this.#supervisor = options.supervisor;
    this.#clock = clock;
    this.#wallClockMs = options.wallClockMs;
    this.#connection = new EtcdConnection(options.endpoints, { timeoutMs: CALL_TIMEOUT_MS });
    this.#poller = new Poller({ read: () => this.#round(), intervalMs: POLL_MS, clock });
  }

  follow(sink: StreamSink<RaftView>): StreamSource {
    // Who the members are, and what etcd's Status tells of them, the monitor knows.
    this.#monitorInterest ??= this.#monitor.follow(() => {});
    const subscription = this.#poller.follow(() => sink.push(this.#view()));
    return {
      dispose: () => {
        subscription.dispose();
        if (this.#poller.isWanted) return;
        this.#monitorInterest?.dispose();
        this.#monitorInterest = null;
      },
    };
  }

  /** Replaces what is wrong with the members named; if one cannot be reached the others are set all the same. */
  async setFaults(input: CallParsed<'faults.set'>): Promise<void> {
    const nodes = this.#monitor.overview().nodes;
    const idOf = (name: string) => {
      const id = nodes.find((node) => node.name === name)?.memberId ?? null;
      if (id === null) throw failure('NotFound', `the id of ${name} is not known yet`);
      return id;
    };
    const sets = input.nodes.map(({ node, links, disk }) => ({
      url: this.#urlOf(node),
      faults: faultSetOf({ links, disk }, input.durationMs ?? 0, idOf),
    }));
    await allOf(sets.map(({ url, faults }) => this.#connection.setFaults(url, faults)));
    this.#poller.runSoon();
  }

  async heal(): Promise<void> {
    for (const { name, process } of this.#monitor.overview().nodes) {
      if (process?.state === 'paused') this.#supervisor?.resumeNode(name);
    }
    // All of them, whether or not anybody has looked at their faults.
    const none = FaultSet.create();
    const heal = ({ name }: NodeView) =>
      this.#connection.setFaults(this.#urlOf(name), none).catch((error: unknown) => {
        // Whoever has no fault lab has nothing to heal, and its faults end with a process.
        const hasNoLab = error instanceof RemoteError && error.code === 'Unsupported';
        if (hasNoLab || this.#isDown(name)) return;
        throw error;
      });
    await allOf(this.#monitor.overview().nodes.map(heal));
    this.#poller.runSoon();
  }

  dispose(): void {
    this.#poller.dispose();
    this.#monitorInterest?.dispose();
    this.#connection.dispose();
  }

  #urlOf(name: string): string {
    const url = this.#monitor.urlOf(name);
    if (url === null) throw failure('NotFound', `there is no node ${name}`);
    return url;
  }

  #isDown(name: string): boolean {
    const node = this.#monitor.overview().nodes.find((one) => one.name === name);
    return node?.process?.pid === null;
  }

  async #round(): Promise<void> {
    const { nodes } = this.#monitor.overview();
    for (const name of this.#told.keys()) {
      if (!nodes.some((node) => node.name === name)) this.#told.delete(name);
    }
    const names = namesOf(nodes);
    const asked = nodes.map((node) => this.#ask(node, names));
    let cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#clock.setTimer(ROUND_MS, resolve);
    });
    await Promise.race([Promise.all(asked), late]);
    cancel();
  }

  async #ask(node: NodeView, names: Names): Promise<void> {
    const told = this.#told.get(node.name) ?? newTold();
    this.#told.set(node.name, told);
    if (told.isAsking || told.notBeforeMs > this.#clock.nowMs()) return;
    if (node.process !== null && node.process.pid === null) {
      told.raft = null;
      return;
    }
    told.isAsking = true;
    try {
      const url = this.#urlOf(node.name);
      const raft = await this.#connection.inspectRaft(url, told.lastEvent);
      const faults = raft.faultLab ? await this.#connection.faults(url) : null;
      told.raft = raft;
      told.faults = faults === null ? null : faultsOf(faults, names, this.#wallClockMs());
      await this.#take(node.name, told, raft, names);
    } catch (error) {
      told.raft = null;
      if (error instanceof RemoteError && error.code === 'Unsupported') {
        told.notBeforeMs = this.#clock.nowMs() + ASK_AGAIN_MS;
      }
    } finally {
      told.isAsking = false;
    }
  }

  /** Events are numbered anew by each process. */
  async #take(name: string, told: Told, raft: RaftResponse, names: Names): Promise<void> {
    let { events } = raft;
    if (raft.startMs !== told.startMs) {
      const isNew = told.startMs !== 0;
      told.startMs = raft.startMs;
      if (isNew) events = (await this.#connection.inspectRaft(this.#urlOf(name), 0)).events;
    }
    told.lastEvent = events.at(-1)?.number ?? told.lastEvent;
    const added = events.map((event) => eventOf(event, raft.startMs, name, names));
    this.#events = [...this.#events, ...added].sort((a, b) => b.atMs - a.atMs).slice(0, MAX_EVENTS);
  }

  #view(): RaftView {
    const { nodes, leader, term, quorum } = this.#monitor.overview();
    const names = namesOf(nodes);
    const members = nodes.map((node) => {
      const { raft = null, faults = null } = this.#told.get(node.name) ?? {};
      if (raft === null) return memberOf(node, leader);
      return inspectedMember(node, raft, faults, names);
    });
    const timing = [...this.#told.values()].find(({ raft }) => raft !== null)?.raft?.timing;
    return {
      ...{ members, leader, term, quorum, events: this.#events },
      timing:
        timing === undefined
          ? null
          : { heartbeatMs: timing.heartbeatIntervalMs, electionMs: timing.electionTimeoutMs },
      faultLab: [...this.#told.values()].some(({ raft }) => raft?.faultLab === true),
      atMs: this.#wallClockMs(),
    };
  }
}

function newTold(): Told {
  return {
    ...{ raft: null, faults: null, lastEvent: 0, startMs: 0 },
    ...{ isAsking: false, notBeforeMs: Number.NEGATIVE_INFINITY },
  };
}

function namesOf(nodes: readonly NodeView[]): Names {
  return new Map(
    nodes.flatMap(({ memberId, name }) => (memberId === null ? [] : [[memberId, name]])),
  );
}

/** Waits for all of them; then the first failure counts. */
async function allOf(work: Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
