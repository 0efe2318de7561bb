import type { Address } from './client/call.ts';

/** What the load generator can be asked for, and what it answers. Crosses between processes. */

export type Operation = 'put' | 'range' | 'rangeSerializable' | 'span';

export interface ClosedLoop {
  kind: 'closedLoop';
  operation: Operation;
  /** Connections are spread over them in turn. */
  addresses: Address[];
  connections: number;
  /** Each waits for its answer before it asks again. */
  clients: number;
  /** Keys are drawn at random from so many. */
  keys: number;
  /** Keys of one range, for `span`. */
  spanKeys: number;
  warmupMs: number;
  durationMs: number;
  seed: number;
}

/** Puts all keys once, many in one transaction. */
export interface Fill {
  kind: 'fill';
  address: Address;
  keys: number;
  /** How often the whole is done: further rounds make revisions. */
  rounds: number;
}

export interface FanOut {
  kind: 'fanOut';
  address: Address;
  watchers: number;
  connections: number;
  streamsPerConnection: number;
  durationMs: number;
}

export type Load = ClosedLoop | Fill | FanOut;

export interface LoadResult {
  /** Within the time that was measured. */
  operations: number;
  seconds: number;
  /** Of the latencies: Histogram.buckets. */
  buckets: number[];
  /** All that were answered with OK, before and after that time, too. */
  succeeded: number;
  errors: number;
  firstError: string;
  /** CPU time of the load generator over the whole run. */
  cpuSeconds: number;
}
