import { connect, type Socket } from 'node:net';
import { CodedError, errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import {
  type Message,
  type PeerCall,
  PeerFrame,
  type PeerHello,
  type PeerReply,
} from '../../proto/raftdeck/raft.ts';
import { frame } from './frames.ts';
import { type ConnectionKind, hello, readHello } from './handshake.ts';
import {
  HANDSHAKE_TIMEOUT_MS,
  MAX_QUEUED_BYTES,
  type PeerAddress,
  type PeerIdentity,
} from './types.ts';

const RECONNECT_MIN_MS = 20;
const RECONNECT_MAX_MS = 1_000;

/** What the sender tells of its connection. */
export interface PeerSenderEvents {
  unreachable(): void;
  connected(apiVersion: string): void;
  /** The other side says that we are a member no more. */
  removed(): void;
}

/**
 * Connects and shakes hands. Rejects with PeerRefused if the other side does not want us, with
 * PeerRemovedUs if it says that we were removed from the cluster.
 */
export async function dialPeer(
  self: PeerIdentity,
  address: PeerAddress,
  kind: ConnectionKind,
): Promise<{ socket: Socket; apiVersion: string }> {
  const socket = connect({ host: address.host, port: address.port, noDelay: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(HANDSHAKE_TIMEOUT_MS, () =>
        reject(new CodedError('PeerProtocol', 'peer connection timed out')),
      );
      socket.once('connect', resolve).once('error', reject);
    });
    socket.setTimeout(0);
    socket.on('error', () => {});
    socket.write(hello(self, address.id, kind));
    const answer: PeerHello = await readHello(socket);
    if (answer.refuse !== '') {
      const known = answer.removed && answer.clusterId === self.clusterId;
      throw new CodedError(known ? 'PeerRemovedUs' : 'PeerRefused', answer.refuse);
    }
    return { socket, apiVersion: answer.apiVersion };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Our way to one other member: keeps a connection, drops what it cannot send (Raft repeats it). */
export class PeerSender {
  readonly #self: PeerIdentity;
  readonly #address: PeerAddress;
  readonly #logger: Logger;
  readonly #events: PeerSenderEvents;
  /** By performance.now(); undefined while there is no connection. */
  #connectedAtMs: number | undefined;
  #socket: Socket | undefined;
  #dialing = false;
  #closed = false;
  #backoffMs = RECONNECT_MIN_MS;
  #timer: NodeJS.Timeout | undefined;
  /** Last reason logged, so that a dead peer does not fill the log. */
  #lastError = '';

  constructor(self: PeerIdentity, address: PeerAddress, logger: Logger, events: PeerSenderEvents) {
    this.#self = self;
    this.#address = address;
    this.#logger = logger;
    this.#events = events;
    void this.#dial();
  }

  get connected(): boolean {
    return this.#socket !== undefined;
  }

  /** How long the present connection has stood, in milliseconds; undefined without one. */
  get connectedForMs(): number | undefined {
    return this.#connectedAtMs === undefined ? undefined : performance.now() - this.#connectedAtMs;
  }

  send(group: number, messages: Message[], calls: PeerCall[], replies: PeerReply[]): void {
    const socket = this.#socket;
    if (socket === undefined || socket.writableLength > MAX_QUEUED_BYTES) {
      this.#events.unreachable();
      return;
    }
    socket.write(frame(PeerFrame.encode({ group, messages, calls, replies }).finish()));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  async #dial(): Promise<void> {
    if (this.#dialing || this.#closed || this.#socket !== undefined) return;
    this.#dialing = true;
    try {
      const { socket, apiVersion } = await dialPeer(this.#self, this.#address, 'raft');
      if (this.#closed) {
        socket.destroy();
        return;
      }
      this.#socket = socket;
      this.#connectedAtMs = performance.now();
      this.#backoffMs = RECONNECT_MIN_MS;
      this.#lastError = '';
      socket.once('close', () => this.#lost());
      // The other side never writes after its hello, but a socket that is not read never sees its end.
      socket.resume();
      this.#logger.info('peer connected', { peer: this.#address.id.toString(16) });
      this.#events.connected(apiVersion);
    } catch (error) {
      this.#report(errorMessage(error));
      if (error instanceof CodedError && error.code === 'PeerRemovedUs') this.#events.removed();
      this.#retryLater();
    } finally {
      this.#dialing = false;
    }
  }

  #lost(): void {
    this.#socket = undefined;
    this.#connectedAtMs = undefined;
    if (this.#closed) return;
    this.#logger.warn('peer connection lost', { peer: this.#address.id.toString(16) });
    this.#events.unreachable();
    this.#retryLater();
  }

  #report(reason: string): void {
    if (reason === this.#lastError) return;
    this.#lastError = reason;
    this.#logger.warn('peer unreachable', { peer: this.#address.id.toString(16), reason });
  }

  #retryLater(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#dial(), this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, RECONNECT_MAX_MS);
  }
}
