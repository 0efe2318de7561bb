import { idToHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';
import type { ClusterKind, ClusterOverview, ClusterSummary } from '../contract/views.ts';
import { EtcdConnection } from '../remote/connection.ts';
import { RemoteError } from '../remote/errors.ts';
import { EventLog, type NewEvent } from './event-log.ts';
import type { MemberAddress, MemberSource } from './members.ts';
import { changesOf } from './overview-events.ts';
import {
  findLeader,
  healthOf,
  isAlive,
  type Leadership,
  type MemberFacts,
  quorumOf,
  toNodeView,
  warningsOf,
} from './overview-model.ts';
import { Signal } from './signal.ts';

/** How often members are asked while somebody looks at the overview. */
const POLL_MS = 1_000;
/** And while there is no leader: an election is over within a few of these. */
const ELECTION_POLL_MS = 250;
/** While only the list of clusters is shown. */
const BACKGROUND_POLL_MS = { local: 2_000, remote: 5_000 };
const STATUS_TIMEOUT_MS = 1_000;
/** How often a remote cluster is asked who its members are. */
const MEMBERS_EVERY_MS = 10_000;
/** Answers of one round travel together. */
const PUBLISH_DELAY_MS = 25;

interface Answer {
  facts: Pick<MemberFacts, 'memberId' | 'status' | 'latencyMs' | 'error' | 'isSlow'>;
  url: string;
  inFlight: boolean;
}

export interface MonitorOptions {
  id: string;
  kind: ClusterKind;
  name: () => string;
  endpoints: () => string[];
  members: MemberSource;
  clock: Clock;
  wallClockMs: () => number;
}

/** Watches one cluster's members while somebody wants to know, and tells what it sees. */
export class ClusterMonitor implements Disposable {
  readonly #options: MonitorOptions;
  /** Its own channels: a Status must not queue behind somebody's big value. */
  readonly #connection: EtcdConnection;
  readonly #log: EventLog;
  readonly #overviews = new Signal<ClusterOverview>();
  readonly #background = new Signal<ClusterOverview>();
  readonly #observers = new Signal<ClusterOverview>();
  readonly #answers = new Map<string, Answer>();
  #last: { members: MemberFacts[]; leader: Leadership | null } = { members: [], leader: null };
  #leaderSinceMs: number | null = null;
  #noLeaderSinceMs: number | null = null;
  #revision: number | null = null;
  #clusterIdHex: string | null = null;
  #membersReadAtMs = Number.NEGATIVE_INFINITY;
  #cancelTick: (() => void) | null = null;
  #cancelPublish: (() => void) | null = null;
  #disposed = false;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#connection = new EtcdConnection(options.endpoints(), { timeoutMs: STATUS_TIMEOUT_MS });
    this.#log = new EventLog(options.wallClockMs);
  }

  /** The newest known, at once, and then every one. `background` asks less often. */
  follow(
    listener: (overview: ClusterOverview) => void,
    interest: 'full' | 'background' = 'full',
  ): Disposable {
    const signal = interest === 'full' ? this.#overviews : this.#background;
    const subscription = signal.on(listener);
    listener(this.overview());
    this.#tickNow();
    return {
      dispose: () => {
        subscription.dispose();
        if (!this.#isWanted()) this.#stopTicking();
      },
    };
  }

  /** What others made it look at; asks for nothing itself. */
  observe(listener: (overview: ClusterOverview) => void): Disposable {
    return this.#observers.on(listener);
  }

  /** Something happened to a process: look at once. */
  poke(): void {
    if (this.#disposed) return;
    this.#publish();
    if (this.#isWanted()) this.#tickNow();
  }

  /** For what the app itself did, e.g. a compaction. */
  record(event: NewEvent): void {
    this.#log.add(event);
    this.#publishSoon();
  }

  /** As known now; roles and sizes for other services. */
  overview(): ClusterOverview {
    return this.#compose(this.#facts());
  }

  summary(): ClusterSummary {
    return this.overview().cluster;
  }

  /** Where this member answered last. */
  urlOf(member: string): string | null {
    const address = this.#options.members.current().find((m) => m.name === member);
    if (address === undefined) return null;
    return this.#answers.get(member)?.url ?? address.urls[0] ?? null;
  }

  dispose(): void {
    this.#disposed = true;
    this.#stopTicking();
    this.#cancelPublish?.();
    this.#connection.dispose();
  }

  #isWanted(): boolean {
    return this.#overviews.hasListeners || this.#background.hasListeners;
  }

  #stopTicking(): void {
    this.#cancelTick?.();
    this.#cancelTick = null;
  }

  #tickNow(): void {
    this.#stopTicking();
    if (this.#disposed || !this.#isWanted()) return;
    this.#refreshMembers();
    for (const address of this.#options.members.current()) void this.#ask(address);
    this.#cancelTick = this.#options.clock.setTimer(this.#intervalMs(), () => this.#tickNow());
    // Also without any answer: time itself changes what is shown.
    this.#publishSoon();
  }

  #intervalMs(): number {
    const { leader, members } = this.#last;
    const isElecting = leader === null && members.some(isAlive);
    // A process that has just started serves any moment.
    const isRising = members.some((m) => m.process !== null && isAlive(m) && m.status === null);
    if ((isElecting || isRising) && this.#options.kind === 'local') return ELECTION_POLL_MS;
    if (!this.#overviews.hasListeners) return BACKGROUND_POLL_MS[this.#options.kind];
    return isElecting ? ELECTION_POLL_MS : POLL_MS;
  }

  #refreshMembers(): void {
    const now = this.#options.clock.nowMs();
    if (now - this.#membersReadAtMs < MEMBERS_EVERY_MS) return;
    this.#membersReadAtMs = now;
    void this.#options.members.refresh().then(() => {
      if (this.#disposed) return;
      const urls = this.#options.members.current().flatMap((member) => member.urls);
      this.#connection.setEndpoints([...new Set([...this.#options.endpoints(), ...urls])]);
      for (const address of this.#options.members.current()) void this.#ask(address);
    });
  }

  /** Each member on its own: one that hangs delays nobody. */
  async #ask(address: MemberAddress): Promise<void> {
    const known = this.#answers.get(address.name);
    if (known?.inFlight) return;
    const answer = known ?? newAnswer(address);
    this.#answers.set(address.name, answer);
    if (address.process !== null && address.process.pid === null) {
      answer.facts = { ...answer.facts, ...SILENT, error: null };
      return;
    }
    answer.inFlight = true;
    let failure: unknown = null;
    for (const url of inOrder(address.urls, answer.url)) {
      try {
        const startedAtMs = performance.now();
        const status = await this.#connection.status(url, { timeoutMs: STATUS_TIMEOUT_MS });
        const memberId = status.header === undefined ? null : idToHex(status.header.memberId);
        if (address.memberId !== null && memberId !== address.memberId) {
          throw new Error(`${url} answers as another member, ${memberId}`);
        }
        const latencyMs = performance.now() - startedAtMs;
        answer.facts = { memberId, status, latencyMs, error: null, isSlow: false };
        answer.url = url;
        failure = null;
        break;
      } catch (error) {
        failure ??= error;
      }
    }
    answer.inFlight = false;
    if (failure !== null) {
      const isSlow = failure instanceof RemoteError && failure.code === 'Timeout';
      const error = failure instanceof Error ? failure.message : String(failure);
      answer.facts = { ...answer.facts, ...SILENT, error, isSlow };
    }
    this.#publishSoon();
  }

  #facts(): MemberFacts[] {
    return this.#options.members.current().map((address) => {
      const answer = this.#answers.get(address.name);
      const isDown = address.process !== null && address.process.pid === null;
      // That nobody listens yet is no error of a process that is starting.
      const isStarting = address.process?.state === 'starting' && !answer?.facts.status;
      return {
        name: address.name,
        clientUrl: answer?.url ?? address.urls[0] ?? '',
        peerUrl: address.peerUrl,
        isLearner: address.isLearner,
        process: address.process,
        ...(answer?.facts ?? { ...SILENT, error: null }),
        ...(isDown || isStarting ? { ...SILENT, error: null } : {}),
        memberId: address.memberId ?? answer?.facts.memberId ?? null,
      };
    });
  }

  #publishSoon(): void {
    if (this.#cancelPublish !== null || this.#disposed) return;
    this.#cancelPublish = this.#options.clock.setTimer(PUBLISH_DELAY_MS, () => this.#publish());
  }

  #publish(): void {
    this.#cancelPublish?.();
    this.#cancelPublish = null;
    if (this.#disposed) return;
    const wasElecting = this.#last.leader === null;
    const members = this.#facts();
    const leader = findLeader(members);
    this.#note(members, leader);
    this.#last = { members, leader };
    // The pace changes at once when a leader is lost.
    if (!wasElecting && leader === null && this.#cancelTick !== null) this.#reschedule();
    const overview = this.#compose(members);
    this.#overviews.emit(overview);
    this.#background.emit(overview);
    this.#observers.emit(overview);
  }

  #reschedule(): void {
    this.#stopTicking();
    this.#cancelTick = this.#options.clock.setTimer(this.#intervalMs(), () => this.#tickNow());
  }

  #note(members: MemberFacts[], leader: Leadership | null): void {
    const now = this.#options.wallClockMs();
    const before = this.#last;
    const runs = members.some(isAlive);
    const noLeaderMs = this.#noLeaderSinceMs === null ? null : now - this.#noLeaderSinceMs;
    for (const event of changesOf(before, { members, leader }, noLeaderMs)) this.#log.add(event);
    if (leader === null) {
      this.#leaderSinceMs = null;
      this.#noLeaderSinceMs = runs ? (this.#noLeaderSinceMs ?? now) : null;
    } else {
      this.#noLeaderSinceMs = null;
      const isSame = leader.name === before.leader?.name && leader.term === before.leader.term;
      if (!isSame || this.#leaderSinceMs === null) this.#leaderSinceMs = now;
    }
    for (const { status } of members) {
      if (status?.header === undefined) continue;
      this.#revision = Math.max(this.#revision ?? 0, status.header.revision);
      this.#clusterIdHex = idToHex(status.header.clusterId);
    }
  }

  #compose(members: MemberFacts[]): ClusterOverview {
    const leader = findLeader(members);
    const now = this.#options.wallClockMs();
    const noLeaderForMs = this.#noLeaderSinceMs === null ? 0 : now - this.#noLeaderSinceMs;
    const { id, kind } = this.#options;
    const nodes = members.map((member) => toNodeView(member, leader));
    const terms = nodes.flatMap((node) => node.term ?? []);
    return {
      cluster: {
        id,
        name: this.#options.name(),
        kind,
        endpoints: this.#options.endpoints(),
        nodeCount: members.length,
        upCount: members.filter((member) => member.status !== null).length,
        health: healthOf(kind, members, leader, noLeaderForMs),
        alarms: [...new Set(members.flatMap((m) => warningsOf(m.status)))].filter(isAlarm),
      },
      clusterIdHex: this.#clusterIdHex,
      revision: this.#revision,
      leader: leader?.name ?? null,
      term: terms.length === 0 ? null : Math.max(...terms),
      leaderSinceMs: this.#leaderSinceMs,
      noLeaderSinceMs: this.#noLeaderSinceMs,
      quorum: quorumOf(members),
      nodes,
      events: this.#log.list(),
      atMs: now,
    };
  }
}

const SILENT = { status: null, latencyMs: null, isSlow: false } as const;

function isAlarm(warning: string): boolean {
  return warning === 'NOSPACE' || warning === 'CORRUPT';
}

function newAnswer(address: MemberAddress): Answer {
  const facts = { ...SILENT, memberId: address.memberId, error: null };
  return { facts, url: address.urls[0] ?? '', inFlight: false };
}

function inOrder(urls: readonly string[], first: string): string[] {
  return urls.includes(first) ? [first, ...urls.filter((url) => url !== first)] : [...urls];
}
