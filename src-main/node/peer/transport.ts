import { createServer, type Server, type Socket } from 'node:net';
import { CodedError, errorMessage } from '../../base/errors.ts';
import { PeerMembers } from '../../proto/raftdeck/internal.ts';
import {
  type Message,
  type PeerCall,
  PeerFrame,
  type PeerHello,
  type PeerReply,
  type SnapshotHeader,
} from '../../proto/raftdeck/raft.ts';
import { FrameReader, frame } from './frames.ts';
import { hello, readHello, refusalOf } from './handshake.ts';
import { PeerSender } from './sender.ts';
import { receiveSnapshot, sendSnapshot } from './snapshot-stream.ts';
import {
  FRAME_SLACK_BYTES,
  MAX_STRANGERS,
  type PeerAddress,
  type PeerHandler,
  type PeerNetwork,
  type PeerNetworkOptions,
} from './types.ts';

/**
 * The connections between this node and the other members: one outgoing stream of frames per member, incoming ones
 * from whoever is a member. Delivery is at most once and in order per connection, which is all that Raft needs.
 */
export class PeerTransport implements PeerNetwork {
  readonly #options: PeerNetworkOptions;
  readonly #handler: PeerHandler;
  readonly #senders = new Map<bigint, { address: PeerAddress; sender: PeerSender }>();
  readonly #servers: Server[] = [];
  /** Incoming connections, by who is at the other end; none until its hello is read. */
  readonly #incoming = new Map<Socket, bigint | undefined>();
  /** Of `#senders` those that are no member as far as is known here: they stay as long as they are connected. */
  readonly #strangers = new Set<bigint>();
  /** API versions of the members that were connected at least once. */
  readonly #versions = new Map<bigint, string>();

  constructor(options: PeerNetworkOptions, handler: PeerHandler) {
    this.#options = options;
    this.#handler = handler;
  }

