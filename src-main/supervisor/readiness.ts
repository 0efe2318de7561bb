import { connect } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { LOOPBACK } from './layout.ts';

/** Tried often at first, since a node is up within some hundred milliseconds, then less so. */
const FIRST_INTERVAL_MS = 20;
const MAX_INTERVAL_MS = 500;
const INTERVAL_GROWTH = 1.1;
const CONNECT_TIMEOUT_MS = 1_000;

/** Calls back once, when `port` accepts connections. The result cancels it. */
export function whenListening(port: number, clock: Clock, callback: () => void): () => void {
  let cancelled = false;
  let cancelTimer = () => {};
  let intervalMs = FIRST_INTERVAL_MS;
  const attempt = async () => {
    const listening = await accepts(port);
    if (cancelled) return;
    if (listening) {
      callback();
      return;
    }
    cancelTimer = clock.setTimer(intervalMs, () => void attempt());
    intervalMs = Math.min(MAX_INTERVAL_MS, intervalMs * INTERVAL_GROWTH);
  };
  void attempt();
  return () => {
    cancelled = true;
    cancelTimer();
  };
}

/** Whether somebody accepts a connection on the loopback port. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port, timeout: CONNECT_TIMEOUT_MS });
    const finish = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    // TCP connects a socket to itself if the system happens to choose the very port as its source.
    socket.once('connect', () => finish(socket.localPort !== port));
    socket.once('timeout', () => finish(false));
    socket.once('error', () => finish(false));
  });
}
