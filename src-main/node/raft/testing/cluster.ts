import { type Random, seededRandom } from '../../../base/prng.ts';
import { type ConfChange, type Message, MessageType } from '../../../proto/raftdeck/raft.ts';
import type { RaftNode } from '../node.ts';
import type { ConfState, ProposeResult, RaftId } from '../types.ts';
import { Oracle } from './oracle.ts';
import { type Packet, SIM_CONFIG, type SimConfig, SimNode } from './sim-node.ts';

export interface ClusterOptions {
  seed?: number;
  voters?: number;
  learners?: number;
  /** Nodes that are up but members of nothing yet. */
  spares?: number;
  /** Terms of the entries that each node's log starts with. */
  logs?: readonly (readonly number[])[];
  /** The term that every node has seen at the start. */
  term?: number;
  config?: Partial<SimConfig>;
}

export function localMessage(type: MessageType, from: RaftId, reject = false): Message {
  return {
    type,
    to: 0n,
    from,
    term: 0,
    index: 0,
    logTerm: 0,
    entries: [],
    commit: 0,
    reject,
    rejectHint: 0,
    snapshot: undefined,
    readContext: 0,
    forced: false,
  };
}

/**
 * Members and the network between them. Nothing moves by itself: a test, or chaos, decides each
 * step.
 */
export class Cluster {
  readonly random: Random;
  readonly oracle = new Oracle();
  readonly nodes: SimNode[] = [];
  /** Under way. */
  packets: Packet[] = [];
  /** Links that lose everything, as "from>to". */
  readonly cuts = new Set<string>();
  /** Drops packets for which it answers true. */
  filter: (message: Message) => boolean = () => false;
  #payload = 0;

