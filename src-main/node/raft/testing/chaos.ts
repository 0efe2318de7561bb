import { ConfChangeSingle_Type } from '../../../proto/raftdeck/raft.ts';
import { Cluster } from './cluster.ts';
import type { SimConfig, SimNode } from './sim-node.ts';

export interface ChaosOptions {
  seed: number;
  voters: number;
  steps: number;
  spares?: number;
  /** Members come and go. */
  conf?: boolean;
}

/**
 * Relative weights of what may happen next; drawn for each seed, so that seeds differ in kind
 * (swarm testing).
 */
interface Weights {
  deliver: number;
  tick: number;
  sync: number;
  apply: number;
  propose: number;
  read: number;
  flush: number;
  compact: number;
  crash: number;
  start: number;
  cut: number;
  heal: number;
  transfer: number;
  campaign: number;
  conf: number;
}

type Action = keyof Weights;

/**
 * Runs a cluster under faults, then without any until it has converged. Throws at the first
 * violation.
 */
export class Chaos {
  readonly cluster: Cluster;
  readonly #o: ChaosOptions;
  readonly #weights: Weights;
  readonly #total: number;
  /** In 1000. */
  readonly #loss: number;
  readonly #duplication: number;

  constructor(options: ChaosOptions) {
    this.#o = options;
    const { seed, voters, spares = 0 } = options;
    const draw = new Cluster({ seed: seed ^ 0x5bd1e995, voters: 1 }).random;
    const pick = (values: readonly number[]) => values[draw.below(values.length)] ?? 0;
    const config: Partial<SimConfig> = {
      preVote: draw.below(4) !== 0,
      checkQuorum: draw.below(4) !== 0,
      maxInflightAppends: pick([1, 2, 4, 16]),
      maxBytesPerAppend: pick([1, 128, 1024]),
    };
    this.cluster = new Cluster({ seed, voters, spares, config });
    this.#loss = pick([0, 20, 100, 300]);
    this.#duplication = pick([0, 20, 200]);
    this.#weights = {
      deliver: 40,
      tick: pick([8, 20, 40]),
      sync: pick([4, 15, 30]),
      apply: pick([4, 15]),
      propose: pick([2, 8]),
      read: pick([1, 4]),
      flush: 2,
      compact: pick([0, 1, 3]),
      crash: pick([0, 0.3, 1]),
      start: 2,
      cut: pick([0, 0.3, 1]),
      heal: 0.5,
      transfer: pick([0, 0.5]),
      campaign: pick([0, 0.3]),
      conf: options.conf ? pick([1, 3]) : 0,
    };
    this.#total = Object.values(this.#weights).reduce((sum, weight) => sum + weight, 0);
  }

  run(): void {
    for (let i = 0; i < this.#o.steps; i++) this.#step(this.#nextAction());
    this.#converge();
  }

  #nextAction(): Action {
    const { random } = this.cluster;
    let left = (random.below(1 << 30) / (1 << 30)) * this.#total;
    for (const [action, weight] of Object.entries(this.#weights)) {
      left -= weight;
      if (left < 0) return action as Action;
    }
    return 'deliver';
  }

  #pick(): SimNode | undefined {
    const { running, random } = this.cluster;
    return running[random.below(running.length)];
  }

  #step(action: Action): void {
    const { cluster } = this;
    const { random } = cluster;
    if (action === 'deliver') {
      this.#deliver();
      return;
    }
    if (action === 'start') {
      const node = cluster.nodes[random.below(cluster.nodes.length)];
      if (node?.raft === undefined) node?.start();
      return;
    }
    if (action === 'cut') {
      const size = cluster.nodes.length;
      cluster.cuts.add(`${random.below(size) + 1}>${random.below(size) + 1}`);
      return;
    }
    if (action === 'heal') {
      cluster.heal();
      return;
    }
    const node = this.#pick();
    if (node !== undefined) this.#actOn(node, action);
  }

  #deliver(): void {
    const { packets, random } = this.cluster;
    if (packets.length === 0) return;
    // Mostly from the front, so that reordering is not all there is.
    const at = random.below(random.below(2) === 0 ? packets.length : Math.min(4, packets.length));
    const lose = random.below(1000) < this.#loss;
    this.cluster.deliver(at, lose, !lose && random.below(1000) < this.#duplication);
  }

  #actOn(node: SimNode, action: Action): void {
    const { cluster } = this;
    const { random } = cluster;
    switch (action) {
      case 'tick':
        node.act((raft) => raft.tick());
        return;
      case 'sync':
        if (node.writes.length > 0) node.sync(1 + random.below(node.writes.length));
        return;
      case 'apply':
        if (node.toApply.length > 0) node.apply(1 + random.below(node.toApply.length));
        return;
      case 'propose':
        cluster.propose(random.below(3) === 0 ? node.id : (cluster.leader ?? node).id);
        return;
      case 'read':
        node.read();
        return;
      case 'flush':
        node.flushApp();
        return;
      case 'compact':
        node.compact(node.durableApp.applied - random.below(8));
        return;
      case 'crash':
        node.crash(random);
        return;
      case 'campaign':
        node.act((raft) => raft.campaign());
        return;
      case 'transfer':
        cluster.leader?.act((raft) => raft.transferLeader(node.id));
        return;
      default:
        this.#changeMembers();
    }
  }

  #changeMembers(): void {
    const { cluster } = this;
    const { random } = cluster;
    const leader = cluster.leader;
    if (leader === undefined) return;
    const types = Object.values(ConfChangeSingle_Type);
    const changes = Array.from({ length: 1 + random.below(3) }, () => ({
      nodeId: BigInt(random.below(cluster.nodes.length) + 1),
      type: types[random.below(types.length)] ?? ConfChangeSingle_Type.ADD_VOTER,
    }));
    const kind = random.below(6);
    if (kind === 0) cluster.changeMembers(leader.id, {});
    else cluster.changeMembers(leader.id, { changes, explicitJoint: kind === 1 });
  }

  /** Faults end: one leader, everyone at the same state, new proposals and reads come through. */
  #converge(): void {
    const { cluster } = this;
    cluster.heal();
    for (const node of cluster.nodes) if (node.raft === undefined) node.start();
    cluster.settle();
    cluster.run(() => cluster.leader !== undefined);
    for (let i = 0; i < 3; i++) {
      cluster.run(() => {
        const leader = cluster.leader;
        if (leader === undefined) return false;
        return leader.up.isLeader && cluster.propose(leader.id) === 'ok';
      });
    }
    cluster.run(() => this.#converged());
    this.#readEverywhere();
  }

  #members(): SimNode[] {
    const leader = this.cluster.leader;
    if (leader === undefined) return [];
    const { voters, learners } = leader.up.confState;
    return [...voters, ...learners].map((id) => this.cluster.node(id));
  }

  #converged(): boolean {
    const { leader } = this.cluster;
    const members = this.#members();
    if (leader === undefined) return false;
    if (leader.up.confState.votersOutgoing.length > 0) {
      // Nobody but the proposer leaves a configuration that was made joint explicitly.
      this.cluster.changeMembers(leader.id, {});
      return false;
    }
    const { lastIndex } = leader.up.status();
    return members.every(
      (node) =>
        node.app.applied === lastIndex &&
        node.app.digest === leader.app.digest &&
        node.up.leader === leader.id,
    );
  }

  #readEverywhere(): void {
    for (const node of this.#members()) {
      const before = node.confirmedReads.length;
      this.cluster.run(() => {
        if (node.reads.size === 0 && !node.read()) return false;
        this.cluster.settle();
        return node.confirmedReads.length > before;
      }, 60);
    }
  }
}
