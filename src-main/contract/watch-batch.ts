/**
 * Events of a watch as one run of bytes. A thousand events a frame as objects cost a renderer more
 * time to decode than it has; packed they cost one copy, and only those that are looked at become
 * objects. The layout, all little-endian:
 *
 *     u32 number of events
 *     per event 64 bytes:
 *       0 u8 flags   4 u32 where its bytes begin   8 u32 key   12 u32 value   16 u32 previous value
 *       24 f64 mod revision   32 f64 create revision   40 f64 version   48 u64 lease
 *       56 f64 received at, Unix milliseconds
 *     then key, value and previous value of each event, one after the other
 */
import type { WatchEventView } from './views.ts';

const COUNT_BYTES = 4;
const HEADER_BYTES = 64;
const IS_DELETE = 1;
const HAS_VALUE = 2;
const HAS_PREVIOUS = 4;

/** Bytes that an event adds to a batch. */
export function packedBytes(event: WatchEventView): number {
  return HEADER_BYTES + dataBytes(event);
}

function dataBytes({ key, value, prevValue }: WatchEventView): number {
  return key.length + (value?.length ?? 0) + (prevValue?.length ?? 0);
}

export function packEvents(events: readonly WatchEventView[]): Uint8Array {
  let at = COUNT_BYTES + events.length * HEADER_BYTES;
  const size = events.reduce((sum, event) => sum + dataBytes(event), at);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, events.length, true);
  events.forEach((event, index) => {
    packHeader(view, COUNT_BYTES + index * HEADER_BYTES, event, at);
    for (const part of [event.key, event.value, event.prevValue]) {
      if (part === null) continue;
      bytes.set(part, at);
      at += part.length;
    }
  });
  return bytes;
}

function packHeader(view: DataView, at: number, event: WatchEventView, dataAt: number): void {
  const flags =
    (event.type === 'delete' ? IS_DELETE : 0) |
    (event.value === null ? 0 : HAS_VALUE) |
    (event.prevValue === null ? 0 : HAS_PREVIOUS);
  view.setUint8(at, flags);
  view.setUint32(at + 4, dataAt, true);
  view.setUint32(at + 8, event.key.length, true);
  view.setUint32(at + 12, event.value?.length ?? 0, true);
  view.setUint32(at + 16, event.prevValue?.length ?? 0, true);
  view.setFloat64(at + 24, event.modRevision, true);
  view.setFloat64(at + 32, event.createRevision, true);
  view.setFloat64(at + 40, event.version, true);
  view.setBigUint64(at + 48, event.lease === null ? 0n : BigInt(`0x${event.lease}`), true);
  view.setFloat64(at + 56, event.receivedAtMs, true);
}

/** Reads a batch in place: what it hands out are views into its bytes, not copies. */
export class EventBatch {
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  /** Throws a RangeError if the bytes are no batch. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = this.#view.getUint32(0, true);
    this.#check();
  }

  /** Size in memory: what was packed of it. */
  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  isDelete(index: number): boolean {
    return (this.#flags(index) & IS_DELETE) !== 0;
  }

  modRevision(index: number): number {
    return this.#view.getFloat64(this.#header(index) + 24, true);
  }

  receivedAtMs(index: number): number {
    return this.#view.getFloat64(this.#header(index) + 56, true);
  }

  key(index: number): Uint8Array {
    const at = this.#dataAt(index);
    return this.#bytes.subarray(at, at + this.#keyBytes(index));
  }

  /** null: it was deleted. */
  value(index: number): Uint8Array | null {
    if ((this.#flags(index) & HAS_VALUE) === 0) return null;
    const at = this.#dataAt(index) + this.#keyBytes(index);
    return this.#bytes.subarray(at, at + this.#valueBytes(index));
  }

  event(index: number): WatchEventView {
    const header = this.#header(index);
    const lease = this.#view.getBigUint64(header + 48, true);
    return {
      type: this.isDelete(index) ? 'delete' : 'put',
      key: this.key(index),
      value: this.value(index),
      prevValue: this.#previous(index),
      modRevision: this.modRevision(index),
      createRevision: this.#view.getFloat64(header + 32, true),
      version: this.#view.getFloat64(header + 40, true),
      lease: lease === 0n ? null : lease.toString(16),
      receivedAtMs: this.receivedAtMs(index),
    };
  }

  #previous(index: number): Uint8Array | null {
    if ((this.#flags(index) & HAS_PREVIOUS) === 0) return null;
    const at = this.#dataAt(index) + this.#keyBytes(index) + this.#valueBytes(index);
    return this.#bytes.subarray(at, at + this.#view.getUint32(this.#header(index) + 16, true));
  }

  #header(index: number): number {
    return COUNT_BYTES + index * HEADER_BYTES;
  }

  #flags(index: number): number {
    return this.#view.getUint8(this.#header(index));
  }

  #dataAt(index: number): number {
    return this.#view.getUint32(this.#header(index) + 4, true);
  }

  #keyBytes(index: number): number {
    return this.#view.getUint32(this.#header(index) + 8, true);
  }

  #valueBytes(index: number): number {
    return this.#view.getUint32(this.#header(index) + 12, true);
  }

  /** Once, where it comes in: from here on every index is good. */
  #check(): void {
    let at = this.#header(this.length);
    if (at > this.#bytes.length) throw new RangeError('the headers of a batch are cut off');
    for (let index = 0; index < this.length; index++) {
      if (this.#dataAt(index) !== at)
        throw new RangeError(`event ${index} of a batch is displaced`);
      const previousBytes = this.#view.getUint32(this.#header(index) + 16, true);
      at += this.#keyBytes(index) + this.#valueBytes(index) + previousBytes;
    }
    if (at !== this.#bytes.length) throw new RangeError('the length of a batch is wrong');
  }
}