  constructor(options: ClusterOptions = {}) {
    const {
      seed = 1,
      voters = 3,
      learners = 0,
      spares = 0,
      logs = [],
      term = 0,
      config = {},
    } = options;
    this.random = seededRandom(seed);
    const ids = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => BigInt(from + i));
    const confState = (v: RaftId[], l: RaftId[]): ConfState => ({
      voters: v,
      learners: l,
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    });
    const members = confState(ids(1, voters), ids(voters + 1, learners));
    const nobody = confState([], []);
    for (let i = 1; i <= voters + learners + spares; i++) {
      this.nodes.push(
        new SimNode({
          id: BigInt(i),
          seed,
          config: { ...SIM_CONFIG, ...config },
          confState: i <= voters + learners ? members : nobody,
          base: spares > 0 && i <= voters + learners ? 1 : 0,
          log: logs[i - 1] ?? [],
          term,
          oracle: this.oracle,
          nodes: () => this.nodes,
          send: (packet) => this.#send(packet),
        }),
      );
    }
  }

  node(id: number | RaftId): SimNode {
    const node = this.nodes[Number(id) - 1];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  raft(id: number | RaftId): RaftNode {
    return this.node(id).up;
  }

  get running(): SimNode[] {
    return this.nodes.filter((node) => node.raft !== undefined);
  }

  /** The leader of the highest term. */
  get leader(): SimNode | undefined {
    let best: SimNode | undefined;
    for (const node of this.running) {
      if (node.up.isLeader && (best === undefined || node.up.term > best.up.term)) best = node;
    }
    return best;
  }

  cut(a: number, b: number): void {
    this.cuts.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  isolate(id: number): void {
    for (const node of this.nodes) if (node.id !== BigInt(id)) this.cut(id, Number(node.id));
  }

  heal(): void {
    this.cuts.clear();
    this.filter = () => false;
  }

  #send(packet: Packet): void {
    this.packets.push(packet);
  }

  /** Takes a packet off the network and delivers it, unless its link is cut. */
  deliver(at: number, lose = false, keep = false): void {
    const packet = this.packets[at];
    if (packet === undefined) return;
    if (!keep) {
      const last = this.packets.pop();
      if (last !== undefined && at < this.packets.length) this.packets[at] = last;
    }
    const { message } = packet;
    const from = this.node(message.from);
    const to = this.node(message.to);
    const lost =
      lose ||
      to.raft === undefined ||
      this.filter(message) ||
      this.cuts.has(`${message.from}>${message.to}`);
    if (!lost) to.receive(packet);
    // A driver knows how its stream ended.
    if (message.type === MessageType.SNAPSHOT && from.raft !== undefined) {
      from.act((raft) => raft.step(localMessage(MessageType.SNAPSHOT_STATUS, message.to, lost)));
    }
  }

  /** Delivers, syncs and applies until nothing moves. */
  settle(maxRounds = 1000): void {
    for (let round = 0; round < maxRounds; round++) {
      const packets = this.packets;
      this.packets = [];
      // In order, as on a connection.
      for (const packet of packets) {
        this.packets.push(packet);
        this.deliver(this.packets.length - 1);
      }
      for (const node of this.running) {
        if (node.writes.length > 0) node.sync();
        if (node.toApply.length > 0) node.apply();
      }
      if (this.packets.length === 0 && this.running.every((node) => node.idle)) return;
    }
    throw new Error('the cluster does not settle');
  }

  /** Settles while messages of that type are taken off the network instead of delivered. */
  settleWithout(type: MessageType, taken: Message[]): void {
    for (let round = 0; round < 100; round++) {
      const kept = this.packets.filter((packet) => packet.message.type === type);
      taken.push(...kept.map((packet) => packet.message));
      this.packets = this.packets.filter((packet) => !kept.includes(packet));
      if (this.packets.length > 0) this.deliver(0);
      for (const node of this.running) {
        if (node.writes.length > 0) node.sync();
        if (node.toApply.length > 0) node.apply();
      }
      if (this.packets.length === 0) return;
    }
  }

  tickAll(): void {
    for (const node of this.running) node.act((raft) => raft.tick());
  }

  /** Ticks and settles until the condition holds. */
  run(until: () => boolean, maxTicks = 400): void {
    for (let i = 0; i < maxTicks; i++) {
      if (until()) return;
      this.tickAll();
      this.settle();
    }
    if (!until()) throw new Error(`not reached within ${maxTicks} ticks: ${this.describe()}`);
  }

  /** Makes the node leader by its campaign and settles. */
  elect(id: number): SimNode {
    const node = this.node(id);
    node.act((raft) => raft.campaign());
    this.settle();
    if (!node.up.isLeader) throw new Error(`node ${id} was not elected: ${this.describe()}`);
    return node;
  }

  propose(id: number | RaftId, size = 8): ProposeResult {
    const data = Buffer.alloc(size);
    data.writeUInt32BE(++this.#payload);
    return this.node(id).act((raft) => raft.propose([data]));
  }

  proposeAndSettle(id: number | RaftId, count = 1): void {
    for (let i = 0; i < count; i++) {
      const result = this.propose(id);
      if (result !== 'ok') throw new Error(`proposal ${result}`);
      this.settle();
    }
  }

  changeMembers(id: number | RaftId, change: Partial<ConfChange>): ProposeResult {
    const full = { changes: [], explicitJoint: false, context: Buffer.alloc(0), ...change };
    return this.node(id).act((raft) => raft.proposeConfChange(full));
  }

  crash(id: number | RaftId): void {
    this.node(id).crash(this.random);
  }

  describe(): string {
    return this.nodes
      .map((node) => {
        if (node.raft === undefined) return `${node.id}: down`;
        const s = node.raft.status();
        const { voters, votersOutgoing } = s.confState;
        const progress = s.progress.map((p) => `${p.id}:${p.state}:${p.match}/${p.next}`).join(' ');
        return [
          `${s.id}: ${s.role} term ${s.term} leader ${s.leader} commit ${s.commit}`,
          `log ${s.firstIndex}..${s.lastIndex} voters ${voters}/${votersOutgoing} ${progress}`,
        ].join(' ');
      })
      .join('\n');
  }
}
