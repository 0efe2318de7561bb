import { CodedError, errorMessage } from '../../src-main/base/errors.ts';
import { type Refusal, refusalOf } from '../../src-main/node/peer/handshake.ts';
import {
  MAX_STRANGERS,
  PEER_PROTOCOL,
  type PeerAddress,
  type PeerHandler,
  type PeerIdentity,
  type PeerNetwork,
  type PeerNetworkOptions,
} from '../../src-main/node/peer/types.ts';
import {
  type Message,
  MessageType,
  type PeerCall,
  PeerFrame,
  PeerHello,
  type PeerReply,
  SnapshotHeader,
} from '../../src-main/proto/raftdeck/raft.ts';
import type { Lane, SimNetwork } from './sim-network.ts';
import type { SimProcess } from './sim-process.ts';
import { cutStream, pump, receiveStream, type SnapshotStream } from './snapshot-stream.ts';

const RECONNECT_MIN_MS = 20;
const RECONNECT_MAX_MS = 1_000;
const DIAL_TIMEOUT_MS = 5_000;
/** How long a power cut goes unnoticed at the other end. */
const SILENT_LOSS_MS = 2_000;

/** One connection: frames go from `from` to `to`. */
interface Connection {
  readonly from: SimEndpoint;
  readonly to: SimEndpoint;
  readonly lane: Lane;
  open: boolean;
}

interface Sender {
  readonly address: PeerAddress;
  connection: Connection | undefined;
  sinceMs: number;
  backoffMs: number;
  closed: boolean;
}

/** One process's peer transport: the contract of PeerTransport on the simulated network. */
export class SimEndpoint implements PeerNetwork {
  readonly host: string;
  readonly process: SimProcess;
  readonly self: PeerIdentity;
  readonly handler: PeerHandler;
  readonly network: SimNetwork;
  /** Hears what goes out, whether or not it arrives. */
  onSend: (messages: readonly Message[]) => void = () => {};
  readonly #addresses: string[];
  readonly #senders = new Map<bigint, Sender>();
  readonly #incoming = new Map<Connection, bigint>();
  readonly #strangers = new Set<bigint>();
  readonly #versions = new Map<bigint, string>();
  /** Snapshots that it sends. */
  readonly #streams = new Set<SnapshotStream>();

  constructor(
    network: SimNetwork,
    host: string,
    process: SimProcess,
    { self, listen }: PeerNetworkOptions,
    handler: PeerHandler,
  ) {
    this.network = network;
    this.host = host;
    this.process = process;
    this.self = self;
    this.handler = handler;
    this.#addresses = listen.map(({ host: name, port }) => `${name}:${port}`);
  }

