import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../base/prng.ts';
import { RpcStatus } from '../status.ts';
import { MessageReader, messagePrefix, type WireMessage } from './message-reader.ts';
import { BufferedRequests } from './request-stream.ts';

const MAX_BYTES = 1024 * 1024;

function wire(payload: Buffer, flag = 0): Buffer {
  const whole = Buffer.concat([messagePrefix(payload.length), payload]);
  whole[0] = flag;
  return whole;
}

describe('MessageReader', () => {
  it('gives messages back whole, however they are cut', () => {
    const random = seededRandom(7);
    const payloads = Array.from({ length: 60 }, (_, i) => Buffer.alloc(random.below(4000), i));
    const bytes = Buffer.concat(payloads.map((payload) => wire(payload)));
    for (const most of [1, 3, 50, 2000, 100_000]) {
      const reader = new MessageReader(MAX_BYTES, 'identity');
      const seen: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + random.below(most);
        reader.push(bytes.subarray(at, end), (message) => seen.push(reader.open(message)));
        at = end;
      }
      expect(Buffer.concat(seen).equals(Buffer.concat(payloads))).toBe(true);
      expect(seen.map(({ length }) => length)).toEqual(payloads.map(({ length }) => length));
      expect(reader.midMessage).toBe(false);
    }
  });

  it('keeps little beside the bytes of a message that comes one by one', () => {
    const reader = new MessageReader(MAX_BYTES, 'identity');
    const bytes = wire(Buffer.alloc(MAX_BYTES));
    const before = process.memoryUsage();
    for (let at = 0; at < bytes.length - 1; at++) {
      reader.push(Buffer.from(bytes.subarray(at, at + 1)), () => expect.unreachable());
    }
    const after = process.memoryUsage();
    const used = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
    expect(used).toBeLessThan(80 * MAX_BYTES);
  });

  it('opens nothing that waits: a little may stand for a thousand times as much', () => {
    const reader = new MessageReader(MAX_BYTES, 'gzip');
    const bomb = wire(gzipSync(Buffer.alloc(MAX_BYTES)), 1);
    const seen: WireMessage[] = [];
    for (let i = 0; i < 200; i++) reader.push(bomb, (message) => seen.push(message));
    const kept = seen.map((message) => (Buffer.isBuffer(message) ? message : message.payload));
    expect(kept).toHaveLength(200);
    expect(Math.max(...kept.map(({ length }) => length))).toBeLessThan(bomb.length);
    expect(reader.open(seen[0] as WireMessage)).toHaveLength(MAX_BYTES);
  });

  it('fails for what is larger when it is opened, or is no such format', () => {
    const reader = new MessageReader(MAX_BYTES, 'gzip');
    const large = { flag: 1, payload: gzipSync(Buffer.alloc(MAX_BYTES + 1)) };
    const status = (expected: RpcStatus) => expect.objectContaining({ status: expected });
    expect(() => reader.open(large)).toThrow(status(RpcStatus.RESOURCE_EXHAUSTED));
    for (const message of [
      { flag: 1, payload: Buffer.alloc(9) },
      { ...large, flag: 2 },
    ]) {
      expect(() => reader.open(message)).toThrow(status(RpcStatus.INTERNAL));
    }
  });
});

describe('BufferedRequests', () => {
  it('opens a message when it is taken, and not before', () => {
    const opened: WireMessage[] = [];
    const requests = new BufferedRequests({
      context: { signal: new AbortController().signal },
      open: (message) => {
        opened.push(message);
        return Buffer.alloc(0);
      },
      releaseCredit: () => {},
      fail: (error) => expect.unreachable(String(error)),
    });
    const message = { flag: 1, payload: Buffer.alloc(1) };
    for (let i = 0; i < 3; i++) requests.push(message);
    expect(opened).toHaveLength(0);
    let taken = 0;
    requests.onMessage(() => {
      taken++;
      requests.pause();
    });
    expect([taken, opened.length]).toEqual([1, 1]);
    requests.resume();
    expect([taken, opened.length]).toEqual([2, 2]);
  });
});
