import { describe, expect, it } from 'vitest';
import type { Clock } from '../base/clock.ts';
import type { WatchEventView } from '../contract/views.ts';
import { EventBatch } from '../contract/watch-batch.ts';
import { GATHER_MS, MAX_BATCH_BYTES, MAX_BATCH_EVENTS, WatchBatcher } from './watch-batcher.ts';

function event(revision: number, valueBytes = 1): WatchEventView {
  return {
    type: 'put',
    key: Uint8Array.of(1),
    value: new Uint8Array(valueBytes),
    prevValue: null,
    modRevision: revision,
    createRevision: revision,
    version: 1,
    lease: null,
    receivedAtMs: 0,
  };
}

function events(from: number, to: number): WatchEventView[] {
  return Array.from({ length: to - from + 1 }, (_, i) => event(from + i));
}

class Bench implements Clock {
  now = 1_000;
  timers: { atMs: number; run: () => void }[] = [];
  /** First and last revision of each batch. */
  sent: [number, number][] = [];
  readonly batcher = new WatchBatcher(this, (count, bytes) => {
    const batch = new EventBatch(bytes);
    expect(batch.length).toBe(count);
    this.sent.push([batch.modRevision(0), batch.modRevision(count - 1)]);
  });

  nowMs(): number {
    return this.now;
  }

  setTimer(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.now + delayMs, run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  pass(ms: number): void {
    this.now += ms;
    for (const timer of this.timers.filter(({ atMs }) => atMs <= this.now)) timer.run();
  }
}

describe('the batcher', () => {
  it('sends a lone event at once and gathers those that follow it closely', () => {
    const bench = new Bench();
    bench.batcher.push(events(1, 1));
    expect(bench.sent).toEqual([[1, 1]]);
    bench.batcher.push(events(2, 3));
    bench.pass(GATHER_MS / 2);
    bench.batcher.push(events(4, 4));
    expect(bench.sent).toHaveLength(1);
    bench.pass(GATHER_MS / 2);
    expect(bench.sent).toEqual([
      [1, 1],
      [2, 4],
    ]);
    bench.pass(GATHER_MS);
    bench.batcher.push(events(5, 5));
    expect(bench.sent).toHaveLength(3);
  });

  it('sends a full batch at once, by number or by bytes, and keeps the order', () => {
    const bench = new Bench();
    bench.batcher.push(events(1, 2 * MAX_BATCH_EVENTS + 5));
    expect(bench.sent).toEqual([
      [1, MAX_BATCH_EVENTS],
      [MAX_BATCH_EVENTS + 1, 2 * MAX_BATCH_EVENTS],
    ]);
    bench.batcher.push([event(9_000, MAX_BATCH_BYTES)]);
    expect(bench.sent.at(-1)).toEqual([2 * MAX_BATCH_EVENTS + 1, 9_000]);
    expect(bench.timers).toEqual([]);
  });

  it('leaves no timer behind', () => {
    const bench = new Bench();
    bench.batcher.push(events(1, 1));
    bench.batcher.push(events(2, 2));
    bench.batcher.dispose();
    bench.pass(1_000);
    expect(bench.sent).toHaveLength(1);
    bench.batcher.flush();
    expect(bench.sent).toHaveLength(2);
  });
});