  async start(): Promise<void> {
    for (const address of this.#addresses) this.network.endpoints.set(address, this);
  }

  setPeers(peers: PeerAddress[]): void {
    const wanted = new Map(peers.map((peer) => [peer.id, peer]));
    for (const [id, sender] of this.#senders) {
      const peer = wanted.get(id);
      const { address } = sender;
      if (peer?.host === address.host && peer.port === address.port) continue;
      this.#close(sender);
      this.#senders.delete(id);
    }
    this.#strangers.clear();
    for (const [connection, from] of this.#incoming) {
      if (!wanted.has(from)) this.#drop(connection, 0);
    }
    for (const [id, address] of wanted) {
      if (id !== this.self.memberId && !this.#senders.has(id)) this.#reach(address);
    }
  }

  #reach(address: PeerAddress): void {
    const sender: Sender = {
      address,
      connection: undefined,
      sinceMs: 0,
      backoffMs: RECONNECT_MIN_MS,
      closed: false,
    };
    this.#senders.set(address.id, sender);
    this.#dial(sender);
  }

  /** As PeerTransport does. */
  #reachStranger({ from: id, host, port }: PeerHello): void {
    if (this.#senders.has(id) || this.#strangers.size >= MAX_STRANGERS) return;
    this.#strangers.add(id);
    this.#reach({ id, host, port });
  }

  #disconnected(connection: Connection): void {
    const from = this.#incoming.get(connection);
    this.#incoming.delete(connection);
    if (from === undefined || [...this.#incoming.values()].includes(from)) return;
    const sender = this.#senders.get(from);
    if (!this.#strangers.delete(from) || sender === undefined) return;
    this.#close(sender);
    this.#senders.delete(from);
  }

  send(group: number, messages: Message[]): void {
    const byMember = new Map<bigint, Message[]>();
    for (const message of messages) {
      const list = byMember.get(message.to);
      if (list === undefined) byMember.set(message.to, [message]);
      else list.push(message);
    }
    for (const [id, list] of byMember) {
      if (!this.process.passes('send')) return;
      this.onSend(list);
      this.#send(id, { group, messages: list, calls: [], replies: [] });
    }
  }

  call(to: bigint, call: PeerCall): void {
    this.#send(to, { group: 0, messages: [], calls: [call], replies: [] });
  }

  reply(to: bigint, reply: PeerReply): void {
    this.#send(to, { group: 0, messages: [], calls: [], replies: [reply] });
  }

  async sendSnapshot(
    to: bigint,
    header: SnapshotHeader,
    chunks: AsyncIterable<Buffer>,
  ): Promise<void> {
    const address = this.#senders.get(to)?.address;
    if (address === undefined) throw new CodedError('PeerUnknown', 'no such peer');
    const bytes = Buffer.from(SnapshotHeader.encode(header).finish());
    await this.#stream(address, bytes, chunks);
  }

  isConnected(id: bigint): boolean {
    return this.#senders.get(id)?.connection !== undefined;
  }

  canAsk(id: bigint): boolean {
    return this.isConnected(id) && [...this.#incoming.values()].includes(id);
  }

  connectedForMs(id: bigint): number | undefined {
    const sender = this.#senders.get(id);
    if (sender?.connection === undefined) return undefined;
    return this.network.world.nowMs - sender.sinceMs;
  }

  /** Its connection to that member breaks: what is on the way is lost, and it is made anew. */
  breakConnection(id: bigint): void {
    const connection = this.#senders.get(id)?.connection;
    if (connection !== undefined) this.#drop(connection, 0);
  }

  apiVersion(id: bigint): string | undefined {
    return this.#versions.get(id);
  }

  async stop(): Promise<void> {
    this.died(false);
  }

  /** The process is gone: whoever was connected learns of it, soon or (power, cut ways) late. */
  died(silently: boolean): void {
    for (const address of this.#addresses) {
      if (this.network.endpoints.get(address) === this) this.network.endpoints.delete(address);
    }
    const delayMs = silently ? this.network.chance.between(1, SILENT_LOSS_MS) : 0.5;
    for (const sender of this.#senders.values()) {
      sender.closed = true;
      if (sender.connection !== undefined) this.#drop(sender.connection, delayMs);
    }
    for (const connection of [...this.#incoming.keys()]) this.#drop(connection, delayMs);
    for (const stream of this.#streams) cutStream(stream, delayMs);
  }

  /** Someone who is not who it says, or not a member, is told why. */
  refusal(hello: PeerHello): Refusal | undefined {
    return refusalOf(this.self, hello, this.handler);
  }

  receiveSnapshot(from: bigint, header: Buffer, stream: SnapshotStream): void {
    const { message, group } = SnapshotHeader.decode(header);
    receiveStream(stream, (chunks) => this.handler.snapshot(from, { message, group }, chunks));
  }

  #send(id: bigint, frame: PeerFrame): void {
    const connection = this.#senders.get(id)?.connection;
    if (connection === undefined) {
      this.handler.unreachable(id);
      return;
    }
    if (!this.process.alive) return;
    const bytes = PeerFrame.encode(frame).finish();
    const { from, to, lane } = connection;
    // The contract is "at most once": only what Raft itself makes idempotent may come twice.
    const mayRepeat = frame.messages.every(({ type }) => type !== MessageType.PROPOSE);
    const repeats = mayRepeat && frame.messages.length > 0;
    this.network.transmit(
      { from: from.host, to: to.host },
      lane,
      to.process,
      () => {
        if (connection.open) to.#dispatch(this.self.memberId, PeerFrame.decode(bytes));
      },
      { mayRepeat: repeats },
    );
  }

  #dispatch(from: bigint, { group, messages, calls, replies }: PeerFrame): void {
    const own = messages.filter((message) => message.from === from);
    if (own.length > 0) this.handler.messages(group, from, own);
    if (calls.length > 0) this.handler.calls(from, calls);
    if (replies.length > 0) this.handler.replies(from, replies);
  }

  #hello(to: bigint, kind: string): PeerHello {
    return PeerHello.fromPartial({
      protocol: PEER_PROTOCOL,
      clusterId: this.self.clusterId,
      from: this.self.memberId,
      to,
      kind,
      version: this.self.version,
      apiVersion: this.self.apiVersion,
      host: this.self.host,
      port: this.self.port,
    });
  }

  /** Shakes hands: `accepted` runs at the other side, `connected` here, or one of the failures. */
  #shakeHands(
    address: PeerAddress,
    kind: string,
    outcome: {
      accepted(to: SimEndpoint, hello: PeerHello): void;
      connected(to: SimEndpoint): void;
      failed(error: CodedError): void;
    },
  ): void {
    const { network, process } = this;
    const hello = this.#hello(address.id, kind);
    let settled = false;
    const fail = (code: string, text: string) => {
      if (settled) return;
      settled = true;
      cancelTimeout();
      outcome.failed(new CodedError(code, text));
    };
    const there = { from: this.host, to: address.host };
    const back = { from: address.host, to: this.host };
    const target = network.endpoints.get(`${address.host}:${address.port}`);
    network.transmit(there, undefined, target?.process, () => {
      if (settled) return;
      if (target === undefined || !isListening(target)) {
        network.transmit(back, undefined, process, () => fail('PeerProtocol', 'refused'));
        return;
      }
      const why = target.refusal(hello);
      if (why === undefined) outcome.accepted(target, hello);
      network.transmit(back, undefined, process, () => {
        if (why !== undefined) fail(why.removed ? 'PeerRemovedUs' : 'PeerRefused', why.reason);
        else if (!settled) {
          settled = true;
          cancelTimeout();
          outcome.connected(target);
        }
      });
    });
    const timeout = () => fail('PeerProtocol', 'timed out');
    const cancelTimeout = network.world.after(DIAL_TIMEOUT_MS, timeout, process);
  }

  #dial(sender: Sender): void {
    if (sender.closed || sender.connection !== undefined || !this.process.alive) return;
    let made: Connection | undefined;
    this.#shakeHands(sender.address, 'raft', {
      accepted: (to, hello) => {
        made = { from: this, to, lane: { lastMs: 0 }, open: true };
        to.#incoming.set(made, this.self.memberId);
        to.#reachStranger(hello);
        to.#learn(this.self.memberId, this.self.apiVersion);
      },
      connected: (to) => {
        if (made === undefined) return;
        if (sender.closed || !made.open) {
          this.#drop(made, 0);
          this.#retry(sender);
          return;
        }
        sender.connection = made;
        sender.sinceMs = this.network.world.nowMs;
        sender.backoffMs = RECONNECT_MIN_MS;
        this.#learn(to.self.memberId, to.self.apiVersion);
      },
      failed: (error) => {
        if (made !== undefined) this.#drop(made, 0);
        if (sender.closed) return;
        if (error.code === 'PeerRemovedUs') this.handler.removed();
        this.#retry(sender);
      },
    });
  }

