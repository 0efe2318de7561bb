import type { Clock } from '../../base/clock.ts';
import { CodedError } from '../../base/errors.ts';
import type { Random } from '../../base/prng.ts';
import type { Message, PeerCall, PeerReply, SnapshotHeader } from '../../proto/raftdeck/raft.ts';
import type { PeerAddress, PeerHandler, PeerNetwork, PeerNetworkOptions } from '../peer/types.ts';
import type { NodeNetwork } from '../server/io.ts';
import type { Faults } from './faults.ts';

const PER_MILLE = 1_000;

/** The way to the other members, with the faults of its links. */
export function faultyNetwork(
  network: NodeNetwork,
  faults: Faults,
  clock: Clock,
  random: Random,
): NodeNetwork {
  return {
    askMembers: network.askMembers,
    open: (options: PeerNetworkOptions, handler: PeerHandler) => {
      const link = new Link(faults, clock, random);
      return new FaultyPeers(network.open(options, new FaultyHandler(handler, link)), link);
    },
  };
}

type Way = 'out' | 'in';

/** Things that a delayed link holds up, each way; what comes beyond is lost. */
export const MAX_HELD = 10_000;

interface Held {
  atMs: number;
  deliver(): void;
}

/** What becomes of something that goes between this member and another one. */
class Link {
  readonly #faults: Faults;
  readonly #clock: Clock;
  readonly #random: Random;
  /** In order, by way and member: nothing overtakes what was held up before it. */
  readonly #held = new Map<string, Held[]>();

  constructor(faults: Faults, clock: Clock, random: Random) {
    this.#faults = faults;
    this.#clock = clock;
    this.#random = random;
  }

  isCut(peer: bigint, way: Way): boolean {
    const fault = this.#faults.link(peer);
    return fault !== undefined && (way === 'out' ? fault.cutOutgoing : fault.cutIncoming);
  }

  /** One message alone may be lost. */
  loses(peer: bigint): boolean {
    const { lossPerMille = 0 } = this.#faults.link(peer) ?? {};
    return lossPerMille > 0 && this.#random.below(PER_MILLE) < lossPerMille;
  }

  /** Lets it pass now or later, in order, or not at all. The delay of a link is shared out over its two ways. */
  pass(peer: bigint, way: Way, deliver: () => void): void {
    if (this.isCut(peer, way)) return;
    const delayMs = (this.#faults.link(peer)?.delayMs ?? 0) / 2;
    const key = `${way}${peer}`;
    const held = this.#held.get(key);
    if (held === undefined) {
      if (delayMs === 0) {
        deliver();
        return;
      }
      this.#held.set(key, [{ atMs: this.#clock.nowMs() + delayMs, deliver }]);
      this.#releaseLater(key, peer, way);
    } else if (held.length < MAX_HELD) {
      const last = held.at(-1)?.atMs ?? 0;
      held.push({ atMs: Math.max(last, this.#clock.nowMs() + delayMs), deliver });
    }
  }

  #releaseLater(key: string, peer: bigint, way: Way): void {
    const held = this.#held.get(key) ?? [];
    const nowMs = this.#clock.nowMs();
    this.#clock.setTimer(Math.max(0, (held[0]?.atMs ?? nowMs) - nowMs), () => {
      const until = this.#clock.nowMs();
      while (held[0] !== undefined && held[0].atMs <= until) {
        const { deliver } = held.shift() as Held;
        // What is on its way when a link is cut is lost with it.
        if (!this.isCut(peer, way)) deliver();
      }
      if (held.length === 0) this.#held.delete(key);
      else this.#releaseLater(key, peer, way);
    });
  }

  /** A stream of any length. Rejects as soon as the link is cut. */
  async *stream<T>(peer: bigint, way: Way, items: AsyncIterable<T>): AsyncIterable<T> {
    for await (const item of items) {
      this.assertUncut(peer, way);
      yield item;
    }
  }

  assertUncut(peer: bigint, way: Way): void {
    if (this.isCut(peer, way)) throw new CodedError('PeerUnknown', 'the link is cut on purpose');
  }
}

class FaultyPeers implements PeerNetwork {
  readonly #peers: PeerNetwork;
  readonly #link: Link;

  constructor(peers: PeerNetwork, link: Link) {
    this.#peers = peers;
    this.#link = link;
  }

  start(): Promise<void> {
    return this.#peers.start();
  }

  setPeers(peers: PeerAddress[]): void {
    this.#peers.setPeers(peers);
  }

  send(group: number, messages: Message[]): void {
    for (const peer of new Set(messages.map(({ to }) => to))) {
      const kept = messages.filter(({ to }) => to === peer && !this.#link.loses(peer));
      if (kept.length > 0) this.#link.pass(peer, 'out', () => this.#peers.send(group, kept));
    }
  }

  call(to: bigint, call: PeerCall): void {
    if (!this.#link.loses(to)) this.#link.pass(to, 'out', () => this.#peers.call(to, call));
  }

  reply(to: bigint, reply: PeerReply): void {
    if (!this.#link.loses(to)) this.#link.pass(to, 'out', () => this.#peers.reply(to, reply));
  }

  async sendSnapshot(
    to: bigint,
    header: SnapshotHeader,
    chunks: AsyncIterable<Buffer>,
  ): Promise<void> {
    this.#link.assertUncut(to, 'out');
    await this.#peers.sendSnapshot(to, header, this.#link.stream(to, 'out', chunks));
    // Whether it was taken comes back on the same link.
    this.#link.assertUncut(to, 'in');
  }

  isConnected(id: bigint): boolean {
    return !this.#isCut(id) && this.#peers.isConnected(id);
  }

  canAsk(id: bigint): boolean {
    return !this.#isCut(id) && this.#peers.canAsk(id);
  }

  connectedForMs(id: bigint): number | undefined {
    return this.#isCut(id) ? undefined : this.#peers.connectedForMs(id);
  }

  apiVersion(id: bigint): string | undefined {
    return this.#peers.apiVersion(id);
  }

  stop(): Promise<void> {
    return this.#peers.stop();
  }

  #isCut(id: bigint): boolean {
    return this.#link.isCut(id, 'out') || this.#link.isCut(id, 'in');
  }
}

class FaultyHandler implements PeerHandler {
  readonly #handler: PeerHandler;
  readonly #link: Link;

  constructor(handler: PeerHandler, link: Link) {
    this.#handler = handler;
    this.#link = link;
  }

  isRemoved(id: bigint): boolean {
    return this.#handler.isRemoved(id);
  }

  members() {
    return this.#handler.members();
  }

  connected(id: bigint): void {
    this.#handler.connected(id);
  }

  removed(): void {
    this.#handler.removed();
  }

  messages(group: number, from: bigint, messages: Message[]): void {
    const kept = messages.filter(() => !this.#link.loses(from));
    if (kept.length === 0) return;
    this.#link.pass(from, 'in', () => this.#handler.messages(group, from, kept));
  }

  calls(from: bigint, calls: PeerCall[]): void {
    this.#link.pass(from, 'in', () => this.#handler.calls(from, calls));
  }

  replies(from: bigint, replies: PeerReply[]): void {
    this.#link.pass(from, 'in', () => this.#handler.replies(from, replies));
  }

  unreachable(id: bigint): void {
    this.#handler.unreachable(id);
  }

  async snapshot(
    from: bigint,
    header: SnapshotHeader,
    chunks: AsyncIterable<Buffer>,
  ): Promise<void> {
    this.#link.assertUncut(from, 'in');
    await this.#handler.snapshot(from, header, this.#link.stream(from, 'in', chunks));
  }
}
