import { describe, expect, test } from 'vitest';
import { ByteSearch } from './byte-search.ts';
import { EventFilter } from './event-filter.ts';
import { EventLog } from './event-log.ts';
import { batchOf, event, utf8 } from './testing/bench.ts';

/** The revisions that a log holds, by index. */
function revisions(log: EventLog): (number | undefined)[] {
  return Array.from({ length: log.length }, (_, i) => log.at(i)?.modRevision);
}

describe('the log', () => {
  test('keeps the newest events, across and within batches', () => {
    const log = new EventLog(3);
    log.push(batchOf(event(1), event(2)));
    expect([revisions(log), log.firstSeq, log.lastSeq]).toEqual([[1, 2], 1, 2]);
    log.push(batchOf(event(3), event(4)));
    expect(revisions(log)).toEqual([2, 3, 4]);
    log.push(batchOf(event(5)));
    expect(revisions(log)).toEqual([3, 4, 5]);
    expect([log.bySeq(2), log.bySeq(6), log.at(-1), log.at(3)]).toEqual(
      Array<undefined>(4).fill(undefined),
    );
    expect(log.bySeq(4)?.modRevision).toBe(4);
    // The same row is the same object, so that what shows it has nothing to do.
    expect(log.bySeq(4)).toBe(log.at(1));
  });

  test('leaves out the beginning of a batch that was seen before', () => {
    const log = new EventLog(4);
    log.push(batchOf(event(1), event(2)));
    log.push(batchOf(event(1), event(2), event(3), event(4)), 2);
    expect(revisions(log)).toEqual([1, 2, 3, 4]);
    log.push(batchOf(event(4)), 1);
    expect(log.length).toBe(4);
    log.push(batchOf(event(4), event(5), event(6)), 1);
    expect(revisions(log)).toEqual([3, 4, 5, 6]);
    expect(revisions(log.copy())).toEqual([3, 4, 5, 6]);
  });

  test('is bounded by bytes, but keeps the newest batch whatever its size', () => {
    const log = new EventLog(100, 500);
    const large = event(2, { value: new Uint8Array(2_000) });
    log.push(batchOf(event(1)));
    log.push(batchOf(large));
    expect([revisions(log), log.bytes > 2_000]).toEqual([[2], true]);
    log.push(batchOf(event(3)));
    log.push(batchOf(event(4)));
    expect(revisions(log)).toEqual([3, 4]);
    expect(log.bytes).toBe(batchOf(event(3)).byteLength + batchOf(event(4)).byteLength);
  });

  test('goes on counting when it is cleared', () => {
    const log = new EventLog();
    log.push(batchOf(event(1), event(2)));
    log.clear();
    expect([log.length, log.bytes, log.firstSeq]).toEqual([0, 0, 3]);
    log.push(batchOf(event(3)));
    expect(log.at(0)).toMatchObject({ seq: 3, modRevision: 3 });
  });

  test('agrees with a plain list, whatever comes', () => {
    const log = new EventLog(50);
    let plain: number[] = [];
    let revision = 0;
    for (let turn = 0; turn < 200; turn++) {
      const size = (turn * 7) % 13;
      const list = Array.from({ length: size }, () => event(++revision));
      const from = size === 0 ? 0 : turn % size;
      log.push(batchOf(...list), from);
      plain = [...plain, ...list.slice(from).map((e) => e.modRevision)].slice(-50);
      expect(revisions(log)).toEqual(plain);
    }
  });
});

describe('the search in bytes', () => {
  test('finds ASCII in either case and everything else as it is', () => {
    const isIn = (text: string, bytes: Uint8Array) => new ByteSearch(text).isIn(bytes);
    expect(isIn('Chec', utf8('/app/checkout'))).toBe(true);
    expect(isIn('chec', utf8('/app/CHECKOUT'))).toBe(true);
    expect(isIn('out', utf8('/app/checkout'))).toBe(true);
    expect(isIn('outs', utf8('/app/checkout'))).toBe(false);
    expect(isIn('aab', utf8('aaab'))).toBe(true);
    expect(isIn('名', utf8('键名'))).toBe(true);
    expect(isIn('@', utf8('`'))).toBe(false);
    expect(isIn('', utf8(''))).toBe(true);
  });
});

describe('the filter', () => {
  const rows = (filter: EventFilter) =>
    Array.from({ length: filter.length }, (_, i) => filter.seqAt(i));
  const always = () => true;

  test('follows a log, in key and value, and lets go of what went', () => {
    const log = new EventLog(3);
    const filter = new EventFilter('all', 'x');
    log.push(batchOf(event(1, { name: 'x' }), event(2, { value: utf8('ax') }), event(3)));
    expect(filter.follow(log, always)).toBe(true);
    expect(rows(filter)).toEqual([1, 2]);
    log.push(batchOf(event(4, { name: 'xx' }), event(5)));
    filter.follow(log, always);
    expect(rows(filter)).toEqual([4]);
    expect([filter.indexOf(4), filter.indexOf(5), filter.indexOf(1)]).toEqual([0, -1, -1]);
    expect([filter.seqAt(-1), filter.seqAt(1)]).toEqual([0, 0]);
  });

  test('goes on where the clock stopped it', () => {
    const log = new EventLog();
    log.push(batchOf(...Array.from({ length: 1_000 }, (_, i) => event(i + 1))));
    const filter = new EventFilter('put', 'k1');
    let turns = 0;
    while (!filter.follow(log, () => false)) turns++;
    expect(turns).toBeGreaterThan(5);
    const all = new EventFilter('put', 'k1');
    all.follow(log, always);
    expect(rows(filter)).toEqual(rows(all));
    expect(filter.length).toBe(112);
  });
});
