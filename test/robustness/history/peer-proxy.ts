import { connect, createServer, type Server, type Socket } from 'node:net';

/** What happens to bytes on their way, as it is now. */
interface Weather {
  delayMs(): number;
  /** Whether this piece is lost. A stream with a gap is of no use to anybody: its connection breaks. */
  loses(): boolean;
  isHeld(): boolean;
}

/** Bytes on their way in one direction, which never overtake each other. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #underway: { chunk: Buffer; arrivesAtMs: number }[] = [];

  constructor(from: Socket, to: Socket, { delayMs, loses, isHeld }: Weather) {
    this.#from = from;
    this.#to = to;
    from.on('data', (chunk) => {
      if (loses()) {
        from.destroy();
        return;
      }
      const arrivesAtMs = performance.now() + delayMs();
      this.#underway.push({ chunk: chunk as Buffer, arrivesAtMs });
      if (this.#underway.length === 1) this.#deliver();
    });
    to.on('drain', () => isHeld() || from.resume());
  }

  #deliver(): void {
    for (;;) {
      const [first] = this.#underway;
      if (first === undefined || this.#to.destroyed) return;
      const restMs = first.arrivesAtMs - performance.now();
      if (restMs > 0) {
        setTimeout(() => this.#deliver(), Math.ceil(restMs));
        return;
      }
      this.#underway.shift();
      if (!this.#to.write(first.chunk)) this.#from.pause();
    }
  }
}

/** What one member is reached through by the others: it can be cut, made to stand still, slow, or lossy. */
export class PeerProxy {
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  readonly port: number;
  #isCut = false;
  #isStalled = false;
  #delayMs: () => number = () => 0;
  #loses: () => boolean = () => false;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(toPort: number): Promise<PeerProxy> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const proxy = new PeerProxy(server, port);
    server.on('connection', (from) => proxy.#join(from, toPort));
    return proxy;
  }

  /** Nothing gets through, and what was under way is lost. */
  cut(): void {
    this.#isCut = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Holds back all that is sent to the member: delay, without loss. */
  stall(): void {
    this.#isStalled = true;
    for (const [from] of this.#pairs) from.pause();
  }

  /** Each piece takes so long, in both directions. */
  slow(delayMs: () => number): void {
    this.#delayMs = delayMs;
  }

  /** Pieces for which it answers true are lost, in both directions, and their connections break. */
  lose(loses: () => boolean): void {
    this.#loses = loses;
  }

  /** Everything works again. */
  mend(): void {
    this.#isCut = false;
    this.#delayMs = () => 0;
    this.#loses = () => false;
    if (!this.#isStalled) return;
    this.#isStalled = false;
    for (const [from] of this.#pairs) from.resume();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(from: Socket, toPort: number): void {
    if (this.#isCut) {
      from.destroy();
      return;
    }
    const to = connect({ port: toPort, host: '127.0.0.1', noDelay: true });
    const pair: [Socket, Socket] = [from, to];
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      from.destroy();
      to.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    const weather = { delayMs: () => this.#delayMs(), loses: () => this.#loses() };
    new Lane(from, to, { ...weather, isHeld: () => this.#isStalled });
    new Lane(to, from, { ...weather, isHeld: () => false });
    if (this.#isStalled) from.pause();
  }
}
