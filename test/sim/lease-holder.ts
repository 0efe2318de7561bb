import { Chance } from './chance.ts';
import type { SimCluster } from './cluster.ts';
import { Operations } from './operations.ts';
import { SimClient } from './sim-client.ts';
import type { SimMember } from './sim-member.ts';

interface Held {
  lease: string;
  /** Stops being kept alive then. */
  untilMs: number;
  keys: number;
}

const MAX_HELD = 3;
/** The first number of a client that does nothing but keep one lease. */
const KEEPER_CLIENTS = 100_000;
/** Renewals of one keeper that may be under way at once, because some member does not answer. */
const MAX_RENEWALS = 8;
/** Renewals of one that comes just too late, and the time between two of them. */
const LATE_RENEWALS = 15;
const LATE_RENEWAL_MS = 15;

/** A client that has leases: it attaches keys, keeps them alive for a while, then lets go or revokes. */
export class LeaseHolder {
  readonly #cluster: SimCluster;
  readonly #client: SimClient;
  readonly #operations: Operations;
  #held: Held[] = [];
  #next = 0;
  /** Whether this seed's clients renew at a pace, as real ones do, and not only now and then. */
  readonly #hasKeepers: boolean;

  constructor(cluster: SimCluster, client: SimClient, operations: Operations) {
    this.#cluster = cluster;
    this.#hasKeepers = Chance.of(cluster.seed, 'keepers').happens(0.25);
    this.#client = client;
    this.#operations = operations;
  }

  async act(member: SimMember): Promise<void> {
    const { chance, world } = this.#client;
    const held = chance.pick(this.#held);
    if (held === undefined || (this.#held.length < MAX_HELD && chance.happens(0.3))) {
      await this.#grant(member);
      return;
    }
    if (world.nowMs > held.untilMs) {
      this.#forget(held);
      if (chance.happens(0.3)) await this.#operations.leaseRevoke(member, held.lease);
      return;
    }
    if (chance.happens(0.1)) {
      this.#forget(held);
      await this.#operations.leaseRevoke(member, held.lease);
      void this.#renewLater(held.lease);
      return;
    }
    const draw = chance.share();
    if (draw < 0.6) {
      const { outcome } = await this.#operations.leaseKeepAlive(member, held.lease);
      if (outcome.ok && outcome.output.ttlSeconds === 0) this.#forget(held);
    } else if (draw < 0.9) await this.#attach(member, held);
    else await this.#operations.leaseTimeToLive(member, held.lease);
  }

  async #grant(member: SimMember): Promise<void> {
    const { chance, world, id } = this.#client;
    const lease = (id * 0x1000000 + ++this.#next).toString(16).padStart(16, '0');
    const ttlSeconds = chance.integer(1, 8);
    const { outcome } = await this.#operations.leaseGrant(member, lease, ttlSeconds);
    if (outcome.ok === false && outcome.error === 'definite') return;
    const untilMs = world.nowMs + chance.between(0, 20_000);
    const held = { lease, untilMs, keys: 0 };
    this.#held.push(held);
    if (this.#hasKeepers && outcome.ok) void this.#keep(held, outcome.output.ttlSeconds * 1_000);
  }

  /**
   * Renews it at a third of its time for as long as it is held, as client libraries do; then some times more, just
   * when it comes to its end.
   */
  async #keep({ lease, untilMs }: Held, ttlMs: number): Promise<void> {
    const { world, recorder, id } = this.#client;
    const number = KEEPER_CLIENTS * id + this.#next;
    const chance = Chance.of(this.#cluster.seed, `keeper ${number}`);
    const client = new SimClient(number, world, chance, recorder);
    const operations = new Operations(this.#cluster.history, client);
    let underWay = 0;
    let isGone = false;
    const renew = async () => {
      const member = chance.pick(this.#cluster.running());
      if (member === undefined || underWay >= MAX_RENEWALS) return;
      underWay++;
      const { outcome } = await operations.leaseKeepAlive(member, lease);
      underWay--;
      if (outcome.ok && outcome.output.ttlSeconds === 0) isGone = true;
    };
    while (world.nowMs < untilMs && !isGone) {
      await world.sleep((ttlMs / 3) * chance.between(0.5, 1.2));
      void renew();
    }
    // By the leader's clock: one that comes any sooner would prolong it.
    const rate = this.#cluster.leader()?.clockRate ?? 1;
    await world.sleep(ttlMs / rate + chance.between(0, LATE_RENEWAL_MS));
    for (let i = 0; i < LATE_RENEWALS && !isGone; i++) {
      void renew();
      await world.sleep(chance.between(0, 2) * LATE_RENEWAL_MS);
    }
  }

  /** Somebody who has not heard that it is revoked goes on renewing it. */
  async #renewLater(lease: string): Promise<void> {
    const { world, chance } = this.#client;
    const { electionTimeoutMs } = this.#cluster.settings;
    await world.sleep(chance.between(0, 3) * electionTimeoutMs);
    const member = chance.pick(this.#cluster.running());
    if (member !== undefined) await this.#operations.leaseKeepAlive(member, lease);
  }

  async #attach(member: SimMember, held: Held): Promise<void> {
    const { chance, id } = this.#client;
    // Some keys are shared by leases, so that they change hands.
    const key = chance.happens(0.3) ? 'e.shared' : `e.${id}.${held.keys++ % 3}`;
    const value = `${held.lease}/${this.#cluster.history.operations.length}`;
    const { outcome } = await this.#operations.put(member, key, value, held.lease);
    if (!outcome.ok && outcome.code === 'LeaseNotFound') this.#forget(held);
  }

  #forget(held: Held): void {
    this.#held = this.#held.filter((one) => one !== held);
  }
}
