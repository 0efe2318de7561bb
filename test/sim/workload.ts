import { idToHex } from '../../src-main/base/bytes.ts';
import { Chance } from './chance.ts';
import type { SimCluster } from './cluster.ts';
import type { KeyValue, TxnStep, WatchStream } from './history.ts';
import { LeaseHolder } from './lease-holder.ts';
import { Operations } from './operations.ts';
import { SimClient } from './sim-client.ts';
import type { SimMember } from './sim-member.ts';
import { SimWatch } from './sim-watch.ts';

type Action =
  | 'put'
  | 'get'
  | 'cas'
  | 'append'
  | 'delete'
  | 'txn'
  | 'range'
  | 'past'
  | 'burst'
  | 'relay'
  | 'lease'
  | 'watch'
  | 'progress'
  | 'compact'
  | 'defragment';

/** How often each action is drawn, by seed. */
type Mix = readonly (readonly [Action, number])[];

const ACTIONS: Mix = [
  ['put', 10],
  ['get', 10],
  ['cas', 5],
  ['append', 5],
  ['delete', 4],
  ['txn', 5],
  ['range', 2],
  ['past', 2],
  ['burst', 0.4],
  ['relay', 2],
  ['lease', 2],
  ['watch', 2],
  ['progress', 0.5],
  ['compact', 1.5],
  ['defragment', 0.2],
];
const MAX_WATCHES = 12;
const BURST_KEYS = 20;
const MAX_RELAYS = 20;
/** The first number of a client that makes one call of a burst. */
const BURST_CLIENTS = 1_000;

/** What several clients do to the cluster at once: each has one call under way, and thinks in between. */
export class Workload {
  readonly cluster: SimCluster;
  readonly watches: SimWatch[] = [];
  readonly clients: SimClient[] = [];
  readonly #chance: Chance;
  readonly #keys: number;
  readonly #thinkMs: number;
  readonly #valueBytes: number;
  /** Of values that are long. */
  readonly #longShare: number;
  readonly #mix: Mix;
  #stopped = false;
  #busy = 0;

  constructor(cluster: SimCluster, mostClients = Number.POSITIVE_INFINITY) {
    this.cluster = cluster;
    const chance = Chance.of(cluster.seed, 'workload');
    this.#chance = chance;
    this.#keys = chance.integer(1, 6);
    this.#thinkMs = chance.pick([30, 100, 300, 600, 2_000]) ?? 100;
    // A quota is there to be used up.
    const isFilling = cluster.settings.quotaBytes > 0;
    this.#valueBytes = chance.happens(0.2) || isFilling ? chance.integer(500, 3_000) : 0;
    this.#longShare = isFilling ? 0.5 : 0.1;
    // Each seed prefers other actions.
    this.#mix = ACTIONS.map(([action, weight]) => [action, weight * chance.between(0.1, 2)]);
    const count = Math.min(chance.integer(1, 5), mostClients);
    for (let id = 1; id <= count; id++) {
      const own = Chance.of(cluster.seed, `client ${id}`);
      this.clients.push(new SimClient(id, cluster.world, own, cluster.recorder));
    }
  }

  start(): void {
    for (const client of this.clients) void this.#run(client);
  }

  /** No new calls; those under way come to their end. */
  stop(): void {
    this.#stopped = true;
  }

  get isIdle(): boolean {
    return this.#busy === 0;
  }

