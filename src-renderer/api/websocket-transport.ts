import { decode, encode } from '@msgpack/msgpack';
import type { ClientFrame, ServerFrame, Transport } from '../../src-main/contract/wire.ts';

/** The first wait after a loss; each further one is twice as long. */
export const FIRST_RETRY_MS = 250;
export const MAX_RETRY_MS = 5_000;

export interface WebSocketTransportOptions {
  /** For tests: how a socket is made. */
  connect?: (url: string) => WebSocket;
}

/**
 * MessagePack frames over a WebSocket: the browser host's door. Reconnects by itself, with growing
 * waits. State 'closed' lasts through the waits; 'connecting' is reported for every attempt.
 */
export class WebSocketTransport implements Transport {
  readonly #url: string;
  readonly #connect: (url: string) => WebSocket;
  readonly #frameListeners: ((frame: ServerFrame) => void)[] = [];
  readonly #stateListeners: ((state: 'connecting' | 'open' | 'closed') => void)[] = [];
  #state: 'connecting' | 'open' | 'closed' = 'connecting';
  #socket: WebSocket | null = null;
  #retryMs = FIRST_RETRY_MS;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isDisposed = false;

  constructor(url: string, options: WebSocketTransportOptions = {}) {
    this.#url = url;
    this.#connect = options.connect ?? ((address) => new WebSocket(address));
    this.#open();
  }

  send(frame: ClientFrame): void {
    if (this.#state !== 'open' || this.#socket === null) throw new Error('not connected');
    this.#socket.send(encode(frame, { ignoreUndefined: true }));
  }

  onFrame(listener: (frame: ServerFrame) => void): void {
    this.#frameListeners.push(listener);
  }

  onState(listener: (state: 'connecting' | 'open' | 'closed') => void): void {
    this.#stateListeners.push(listener);
    listener(this.#state);
  }

  /** Does not wait for the next attempt. */
  retryNow(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#open();
  }

  dispose(): void {
    this.#isDisposed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#socket?.close();
  }

  #open(): void {
    this.#setState('connecting');
    const socket = this.#connect(this.#url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => {
      this.#retryMs = FIRST_RETRY_MS;
      this.#setState('open');
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      if (!(event.data instanceof ArrayBuffer)) return;
      const frame = decode(new Uint8Array(event.data)) as ServerFrame;
      for (const listener of this.#frameListeners) listener(frame);
    };
    // An error is always followed by a close.
    socket.onclose = () => {
      if (this.#socket === socket) this.#onClose();
    };
  }

  #onClose(): void {
    this.#socket = null;
    this.#setState('closed');
    if (this.#isDisposed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#open();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }

  #setState(state: 'connecting' | 'open' | 'closed'): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#stateListeners) listener(state);
  }
}

/** The address of the host that served this page. */
export function socketUrl(page: string): string {
  const url = new URL('ws', page);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = '';
  url.hash = '';
  return url.href;
}
