import type { ContractError } from './errors.ts';

/**
 * The frames between renderer and main, the same in both hosts: MessagePack over a WebSocket in the browser host,
 * structured clone over IPC in Electron. Streams carry batches and run on credits: main sends at most as many
 * batches as the renderer granted, coalesces or queues (bounded) beyond that, so a slow view slows only itself.
 */
export type ClientFrame =
  | { t: 'call'; id: number; name: string; input: unknown }
  | { t: 'cancel'; id: number }
  | { t: 'open'; id: number; name: string; input: unknown; credits: number }
  | { t: 'credit'; id: number; credits: number }
  | { t: 'close'; id: number };

export type ServerFrame =
  | { t: 'result'; id: number; output: unknown }
  | { t: 'error'; id: number; error: ContractError }
  | { t: 'items'; id: number; items: unknown[] }
  /** The stream ended; with an error if it failed. */
  | { t: 'end'; id: number; error?: ContractError };

/** Credits a client grants when it opens a stream, and tops up as it consumes. */
export const STREAM_CREDITS = 8;
/** Items main may hold for one stream beyond its credits; a stream of whole states keeps only the newest. */
export const STREAM_QUEUE_ITEMS = 10_000;
/** Largest frame either side accepts. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/** What Electron's preload exposes and the browser host's WebSocket client implements: the only door to main. */
export interface Transport {
  send(frame: ClientFrame): void;
  onFrame(listener: (frame: ServerFrame) => void): void;
  /** 'open' once frames flow; 'closed' when main is gone (calls then fail with Unavailable). */
  onState(listener: (state: 'connecting' | 'open' | 'closed') => void): void;
}