  async #run(client: SimClient): Promise<void> {
    const { world } = this.cluster;
    const operations = new Operations(this.cluster.history, client);
    const leases = new LeaseHolder(this.cluster, client, operations);
    const seen = new Map<string, KeyValue | undefined>();
    this.#busy++;
    let favourite: SimMember | undefined;
    while (!this.#stopped) {
      await world.sleep(client.chance.around(this.#thinkMs));
      if (favourite === undefined || client.chance.happens(0.15) || !favourite.isRunning) {
        favourite = client.chance.pick(this.cluster.running());
      }
      if (favourite === undefined || this.#stopped) continue;
      await this.#act(client, favourite, operations, leases, seen);
    }
    this.#busy--;
  }

  async #act(
    client: SimClient,
    member: SimMember,
    operations: Operations,
    leases: LeaseHolder,
    seen: Map<string, KeyValue | undefined>,
  ): Promise<void> {
    const { chance } = client;
    const key = `r${chance.below(this.#keys)}`;
    switch (this.#draw(chance)) {
      case 'put':
        await operations.put(member, key, this.#value(client));
        break;
      case 'get': {
        const get = await operations.get(member, key, chance.happens(0.3));
        if (get.outcome.ok) seen.set(key, get.outcome.output.kv);
        break;
      }
      case 'cas': {
        const expected = seen.get(key)?.modRevision ?? 0;
        const cas = await operations.cas(member, key, expected, this.#value(client));
        if (cas.outcome.ok && !cas.outcome.output.succeeded) seen.set(key, cas.outcome.output.kv);
        break;
      }
      case 'append':
        await this.#append(client, member, operations, seen);
        break;
      case 'delete': {
        const { outcome } = await operations.delete(member, key);
        if (outcome.ok && outcome.output.deleted > 0) this.#lastDelete = outcome.output.revision;
        break;
      }
      case 'txn':
        await this.#txn(client, member, operations, seen);
        break;
      case 'range':
        await operations.range(member, 'a', 'z', chance.happens(0.3));
        break;
      case 'past':
        await this.#past(chance, member, operations);
        break;
      case 'burst':
        await this.#burst(client, member);
        break;
      case 'relay':
        await this.#relay(client, member, operations, key);
        break;
      case 'lease':
        await leases.act(member);
        break;
      case 'watch':
        this.#watch(client);
        break;
      case 'progress':
        chance.pick(this.watches)?.askProgress();
        break;
      case 'compact':
        await this.#compact(chance, member, operations);
        break;
      case 'defragment':
        await operations.defragment(member);
        break;
    }
  }

  /** Most values are short; some runs have long ones, so that the quota and the log's segments fill. */
  #value(client: SimClient): string {
    const own = `c${client.id}.${this.#next++}`;
    return client.chance.happens(this.#longShare) ? own.padEnd(this.#valueBytes, '.') : own;
  }

  #next = 0;

  async #append(
    client: SimClient,
    member: SimMember,
    operations: Operations,
    seen: Map<string, KeyValue | undefined>,
  ): Promise<void> {
    const key = `l${client.chance.below(2)}`;
    const known = seen.get(key);
    const item = `${client.id}:${this.#next++}`;
    // A list that has grown long begins anew.
    const before = known !== undefined && known.value.length < 300 ? `${known.value},` : '';
    const expected = known?.modRevision ?? 0;
    const { outcome } = await operations.append(member, key, expected, item, before + item);
    if (outcome.ok && !outcome.output.succeeded) seen.set(key, outcome.output.kv);
  }

  async #txn(
    client: SimClient,
    member: SimMember,
    operations: Operations,
    seen: Map<string, KeyValue | undefined>,
  ): Promise<void> {
    const { chance } = client;
    const keys = chance.shuffled(['t0', 't1', 't2', `r${chance.below(this.#keys)}`]);
    const steps = (list: string[]) =>
      list.map((key): TxnStep => {
        const kind = chance.pick(['put', 'put', 'get', 'delete'] as const) ?? 'get';
        return kind === 'put'
          ? { kind, key, value: this.#value(client), lease: '0' }
          : { kind, key };
      });
    const compared = chance.some(keys, 0, 2);
    const compares = compared.map((key) => ({ key, modRevision: seen.get(key)?.modRevision ?? 0 }));
    const success = steps(chance.some(keys, 1, 3));
    if (chance.happens(0.3)) {
      const key = chance.pick(keys) ?? 't0';
      success.push({ kind: 'get', key, revision: this.#oldRevision(chance, member) });
    }
    const failure: TxnStep[] = keys.map((key) => ({ kind: 'get', key }));
    const { outcome } = await operations.txn(member, compares, success, failure);
    if (!outcome.ok || outcome.output.succeeded) return;
    outcome.output.steps.forEach((step, i) => {
      if (step.kind === 'get') seen.set(keys[i] as string, step.kv);
    });
  }

  /** Many at once, each with a key of its own: a leader that is cut off gets a long tail of entries. */
  async #burst(client: SimClient, member: SimMember): Promise<void> {
    const { chance, world } = client;
    const count = chance.integer(3, BURST_KEYS);
    const puts = Array.from({ length: count }, (_, i) => {
      const one = new SimClient(BURST_CLIENTS + this.#bursts++, world, chance, client.recorder);
      const operations = new Operations(this.cluster.history, one);
      return operations.put(member, `b${i}`, `b.${one.id}`);
    });
    await Promise.all(puts);
  }

  #bursts = 0;

  /**
   * As soon as a write is answered others read, at every member: also where somebody thinks that it still leads. Some
   * have asked just before it, so that a member has questions to its leader under way that are older than the write.
   */
  async #relay(
    client: SimClient,
    member: SimMember,
    operations: Operations,
    key: string,
  ): Promise<void> {
    if (client.chance.happens(0.5)) this.#readElsewhere(client, member, key);
    const { outcome } = await operations.put(member, key, this.#value(client));
    if (outcome.ok) this.#readElsewhere(client, member, key);
  }

  #readElsewhere(client: SimClient, member: SimMember, key: string): void {
    for (const other of this.cluster.running()) {
      if (other === member || other.node?.isLearner !== false || this.#relays >= MAX_RELAYS)
        continue;
      const { chance, world, recorder } = client;
      const reader = new SimClient(BURST_CLIENTS + this.#bursts++, world, chance, recorder);
      this.#relays++;
      this.#busy++;
      void new Operations(this.cluster.history, reader).get(other, key, false).then(() => {
        this.#relays--;
        this.#busy--;
      });
    }
  }

  /** Reads of relays under way. */
  #relays = 0;

  /** What the state was: near the compaction, where it may be refused, or anywhere behind it. */
  async #past(chance: Chance, member: SimMember, operations: Operations): Promise<void> {
    const revision = this.#oldRevision(chance, member);
    const serializable = chance.happens(0.5);
    if (chance.happens(0.3)) await operations.range(member, 'a', 'z', serializable, revision);
    else await operations.get(member, `r${chance.below(this.#keys)}`, serializable, revision);
  }

  #oldRevision(chance: Chance, member: SimMember): number {
    const { revision = 1, compactRevision = 0 } = member.node?.state ?? {};
    const near = compactRevision + chance.integer(-2, 3);
    const any = revision - chance.integer(0, 60);
    return Math.max(1, Math.min(revision, chance.happens(0.6) ? near : any));
  }

  /** Revision of the newest deletion that was answered. */
  #lastDelete = 0;

  async #compact(chance: Chance, member: SimMember, operations: Operations): Promise<void> {
    const revision = member.node?.state.revision ?? 0;
    const back = revision - chance.integer(0, chance.happens(0.5) ? 5 : 200);
    // At a tombstone, and often at the newest row of all.
    const at = chance.happens(0.3) ? this.#lastDelete : back;
    if (at > 0) await operations.compact(member, at, chance.happens(0.2));
  }

  #watch(client: SimClient): void {
    const { chance, world } = client;
    const live = this.watches.filter(({ record }) => !record.cancelled);
    if (live.length > 0 && chance.happens(0.5)) {
      const watch = chance.pick(live);
      if (chance.happens(0.7)) watch?.move();
      else watch?.stop();
      return;
    }
    if (live.length >= MAX_WATCHES) return;
    const state = chance.pick(this.cluster.running())?.node?.state;
    const { revision = 0, compactRevision = 0 } = state ?? {};
    const anywhere = revision - chance.integer(0, 50);
    const past = Math.max(1, chance.happens(0.4) ? compactRevision : anywhere);
    const range = chance.pick([
      ['r', 's'],
      ['a', 'z'],
      [`r${chance.below(this.#keys)}`, ''],
      ['t0', 't2'],
      ['e', 'f'],
      ['l', '\0'],
    ]) as [string, string];
    const record: WatchStream = {
      watchId: this.cluster.history.watches.length,
      client: client.id,
      member: '',
      spec: {
        key: range[0],
        end: range[1],
        startRevision: chance.pick([0, past, revision + chance.integer(1, 5)]) ?? 0,
        prevKv: chance.happens(0.5),
        noPut: chance.happens(0.1),
        noDelete: chance.happens(0.1),
        progressNotify: chance.happens(0.6),
      },
      startedMs: world.nowMs,
      createdRevision: undefined,
      createdMs: undefined,
      items: [],
      cancelled: false,
      settled: false,
    };
    this.cluster.history.watches.push(record);
    const own = new SimClient(client.id, world, chance, this.cluster.recorder);
    this.watches.push(new SimWatch(own, record, () => this.#watchable(chance)));
  }

  #watchable(chance: Chance): SimMember | undefined {
    return chance.pick(this.cluster.running().filter(({ node }) => node?.isLearner === false));
  }

  #draw(chance: Chance): Action {
    let left = chance.share() * this.#mix.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [action, weight] of this.#mix) {
      left -= weight;
      if (left < 0) return action;
    }
    return 'get';
  }
}

/** Alarms are raised by the cluster; an administrator makes room and takes them back. */
export async function makeRoom(
  cluster: SimCluster,
  member: SimMember,
  operations: Operations,
): Promise<void> {
  const node = member.node;
  const alarm = node?.state.alarms()[0];
  if (node === undefined || alarm === undefined) return;
  cluster.recorder.trace(`makes room at ${member.name}`);
  await operations.compact(member, Math.max(1, node.state.revision - 1), true);
  for (const one of cluster.running()) await operations.defragment(one);
  await operations.alarmDisarm(member, idToHex(alarm.memberID));
}