  #retry(sender: Sender): void {
    if (sender.closed) return;
    this.network.world.after(sender.backoffMs, () => this.#dial(sender), this.process);
    sender.backoffMs = Math.min(sender.backoffMs * 2, RECONNECT_MAX_MS);
  }

  #learn(id: bigint, apiVersion: string): void {
    this.#versions.set(id, apiVersion);
    this.handler.connected(id);
  }

  #close(sender: Sender): void {
    sender.closed = true;
    if (sender.connection !== undefined) this.#drop(sender.connection, 0.2);
  }

  /** Ends a connection; the other side learns of it after the delay. What is on the way is lost. */
  #drop(connection: Connection, delayMs: number): void {
    const { from, to } = connection;
    if (!connection.open) return;
    connection.open = false;
    const { world } = this.network;
    world.after(delayMs, () => to.#disconnected(connection), to.process);
    world.after(delayMs, () => from.#lost(connection), from.process);
  }

  #lost(connection: Connection): void {
    for (const [id, sender] of this.#senders) {
      if (sender.connection !== connection) continue;
      sender.connection = undefined;
      if (sender.closed) return;
      this.handler.unreachable(id);
      this.#retry(sender);
    }
  }

  #stream(address: PeerAddress, header: Buffer, chunks: AsyncIterable<Buffer>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#shakeHands(address, 'snapshot', {
        accepted: () => {},
        failed: reject,
        connected: (to) => {
          const stream: SnapshotStream = {
            network: this.network,
            from: { host: this.host, process: this.process },
            to: { host: to.host, process: to.process },
            start: (inner) => to.receiveSnapshot(this.self.memberId, header, inner),
            finished: (error) => {
              if (error === undefined) resolve();
              else reject(new CodedError('PeerRefused', errorMessage(error)));
            },
            queue: [],
            wake: () => {},
            ended: false,
          };
          this.#streams.add(stream);
          void pump(stream, chunks, reject).finally(() => this.#streams.delete(stream));
        },
      });
    });
  }
}

function isListening(endpoint: SimEndpoint): boolean {
  return endpoint.process.alive && [...endpoint.network.endpoints.values()].includes(endpoint);
}
