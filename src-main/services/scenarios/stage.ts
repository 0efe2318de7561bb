import { prefixEnd } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import type { RaftView } from '../../contract/views.ts';
import { AlarmRequest_AlarmAction, AlarmType } from '../../proto/etcd/rpc.ts';
import { RemoteError } from '../../remote/errors.ts';
import type { Cluster } from '../cluster.ts';
import { failure } from '../errors.ts';
import { inParallel } from '../parallel.ts';
import { leaderIn } from './conditions.ts';
import type { Action } from './schema.ts';

/** Keys of scenarios, which are removed at the end. */
export const SCENARIO_PREFIX = 'raftdeck-scenario/';
/** What reads and writes that are probed are about. */
export const PROBE_KEY = `${SCENARIO_PREFIX}value`;
const PUTS_AT_A_TIME = 256;
const PUT_ATTEMPTS = 10;
const PUT_PAUSE_MS = 500;
/** Nothing that answers takes so long; what does not answer is waited for no longer. */
const PROBE_TIMEOUT_MS = 1_500;
const FILL_VALUE_BYTES = 512 * 1024;
const MAX_FILLS = 400;
const ELECTION_MS = 1_000;

/** What scenarios do to one cluster, and how they look at it. */
export class Stage {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  /** Those that a scenario has ended, and nobody has started since. */
  readonly #killed = new Set<string>();
  #view: RaftView | null = null;

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster;
    this.#clock = clock;
  }

  /** Throws FailedPrecondition, Unsupported. */
  static of(cluster: Cluster, clock: Clock): Stage {
    if (cluster.supervisor === null) {
      throw failure(
        'Unsupported',
        'scenarios play on local clusters only',
        'Make one to try this.',
      );
    }
    return new Stage(cluster, clock);
  }

  get quotaBytes(): number | null {
    return this.#cluster.supervisor?.definition.quotaBytes ?? null;
  }

  take(view: RaftView): void {
    this.#view = view;
  }

  /** `nodes` are the members' names in place of their parts. */
  async act(action: Action, nodes: readonly string[], signal: AbortSignal): Promise<void> {
    const { etcd, raft } = this.#cluster;
    switch (action.kind) {
      case 'kill':
      case 'start':
      case 'pause':
      case 'resume':
        for (const node of nodes) await this.#process(action.kind, node);
        return;
      case 'cut':
        return this.#cut(nodes);
      case 'delay':
        return this.#delay(nodes as [string, string], action.elections);
      case 'put':
        return this.#put(action.count, action.value, signal);
      case 'fill':
        return this.#fill(signal);
      case 'compact': {
        const { header } = await etcd.range({ key: Buffer.from(PROBE_KEY), countOnly: true });
        await etcd.compact({ revision: header?.revision ?? 0, physical: true });
        return;
      }
      case 'defragment':
        for (const endpoint of etcd.endpoints) await etcd.defragment(endpoint);
        return;
      case 'disarm':
        for (const { memberID, alarm } of (await etcd.alarms()).alarms) {
          const off = AlarmRequest_AlarmAction.DEACTIVATE;
          await etcd.alarm({ action: off, memberID, alarm });
        }
        return;
      case 'heal':
        return raft.heal();
      case 'removeKeys':
        return this.removeKeys();
    }
  }

  /** Everything goes on as before: nothing disturbed, all processes running, no key left. */
  async restore(): Promise<void> {
    const { supervisor, raft } = this.#cluster;
    await raft.heal();
    const nodes = supervisor?.snapshot().nodes ?? [];
    // A cluster that was stopped meanwhile was stopped by somebody.
    if (nodes.every(({ pid }) => pid === null)) return;
    for (const { name, pid } of nodes) {
      if (pid === null && this.#killed.has(name)) await supervisor?.startNode(name);
    }
    this.#killed.clear();
    await this.removeKeys();
  }

  async removeKeys(): Promise<void> {
    const key = Buffer.from(SCENARIO_PREFIX);
    await this.#cluster.etcd.deleteRange({ key, rangeEnd: prefixEnd(key) });
  }

  /** Null if it worked; else why not. */
  async writeProblem(node: string): Promise<string | null> {
    const request = { key: Buffer.from(`${SCENARIO_PREFIX}probe`), value: Buffer.from(node) };
    const limits = { timeoutMs: PROBE_TIMEOUT_MS };
    return problemOf(this.#cluster.etcd.putAt(this.#urlOf(node), request, limits));
  }

  async readProblem(node: string): Promise<string | null> {
    const request = { key: Buffer.from(PROBE_KEY) };
    const limits = { timeoutMs: PROBE_TIMEOUT_MS };
    return problemOf(this.#cluster.etcd.rangeAt(this.#urlOf(node), request, limits));
  }

  /** Null if the key is not there, or nobody answers. */
  async read(node: string, serializable: boolean): Promise<string | null> {
    const request = { key: Buffer.from(PROBE_KEY), serializable };
    const limits = { timeoutMs: PROBE_TIMEOUT_MS };
    const answer = await this.#cluster.etcd
      .rangeAt(this.#urlOf(node), request, limits)
      .catch(() => null);
    return answer?.kvs[0]?.value.toString() ?? null;
  }

  async hasNoSpaceAlarm(): Promise<boolean> {
    const { alarms } = await this.#cluster.etcd.alarms();
    return alarms.some(({ alarm }) => alarm === AlarmType.NOSPACE);
  }

  async #process(kind: 'kill' | 'start' | 'pause' | 'resume', node: string): Promise<void> {
    const { supervisor } = this.#cluster;
    if (kind === 'kill') {
      this.#killed.add(node);
      await supervisor?.killNode(node);
    } else if (kind === 'start') await supervisor?.startNode(node);
    else if (kind === 'pause') supervisor?.pauseNode(node);
    else supervisor?.resumeNode(node);
  }

  async #cut(nodes: readonly string[]): Promise<void> {
    const all = this.#known().members.map(({ name }) => name);
    const isApart = (a: string, b: string) => nodes.includes(a) !== nodes.includes(b);
    await this.#setLinks(all, (a, b) =>
      isApart(a, b) ? { cutOutgoing: true, cutIncoming: true } : null,
    );
  }

  async #delay(between: readonly [string, string], elections: number): Promise<void> {
    const delayMs = Math.round((this.#known().timing?.electionMs ?? ELECTION_MS) * elections);
    const isOne = (a: string, b: string) => between.includes(a) && between.includes(b);
    await this.#setLinks(between, (a, b) => (isOne(a, b) ? { delayMs } : null));
  }

  async #setLinks(
    nodes: readonly string[],
    fault: (node: string, peer: string) => object | null,
  ): Promise<void> {
    const alive = this.#known().members.filter(({ source }) => source === 'inspect');
    const sets = nodes.filter((node) => alive.some(({ name }) => name === node));
    const disk = { syncDelayMs: 0, error: 'none' } as const;
    const link = { cutOutgoing: false, cutIncoming: false, delayMs: 0, lossPerMille: 0 };
    await this.#cluster.raft.setFaults({
      clusterId: this.#cluster.id,
      nodes: sets.map((node) => ({
        ...{ node, disk },
        links: this.#known().members.flatMap(({ name: peer }) => {
          const one = peer === node ? null : fault(node, peer);
          return one === null ? [] : [{ peer, ...link, ...one }];
        }),
      })),
    });
  }

  async #put(count: number, value: string, signal: AbortSignal): Promise<void> {
    const numbers = Array.from({ length: count }, (_, i) => i);
    await inParallel(numbers, PUTS_AT_A_TIME, async (i) => {
      signal.throwIfAborted();
      const name = i === 0 ? PROBE_KEY : `${SCENARIO_PREFIX}${i}`;
      await this.#putOne({ key: Buffer.from(name), value: Buffer.from(value) }, signal);
    });
  }

  /** Through the leader, for others may be cut off or paused; once more where nobody knows whether it was done. */
  async #putOne(request: { key: Buffer; value: Buffer }, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const leader = leaderIn(this.#known());
        if (leader === null) throw failure('NoLeader', 'no member leads');
        await this.#cluster.etcd.putAt(this.#urlOf(leader.name), request);
        return;
      } catch (error) {
        const isFinal = error instanceof RemoteError && error.code === 'NoSpace';
        if (isFinal || attempt === PUT_ATTEMPTS) throw error;
      }
      await this.delay(PUT_PAUSE_MS);
      signal.throwIfAborted();
    }
  }

  async #fill(signal: AbortSignal): Promise<void> {
    const value = Buffer.alloc(FILL_VALUE_BYTES, 'x');
    for (let i = 0; i < MAX_FILLS; i++) {
      signal.throwIfAborted();
      const key = Buffer.from(`${SCENARIO_PREFIX}fill`);
      const problem = await this.#putOne({ key, value }, signal).then(
        () => null,
        (error: unknown) => error,
      );
      if (problem === null) continue;
      if (problem instanceof RemoteError && problem.code === 'NoSpace') return;
      throw problem;
    }
    throw failure('FailedPrecondition', 'the quota was not reached');
  }

  #known(): RaftView {
    if (this.#view === null) throw failure('Unavailable', 'the members have not answered yet');
    return this.#view;
  }

  #urlOf(node: string): string {
    const url = this.#cluster.monitor.urlOf(node);
    if (url === null) throw failure('NotFound', `there is no node ${node}`);
    return url;
  }

  /** As long as members are given to do what is asked of them. */
  delay(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.setTimer(ms, resolve));
  }
}

async function problemOf(work: Promise<unknown>): Promise<string | null> {
  try {
    await work;
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
