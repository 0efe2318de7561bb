import { describe, expect, it } from 'vitest';
import type { WatchEventView } from './views.ts';
import { EventBatch, packEvents, packedBytes } from './watch-batch.ts';

const put: WatchEventView = {
  type: 'put',
  key: Uint8Array.of(0, 255, 10),
  value: new Uint8Array(),
  prevValue: new TextEncoder().encode('before'),
  modRevision: 2 ** 52 + 1,
  createRevision: 7,
  version: 3,
  lease: '7fffffffffffff01',
  receivedAtMs: 1_795_000_000_123,
};
const removed: WatchEventView = {
  ...put,
  type: 'delete',
  key: new TextEncoder().encode('/a'),
  value: null,
  prevValue: null,
  modRevision: 9,
  lease: null,
};

describe('a packed batch of events', () => {
  it('gives back what was packed, from anywhere within a larger buffer', () => {
    const packed = packEvents([put, removed]);
    expect(packed.length).toBe(4 + packedBytes(put) + packedBytes(removed));
    const larger = new Uint8Array(packed.length + 20);
    larger.set(packed, 7);
    const batch = new EventBatch(larger.subarray(7, 7 + packed.length));
    expect(batch.length).toBe(2);
    expect([batch.event(0), batch.event(1)]).toEqual([put, removed]);
    expect([batch.isDelete(0), batch.isDelete(1)]).toEqual([false, true]);
    expect(batch.modRevision(1)).toBe(9);
    expect(batch.key(1)).toEqual(removed.key);
    expect([batch.value(0), batch.value(1)]).toEqual([put.value, null]);
  });

  it('may be empty', () => {
    expect(new EventBatch(packEvents([])).length).toBe(0);
  });

  it('is refused if a byte is missing or lengths do not add up', () => {
    const packed = packEvents([put, removed]);
    expect(() => new EventBatch(packed.subarray(0, packed.length - 1))).toThrow(RangeError);
    expect(() => new EventBatch(packed.subarray(0, 60))).toThrow(RangeError);
    expect(() => new EventBatch(new Uint8Array(2))).toThrow(RangeError);
    const displaced = packed.slice();
    displaced[4 + 8] = 200;
    expect(() => new EventBatch(displaced)).toThrow(RangeError);
  });
});
