import type { Event, KeyValue } from '../../proto/etcd/kv.ts';
import type { WatchEvent } from '../mvcc/types.ts';

/** Bytes of a response beyond its events, at most. */
const RESPONSE_OVERHEAD_BYTES = 128;

/**
 * Bytes of an event beyond its keys and values, at most: tags, lengths and two sets of revisions.
 */
const EVENT_OVERHEAD_BYTES = 128;

/**
 * Splits events, in order, into parts that fit into responses of `maxBytes`. An event larger than
 * that is a part of its own.
 */
export function fragmentEvents(events: readonly WatchEvent[], maxBytes: number): WatchEvent[][] {
  const parts: WatchEvent[][] = [];
  let part: WatchEvent[] = [];
  let bytes = RESPONSE_OVERHEAD_BYTES;
  for (const event of events) {
    const size = eventBytes(event);
    if (part.length > 0 && bytes + size > maxBytes) {
      parts.push(part);
      part = [];
      bytes = RESPONSE_OVERHEAD_BYTES;
    }
    part.push(event);
    bytes += size;
  }
  parts.push(part);
  return parts;
}

function eventBytes({ kv, prevKv }: Event): number {
  return keyValueBytes(kv) + keyValueBytes(prevKv) + EVENT_OVERHEAD_BYTES;
}

function keyValueBytes(kv: KeyValue | undefined): number {
  return kv === undefined ? 0 : kv.key.length + kv.value.length;
}