  /** Listens. Rejects with PortInUse if an address is taken. */
  async start(): Promise<void> {
    for (const { host, port } of this.#options.listen) {
      const server = createServer({ noDelay: true }, (socket) => void this.#accept(socket));
      await new Promise<void>((resolve, reject) => {
        server.once('error', (error: NodeJS.ErrnoException) =>
          reject(
            error.code === 'EADDRINUSE'
              ? new CodedError('PortInUse', `peer port ${port} on ${host} is in use`, {
                  hint: 'Stop the process that listens there, or choose another --listen-peer-urls.',
                  cause: error,
                })
              : error,
          ),
        );
        server.listen({ host, port }, resolve);
      });
      this.#servers.push(server);
    }
  }

  /** Makes the set of members to talk to equal to `peers`. */
  setPeers(peers: PeerAddress[]): void {
    const wanted = new Map(peers.map((peer) => [peer.id, peer]));
    for (const [id, { address, sender }] of this.#senders) {
      const peer = wanted.get(id);
      if (peer?.host === address.host && peer.port === address.port) continue;
      sender.close();
      this.#senders.delete(id);
    }
    this.#strangers.clear();
    for (const [socket, from] of this.#incoming) {
      // One that is no member must dial again, and is told then.
      if (from !== undefined && !wanted.has(from)) socket.destroy();
    }
    for (const [id, address] of wanted) {
      if (id !== this.#options.self.memberId && !this.#senders.has(id)) this.#reach(address);
    }
  }

  /** One frame per member for everything the turn produced. */
  send(group: number, messages: Message[]): void {
    if (messages.length === 0) return;
    const byMember = new Map<bigint, Message[]>();
    for (const message of messages) {
      const list = byMember.get(message.to);
      if (list === undefined) byMember.set(message.to, [message]);
      else list.push(message);
    }
    for (const [id, list] of byMember) this.#senders.get(id)?.sender.send(group, list, [], []);
  }

  call(to: bigint, call: PeerCall): void {
    this.#senders.get(to)?.sender.send(0, [], [call], []);
  }

  reply(to: bigint, reply: PeerReply): void {
    this.#senders.get(to)?.sender.send(0, [], [], [reply]);
  }

  async sendSnapshot(
    to: bigint,
    header: SnapshotHeader,
    chunks: AsyncIterable<Buffer>,
  ): Promise<void> {
    const peer = this.#senders.get(to);
    if (peer === undefined) throw new CodedError('PeerUnknown', 'no such peer');
    await sendSnapshot(this.#options.self, peer.address, header, chunks);
  }

  isConnected(id: bigint): boolean {
    return this.#senders.get(id)?.sender.connected ?? false;
  }

  /** Connected both ways: what is asked there arrives, and so does the answer. */
  canAsk(id: bigint): boolean {
    return this.isConnected(id) && [...this.#incoming.values()].includes(id);
  }

  /** Milliseconds that the connection to that member has stood; undefined without one. */
  connectedForMs(id: bigint): number | undefined {
    return this.#senders.get(id)?.sender.connectedForMs;
  }

  /** What that member said when it was last connected; undefined if it never was. */
  apiVersion(id: bigint): string | undefined {
    return this.#versions.get(id);
  }

  async stop(): Promise<void> {
    for (const { sender } of this.#senders.values()) sender.close();
    this.#senders.clear();
    for (const socket of this.#incoming.keys()) socket.destroy();
    await Promise.all(
      this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
  }

  #reach(address: PeerAddress): void {
    const { id } = address;
    const sender = new PeerSender(this.#options.self, address, this.#options.logger, {
      unreachable: () => this.#handler.unreachable(id),
      connected: (apiVersion) => this.#connected(id, apiVersion),
      removed: () => this.#handler.removed(),
    });
    this.#senders.set(id, { address, sender });
  }

  /** One that joined and is not known here yet: what it sends must be answered all the same. */
  #reachStranger({ from: id, host, port }: PeerHello): void {
    if (this.#senders.has(id) || id === this.#options.self.memberId || host === '') return;
    if (this.#strangers.size >= MAX_STRANGERS) return;
    this.#strangers.add(id);
    this.#reach({ id, host, port });
  }

  #closed(socket: Socket): void {
    const from = this.#incoming.get(socket);
    this.#incoming.delete(socket);
    if (from === undefined || [...this.#incoming.values()].includes(from)) return;
    if (!this.#strangers.delete(from)) return;
    this.#senders.get(from)?.sender.close();
    this.#senders.delete(from);
  }

  async #accept(socket: Socket): Promise<void> {
    this.#incoming.set(socket, undefined);
    socket.on('close', () => this.#closed(socket));
    socket.on('error', () => {});
    const { self, logger } = this.#options;
    try {
      const other = await readHello(socket);
      const why = refusalOf(self, other, this.#handler);
      if (why !== undefined) {
        logger.warn('peer refused', { peer: other.from.toString(16), reason: why.reason });
        socket.end(hello(self, other.from, other.kind, why));
        return;
      }
      socket.write(hello(self, other.from, other.kind));
      if (other.kind === 'members') {
        socket.end(frame(PeerMembers.encode(this.#handler.members()).finish()));
        return;
      }
      this.#incoming.set(socket, other.from);
      this.#reachStranger(other);
      this.#connected(other.from, other.apiVersion);
      if (other.kind === 'snapshot') await receiveSnapshot(socket, other.from, this.#handler);
      else this.#readFrames(socket, other.from);
    } catch (error) {
      logger.warn('peer connection dropped', {
        remote: socket.remoteAddress,
        reason: errorMessage(error),
      });
      socket.destroy();
    }
  }

  #connected(id: bigint, apiVersion: string): void {
    this.#versions.set(id, apiVersion);
    this.#handler.connected(id);
  }

  #readFrames(socket: Socket, from: bigint): void {
    const reader = new FrameReader(this.#options.maxRequestBytes * 2 + FRAME_SLACK_BYTES);
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const payload of reader.push(chunk)) this.#dispatch(from, PeerFrame.decode(payload));
      } catch (error) {
        this.#options.logger.error('peer sent what cannot be read', {
          peer: from.toString(16),
          reason: errorMessage(error),
        });
        socket.destroy();
      }
    });
    socket.resume();
  }

  #dispatch(from: bigint, message: PeerFrame): void {
    // A member speaks for itself only: anything else is a defect or a forgery.
    const messages = message.messages.filter((m) => m.from === from);
    if (messages.length > 0) this.#handler.messages(message.group, from, messages);
    if (message.calls.length > 0) this.#handler.calls(from, message.calls);
    if (message.replies.length > 0) this.#handler.replies(from, message.replies);
  }
}
