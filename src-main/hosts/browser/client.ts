import { encode } from '@msgpack/msgpack';
import type { WebSocket } from 'ws';
import type { Logger } from '../../base/logger.ts';
import type { ServerFrame } from '../../contract/wire.ts';
import type { App } from '../../services/app.ts';
import { decodeFrame } from './frame-codec.ts';

/**
 * Above this nothing more is read from a client until it has taken what was sent: no credits, no
 * calls.
 */
const HIGH_WATER_BYTES = 8 * 1024 * 1024;
const LOW_WATER_BYTES = 1024 * 1024;
/** A client that takes nothing while this much waits is dropped. */
const MAX_BUFFERED_BYTES = 256 * 1024 * 1024;
/** A peer that vanished without a word is noticed after two of these. */
const PING_MS = 30_000;

const CLOSE_BAD_DATA = 1007;
const CLOSE_VIOLATION = 1008;

/** Puts a session behind a WebSocket: one MessagePack frame per binary message. */
export function serveClient(socket: WebSocket, app: App, logger: Logger): void {
  let isAlive = true;
  const session = app.openSession((frame: ServerFrame) => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(encode(frame, { ignoreUndefined: true }), () => {
      if (socket.isPaused && socket.bufferedAmount < LOW_WATER_BYTES) socket.resume();
    });
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      logger.warn('a client takes nothing: dropped', { bufferedBytes: socket.bufferedAmount });
      socket.terminate();
    } else if (socket.bufferedAmount > HIGH_WATER_BYTES) {
      socket.pause();
    }
  });
  const pings = setInterval(() => {
    if (!isAlive) socket.terminate();
    isAlive = false;
    socket.ping();
  }, PING_MS);
  pings.unref();
  socket.on('pong', () => {
    isAlive = true;
  });
  socket.on('message', (data, isBinary) => {
    if (!isBinary || !Buffer.isBuffer(data)) {
      socket.close(CLOSE_BAD_DATA, 'binary MessagePack frames only');
      return;
    }
    let frame: unknown;
    try {
      frame = decodeFrame(data);
    } catch {
      socket.close(CLOSE_BAD_DATA, 'not MessagePack');
      return;
    }
    if (!session.receive(frame)) socket.close(CLOSE_VIOLATION, 'malformed frame');
  });
  socket.on('error', (error) => logger.warn('WebSocket error', { error: error.message }));
  socket.on('close', () => {
    clearInterval(pings);
    session.dispose();
  });
}
