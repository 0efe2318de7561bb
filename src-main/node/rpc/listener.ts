import { createServer, type Server, type Socket } from 'node:net';
import { CodedError, errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';

export interface ListenAddress {
  host: string;
  port: number;
}

export type ListenErrorCode = 'PortInUse' | 'ListenFailed';

/**
 * Whom an accepted socket is handed to. What was read of it to tell the protocol has been put back.
 */
export interface ConnectionHandlers {
  http2(socket: Socket): void;
  http1(socket: Socket): void;
}

/**
 * RFC 9113, 3.4: every HTTP/2 connection starts so. No HTTP/1.1 method starts with these letters.
 */
const HTTP2_PREFACE_START = Buffer.from('PRI ');

/** A client that says nothing for so long is cut: it holds a file descriptor and nothing else. */
const SNIFF_TIMEOUT_MS = 30_000;

/** Accepts on several addresses and tells HTTP/2 from HTTP/1.1 by the first bytes. */
export class SniffingListener {
  readonly #handlers: ConnectionHandlers;
  readonly #logger: Logger;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  /** Those that have not yet said enough to be handed over. */
  readonly #undecided = new Set<Socket>();

  constructor(handlers: ConnectionHandlers, logger: Logger) {
    this.#handlers = handlers;
    this.#logger = logger;
  }

  /** Binds all or nothing. Throws CodedError<ListenErrorCode>. */
  async listen(addresses: readonly ListenAddress[]): Promise<ListenAddress[]> {
    const bound: ListenAddress[] = [];
    try {
      for (const address of addresses) bound.push(await this.#bind(address));
    } catch (error) {
      this.stopAccepting();
      throw error;
    }
    return bound;
  }

  /** Closes the ports and the sockets that nobody serves yet; the others live on. */
  stopAccepting(): void {
    for (const server of this.#servers.splice(0)) server.close();
    for (const socket of this.#undecided) socket.destroy();
  }

  /** Resolves once every accepted socket is closed. */
  async allClosed(): Promise<void> {
    while (this.#sockets.size > 0) {
      const [socket] = this.#sockets;
      await new Promise<void>((resolve) => socket?.once('close', () => resolve()));
    }
  }

  destroySockets(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #bind({ host, port }: ListenAddress): Promise<ListenAddress> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(listenError(host, port, error)));
      // Exclusive, so that a cluster worker would not silently share the port either.
      server.listen({ host, port, exclusive: true }, () => {
        const address = server.address();
        this.#servers.push(server);
        server.removeAllListeners('error');
        server.on('error', (error) =>
          this.#logger.error('accepting connections failed', { host, port, error: error.message }),
        );
        resolve({ host, port: typeof address === 'object' && address ? address.port : port });
      });
    });
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // A reset connection is the client's business; without a listener it would end the process.
    socket.on('error', (error) =>
      this.#logger.debug('client connection failed', { error: error.message }),
    );
    this.#undecided.add(socket);
    const timeout = setTimeout(() => socket.destroy(), SNIFF_TIMEOUT_MS);
    timeout.unref();
    const decided = (): void => {
      clearTimeout(timeout);
      this.#undecided.delete(socket);
    };
    socket.once('close', decided);
    // Not put back before it decides: each time the socket would be readable at once again, and
    // the process would do nothing else.
    let seen: Buffer = Buffer.alloc(0);
    const onReadable = (): void => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      seen = Buffer.concat([seen, bytes]);
      const start = HTTP2_PREFACE_START.subarray(0, seen.length);
      const matches = seen.subarray(0, start.length).equals(start);
      if (matches && seen.length < HTTP2_PREFACE_START.length) return;
      socket.unshift(seen);
      socket.off('readable', onReadable);
      socket.off('close', decided);
      decided();
      if (matches) this.#handlers.http2(socket);
      else this.#handlers.http1(socket);
    };
    socket.on('readable', onReadable);
  }
}

function listenError(host: string, port: number, error: NodeJS.ErrnoException): Error {
  if (error.code === 'EADDRINUSE') {
    return new CodedError<ListenErrorCode>('PortInUse', `port ${port} on ${host} is in use`, {
      hint: 'Stop what listens there, or choose another port.',
      cause: error,
    });
  }
  const reason = errorMessage(error);
  return new CodedError<ListenErrorCode>(
    'ListenFailed',
    `cannot listen on ${host}:${port}: ${reason}`,
    { cause: error },
  );
}
