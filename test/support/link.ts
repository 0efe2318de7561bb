import { connect, createServer, type Server, type Socket } from 'node:net';
import { PeerHello } from '../../src-main/proto/raftdeck/raft.ts';

/** Frames between members: a 32-bit big-endian length and that many bytes. The first one is a hello. */
const LENGTH_BYTES = 4;

interface Connection {
  from: bigint;
  incoming: Socket;
  outgoing: Socket;
}

/**
 * The network before one member's peer port. Every member sends over connections of its own making, so holding those
 * of one sender cuts one direction between two members and nothing else. As with a real network nothing is refused or
 * closed: what was sent while it was cut arrives late, when it is healed.
 */
export class PeerLink {
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #held = new Set<bigint>();
  readonly #connections = new Set<Connection>();
  readonly #sockets = new Set<Socket>();

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  static async to(targetPort: number): Promise<PeerLink> {
    const link = new PeerLink(targetPort);
    await new Promise<void>((resolve) =>
      link.#server.listen({ host: '127.0.0.1', port: 0 }, resolve),
    );
    return link;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('it does not listen');
    return address.port;
  }

  /** Nothing more gets through from that member. */
  hold(from: bigint): void {
    this.#held.add(from);
    for (const connection of this.#connections) {
      if (connection.from === from) connection.incoming.pause();
    }
  }

  release(from: bigint): void {
    this.#held.delete(from);
    for (const connection of this.#connections) {
      if (connection.from === from) connection.incoming.resume();
    }
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(incoming: Socket): void {
    this.#track(incoming);
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const hello = firstFrame(head);
      if (hello === undefined) return;
      incoming.off('data', onData);
      this.#forward(PeerHello.decode(hello).from, incoming, head);
    };
    incoming.on('data', onData);
  }

  #forward(from: bigint, incoming: Socket, head: Buffer): void {
    const outgoing = connect({ host: '127.0.0.1', port: this.#targetPort, noDelay: true });
    this.#track(outgoing);
    const connection = { from, incoming, outgoing };
    this.#connections.add(connection);
    let first: Buffer | undefined = head;
    const pass = (chunk?: Buffer) => {
      if (first !== undefined) outgoing.write(first);
      first = undefined;
      if (chunk !== undefined) outgoing.write(chunk);
    };
    incoming.on('data', pass);
    if (this.#held.has(from)) {
      // The hello waits, too: it goes with the first bytes after the hold, or with the resumption.
      incoming.pause();
      incoming.once('resume', () => pass());
    } else pass();
    outgoing.on('data', (chunk: Buffer) => incoming.write(chunk));
    const end = () => {
      this.#connections.delete(connection);
      incoming.destroy();
      outgoing.destroy();
    };
    incoming.once('close', end);
    outgoing.once('close', end);
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
  }
}

function firstFrame(bytes: Buffer): Buffer | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const end = LENGTH_BYTES + bytes.readUInt32BE(0);
  return bytes.length < end ? undefined : bytes.subarray(LENGTH_BYTES, end);
}
