import { decode, encode } from '@msgpack/msgpack';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ServerFrame } from '../../src-main/contract/wire.ts';
import {
  FIRST_RETRY_MS,
  MAX_RETRY_MS,
  socketUrl,
  WebSocketTransport,
} from './websocket-transport.ts';

/** A socket whose events the test sends. */
class FakeSocket {
  binaryType = '';
  sent: Uint8Array[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  send(data: Uint8Array): void {
    this.sent.push(data);
  }
  close(): void {
    this.onclose?.();
  }
}

function setup() {
  const sockets: FakeSocket[] = [];
  const transport = new WebSocketTransport('ws://127.0.0.1:1/ws', {
    connect: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
  });
  const states: string[] = [];
  const frames: ServerFrame[] = [];
  transport.onState((state) => states.push(state));
  transport.onFrame((frame) => frames.push(frame));
  return { transport, sockets, states, frames, socket: () => sockets.at(-1) as FakeSocket };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('WebSocketTransport', () => {
  it('carries frames as MessagePack, bytes as Uint8Array and without undefined', () => {
    const { transport, socket, frames } = setup();
    socket().onopen?.();
    const input = { key: Uint8Array.of(0, 255), limit: undefined };
    transport.send({ t: 'call', id: 1, name: 'keys.get', input });
    expect(decode(socket().sent[0] as Uint8Array)).toEqual({
      t: 'call',
      id: 1,
      name: 'keys.get',
      input: { key: Uint8Array.of(0, 255) },
    });
    const bytes = encode({ t: 'result', id: 1, output: { value: Uint8Array.of(7) } });
    socket().onmessage?.({
      data: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    });
    expect(frames).toEqual([{ t: 'result', id: 1, output: { value: Uint8Array.of(7) } }]);
  });

  it('ignores what is no binary message', () => {
    const { socket, frames } = setup();
    socket().onopen?.();
    socket().onmessage?.({ data: 'hello' });
    expect(frames).toEqual([]);
  });

  it('connects again with growing waits, and with short ones after it was open', () => {
    const { sockets, socket, states } = setup();
    socket().onclose?.();
    vi.advanceTimersByTime(FIRST_RETRY_MS);
    expect(sockets).toHaveLength(2);
    socket().onclose?.();
    vi.advanceTimersByTime(FIRST_RETRY_MS);
    expect(sockets).toHaveLength(2);
    vi.advanceTimersByTime(FIRST_RETRY_MS);
    expect(sockets).toHaveLength(3);
    for (let i = 0; i < 10; i++) {
      socket().onclose?.();
      vi.advanceTimersByTime(MAX_RETRY_MS);
    }
    expect(sockets).toHaveLength(13);
    socket().onopen?.();
    socket().onclose?.();
    vi.advanceTimersByTime(FIRST_RETRY_MS);
    expect(sockets).toHaveLength(14);
    expect(states.slice(0, 3)).toEqual(['connecting', 'closed', 'connecting']);
    expect(states.slice(-3)).toEqual(['open', 'closed', 'connecting']);
  });

  it('tries at once when asked, and never after it was disposed', () => {
    const { transport, sockets, socket } = setup();
    socket().onclose?.();
    transport.retryNow();
    expect(sockets).toHaveLength(2);
    transport.retryNow();
    expect(sockets).toHaveLength(2);
    transport.dispose();
    vi.advanceTimersByTime(10 * MAX_RETRY_MS);
    expect(sockets).toHaveLength(2);
  });

  it('refuses to send while it is not connected', () => {
    const { transport } = setup();
    expect(() => transport.send({ t: 'cancel', id: 1 })).toThrow('not connected');
  });
});

describe('socketUrl', () => {
  it('is the host of the page, without its token', () => {
    expect(socketUrl('http://127.0.0.1:8080/?token=x#/c/a')).toBe('ws://127.0.0.1:8080/ws');
    expect(socketUrl('https://box.example/')).toBe('wss://box.example/ws');
  });
});
