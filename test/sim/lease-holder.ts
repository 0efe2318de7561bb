import type { SimCluster } from './cluster.ts';
import type { Operations } from './operations.ts';
import type { SimClient } from './sim-client.ts';
import type { SimMember } from './sim-member.ts';

interface Held {
  lease: string;
  /** Stops being kept alive then. */
  untilMs: number;
  keys: number;
}

const MAX_HELD = 3;

/** A client that has leases: it attaches keys, keeps them alive for a while, then lets go or revokes. */
export class LeaseHolder {
  readonly #cluster: SimCluster;
  readonly #client: SimClient;
  readonly #operations: Operations;
  #held: Held[] = [];
  #next = 0;

  constructor(cluster: SimCluster, client: SimClient, operations: Operations) {
    this.#cluster = cluster;
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
      this.#held = this.#held.filter((one) => one !== held);
      if (chance.happens(0.3)) await this.#operations.leaseRevoke(member, held.lease);
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
    this.#held.push({ lease, untilMs, keys: 0 });
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
