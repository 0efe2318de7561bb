import { describe, expect, it, vi } from 'vitest';
import type { LogLine } from '../../../src-main/contract/views.ts';
import { ContractCallError } from '../../api/client.ts';
import { FakeClient } from '../../testing/fake-client.ts';
import { fieldsText, LogBook, lineJson, MAX_HELD, MAX_LINES } from './log-book.svelte.ts';
import { LogStream } from './log-stream.svelte.ts';

function line(
  node: string,
  seq: number,
  atMs: number | null,
  change: Partial<LogLine> = {},
): LogLine {
  return { node, seq, atMs, level: 'info', message: `m${seq}`, fields: {}, ...change };
}

const order = (book: LogBook) => book.shown.map((l) => `${l.node}${l.seq}`).join(' ');

describe('LogBook', () => {
  it('merges nodes by time, whatever order they come in', () => {
    const book = new LogBook();
    book.take([line('a', 1, 10), line('a', 2, 30)]);
    book.take([line('b', 1, 20), line('b', 2, 40)]);
    book.take([line('a', 3, 35)]);
    expect(order(book)).toBe('a1 b1 a2 a3 b2');
  });

  it('keeps a node’s own order for lines without a time and for a clock that went back', () => {
    const book = new LogBook();
    book.take([line('a', 1, 10), line('a', 2, null), line('a', 3, 5), line('b', 1, 7)]);
    expect(order(book)).toBe('b1 a1 a2 a3');
  });

  it('filters by node, level and every word in message and fields', () => {
    const book = new LogBook();
    book.take([
      line('a', 1, 1, { level: 'debug' }),
      line('a', 2, 2, { level: 'warn', message: 'peer lost', fields: { peer: 'B2' } }),
      line('b', 1, 3, { level: 'error', message: 'peer lost' }),
    ]);
    book.minLevel = 'warn';
    expect(order(book)).toBe('a2 b1');
    book.node = 'a';
    expect(order(book)).toBe('a2');
    book.showAll();
    book.query = 'LOST peer=b2';
    expect(order(book)).toBe('a2');
    expect(book.isFiltered).toBe(true);
    expect([book.total, book.warnings, book.errors]).toEqual([3, 1, 1]);
  });

  it('holds back while paused, and shows what was held', () => {
    const book = new LogBook();
    book.take([line('a', 1, 1)]);
    book.pause(99);
    book.take([line('a', 2, 2)]);
    expect(order(book)).toBe('a1');
    expect([book.heldCount, book.pausedAtMs]).toEqual([1, 99]);
    book.resume();
    expect(order(book)).toBe('a1 a2');
    expect(book.heldCount).toBe(0);
  });

  it('is bounded, held or not, and says what it let go', () => {
    const book = new LogBook();
    const many = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => line('a', from + i, from + i));
    book.take(many(0, MAX_LINES + 1));
    expect(book.total).toBeLessThanOrEqual(MAX_LINES);
    expect(book.dropped + book.total).toBe(MAX_LINES + 1);
    expect(book.shown[book.shown.length - 1]?.seq).toBe(MAX_LINES);
    book.pause(0);
    book.take(many(MAX_LINES + 1, MAX_HELD + 7));
    expect([book.heldCount, book.heldDropped]).toEqual([MAX_HELD, 7]);
  });

  it('is copied as the log’s own JSON', () => {
    const one = line('n1', 1, 0, { fields: { node: 'n1', urls: ['a'], term: 2 } });
    expect(fieldsText(one)).toBe('urls=["a"] term=2');
    expect(JSON.parse(lineJson(one))).toMatchObject({ time: '1970-01-01T00:00:00.000Z', term: 2 });
  });
});

describe('LogStream', () => {
  it('starts again from the tail after the stream broke', () => {
    vi.useFakeTimers();
    const fake = new FakeClient();
    const book = new LogBook();
    const stream = new LogStream(fake.client, 'c1', book);
    fake.lastStream('logs.follow').push([line('a', 1, 1)]);
    fake.lastStream('logs.follow').end(new ContractCallError('Unavailable', 'lost'));
    expect(stream.error).toBe('lost.');
    expect(book.total).toBe(1);
    vi.advanceTimersByTime(5_000);
    fake.lastStream('logs.follow').push([line('a', 1, 1), line('a', 2, 2)]);
    expect(order(book)).toBe('a1 a2');
    expect(stream.error).toBeNull();
    stream.dispose();
    vi.useRealTimers();
  });
});
