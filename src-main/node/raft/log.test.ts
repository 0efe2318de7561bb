import { describe, expect, it } from 'vitest';
import { EntryType } from '../../proto/raftdeck/raft.ts';
import { ENTRY_OVERHEAD_BYTES, RaftLog } from './log.ts';
import type { Entry } from './types.ts';

function entry(index: number, term: number, size = 1): Entry {
  return { index, term, type: EntryType.NORMAL, data: Buffer.alloc(size, term) };
}

/** Entries with these terms, from `first` on. */
function entries(first: number, ...terms: number[]): Entry[] {
  return terms.map((term, i) => entry(first + i, term));
}

function logOf(terms: number[], commit = 0, applied = 0): RaftLog {
  return new RaftLog({ index: 0, term: 0 }, entries(1, ...terms), commit, applied);
}

function termsOf(log: RaftLog): (number | undefined)[] {
  const terms: (number | undefined)[] = [];
  for (let i = log.firstIndex; i <= log.lastIndex; i++) terms.push(log.term(i));
  return terms;
}

/** Hands everything out for writing and reports it durable. */
function sync(log: RaftLog): void {
  const last = log.takeUnwritten().at(-1);
  if (last !== undefined) log.persisted(last.index, last.term);
}

describe('RaftLog', () => {
  it('refuses to start from a log with gaps or falling terms', () => {
    const base = { index: 0, term: 0 };
    expect(() => new RaftLog(base, [entry(2, 1)], 0, 0)).toThrow('gap');
    expect(() => new RaftLog(base, entries(1, 2, 1), 0, 0)).toThrow('term goes down');
    expect(() => new RaftLog(base, entries(1, 1), 2, 0)).toThrow('beyond the end');
    expect(() => new RaftLog(base, entries(1, 1), 0, 1)).toThrow('beyond the commit');
    expect(() => new RaftLog({ index: 3, term: 1 }, [], 3, 2)).toThrow('before the start');
  });

  it('knows terms from its base to its end and nothing else', () => {
    const log = new RaftLog({ index: 5, term: 2 }, entries(6, 2, 3), 5, 5);
    expect([4, 5, 6, 7, 8].map((i) => log.term(i))).toEqual([undefined, 2, 2, 3, undefined]);
    expect([log.firstIndex, log.lastIndex, log.lastTerm]).toEqual([6, 7, 3]);
  });

  it('compares logs by last term first, then by length', () => {
    const log = logOf([1, 2, 2]);
    expect(log.isUpToDate(3, 2)).toBe(true);
    expect(log.isUpToDate(2, 2)).toBe(false);
    expect(log.isUpToDate(1, 3)).toBe(true);
    expect(log.isUpToDate(9, 1)).toBe(false);
  });

  it('appends after the point of agreement and replaces only what conflicts', () => {
    const log = logOf([1, 1, 2, 2], 1);
    expect(log.tryAppend(5, 2, [])).toBe(false);
    expect(log.tryAppend(2, 2, [])).toBe(false);
    // A repeated, shorter append must not cut off what came after it.
    expect(log.tryAppend(1, 1, entries(2, 1))).toBe(true);
    expect(termsOf(log)).toEqual([1, 1, 2, 2]);
    expect(log.tryAppend(2, 1, entries(3, 3))).toBe(true);
    expect(termsOf(log)).toEqual([1, 1, 3]);
    expect(log.tryAppend(3, 3, entries(4, 3, 3))).toBe(true);
    expect(termsOf(log)).toEqual([1, 1, 3, 3, 3]);
  });

  it('never replaces a committed entry', () => {
    const log = logOf([1, 1, 1], 2);
    expect(() => log.tryAppend(1, 1, entries(2, 2))).toThrow('committed');
    expect(() => log.append(entry(5, 1))).toThrow('gap');
    expect(() => log.commitTo(4)).toThrow('ends at 3');
  });

  it('skips whole terms when it looks for the conflict', () => {
    const log = logOf([1, 1, 1, 4, 4, 5, 5, 6, 6, 6]);
    expect(log.findConflictByTerm(10, 6)).toEqual({ index: 10, term: 6 });
    expect(log.findConflictByTerm(10, 5)).toEqual({ index: 7, term: 5 });
    expect(log.findConflictByTerm(99, 3)).toEqual({ index: 3, term: 1 });
    expect(log.findConflictByTerm(10, 0)).toEqual({ index: 0, term: 0 });
  });

  it('slices by bytes, but never to nothing, and by reference', () => {
    const log = logOf([1, 1, 1]);
    const each = ENTRY_OVERHEAD_BYTES + 1;
    expect(log.slice(1, 2 * each)).toHaveLength(2);
    expect(log.slice(1, 2 * each - 1)).toHaveLength(1);
    expect(log.slice(2, 1)).toHaveLength(1);
    expect(log.slice(4, 100)).toEqual([]);
    const big = entry(4, 1, 100);
    log.append(big);
    expect(log.slice(4, 1)[0]?.data).toBe(big.data);
    expect(log.takeUnwritten()[0]?.data).toBe(big.data);
  });

  it('gives out committed entries once, in order, and only what is durable', () => {
    const log = logOf([]);
    for (const e of entries(1, 1, 1, 1)) log.append(e);
    log.commitTo(3);
    expect(log.hasCommitted).toBe(false);
    expect(log.takeUnwritten().map((e) => e.index)).toEqual([1, 2, 3]);
    expect(log.takeUnwritten()).toEqual([]);
    expect(log.takeCommitted()).toEqual([]);
    expect(log.persisted(3, 1)).toBe(true);
    expect(log.takeCommitted().map((e) => e.index)).toEqual([1, 2, 3]);
    expect(log.takeCommitted()).toEqual([]);
    log.appliedTo(2);
    expect(log.applied).toBe(2);
    expect(() => log.appliedTo(4)).toThrow('not given out');
  });

  it('ignores a report of durability for what was replaced meanwhile', () => {
    const log = logOf([1]);
    log.tryAppend(1, 1, entries(2, 2, 2));
    log.takeUnwritten();
    log.tryAppend(1, 1, entries(2, 3, 3));
    log.takeUnwritten();
    expect(log.persisted(3, 2)).toBe(false);
    expect(log.stable).toBe(1);
    expect(log.persisted(3, 3)).toBe(true);
    expect(log.stable).toBe(3);
  });

  it('is not fooled when replaced entries come back (ABA)', () => {
    const log = logOf([1]);
    log.tryAppend(1, 1, entries(2, 2));
    log.takeUnwritten();
    log.tryAppend(1, 1, entries(2, 3));
    log.takeUnwritten();
    log.tryAppend(1, 1, entries(2, 2));
    log.takeUnwritten();
    // The first write is durable; the disk is about to hold term 3 and only then term 2 again.
    expect(log.persisted(2, 2)).toBe(false);
    expect(log.persisted(2, 3)).toBe(false);
    expect(log.stable).toBe(1);
    expect(log.persisted(2, 2)).toBe(true);
    expect(log.stable).toBe(2);
  });

  it('keeps the durable part of a write that a truncation cut', () => {
    const log = logOf([1]);
    log.tryAppend(1, 1, entries(2, 2, 2, 2));
    log.takeUnwritten();
    log.tryAppend(2, 2, entries(3, 3));
    expect(log.takeUnwritten().map((e) => e.index)).toEqual([3]);
    expect(log.persisted(4, 2)).toBe(true);
    expect(log.stable).toBe(2);
  });

  it('ignores reports that name no write', () => {
    const log = logOf([1]);
    log.append(entry(2, 1));
    log.takeUnwritten();
    expect(log.persisted(0, 0)).toBe(false);
    expect(log.persisted(3, 1)).toBe(false);
    expect(log.stable).toBe(1);
  });

  it('compacts what is applied and keeps the term at its base', () => {
    const log = logOf([1, 1, 2, 3], 3, 3);
    expect(() => log.compact(4)).toThrow('not applied');
    log.compact(3);
    log.compact(2);
    expect([log.baseIndex, log.term(3), log.term(2), log.lastIndex]).toEqual([3, 2, undefined, 4]);
    expect(() => log.slice(3, 100)).toThrow('compacted');
    expect(log.tryAppend(3, 2, entries(4, 4))).toBe(true);
    expect(termsOf(log)).toEqual([4]);
  });

  it('restores a snapshot over a log that it does not continue', () => {
    const log = logOf([1, 1, 2, 2, 2], 2, 2);
    log.restore(4, 3);
    expect([log.firstIndex, log.lastIndex, log.lastTerm]).toEqual([5, 4, 3]);
    expect([log.commit, log.applied, log.stable]).toEqual([4, 4, 4]);
    expect(log.hasUnwritten).toBe(false);
    expect(() => log.restore(4, 3)).toThrow('newer state');
  });

  it('keeps what follows a snapshot that it does continue', () => {
    const log = logOf([1, 1, 2], 1, 1);
    log.append(entry(4, 2));
    log.restore(3, 2);
    expect([log.firstIndex, log.lastIndex, log.commit, log.stable]).toEqual([4, 4, 3, 3]);
    sync(log);
    expect(log.stable).toBe(4);
  });

  it('finds configuration changes that are committed and not applied', () => {
    const log = logOf([1], 1, 1);
    log.append({ ...entry(2, 1), type: EntryType.CONF_CHANGE });
    sync(log);
    expect(log.hasUnappliedConfChange()).toBe(false);
    log.commitTo(2);
    expect(log.hasUnappliedConfChange()).toBe(true);
    log.takeCommitted();
    log.appliedTo(2);
    expect(log.hasUnappliedConfChange()).toBe(false);
  });

  it('knows what its entries weigh, whatever comes and goes', () => {
    const weigh = (log: RaftLog) => log.bytesBetween(log.baseIndex, log.lastIndex);
    const log = new RaftLog({ index: 5, term: 1 }, [entry(6, 1, 10), entry(7, 1, 20)], 5, 5);
    expect(log.bytes).toBe(30 + 2 * ENTRY_OVERHEAD_BYTES);
    log.append(entry(8, 2, 30));
    log.tryAppend(6, 1, [entry(7, 3, 5), entry(8, 3, 6), entry(9, 3, 7)]);
    expect(log.bytes).toBe(28 + 4 * ENTRY_OVERHEAD_BYTES);
    sync(log);
    log.commitTo(8);
    log.takeCommitted();
    log.appliedTo(8);
    log.compact(7);
    expect(log.bytes).toBe(13 + 2 * ENTRY_OVERHEAD_BYTES);
    log.restore(9, 3);
    expect(log.bytes).toBe(0);
    log.append(entry(10, 3, 9));
    log.restore(20, 4);
    expect([log.bytes, weigh(log)]).toEqual([0, 0]);
  });

  it('knows how far to compact so that little stays', () => {
    const light = ENTRY_OVERHEAD_BYTES + 1;
    const log = new RaftLog({ index: 5, term: 1 }, entries(6, 1, 1, 1), 8, 8);
    expect([9, 3, 2, 1, 0].map((fit) => log.indexBefore(fit * light))).toEqual([5, 5, 6, 7, 8]);
    expect(log.indexBefore(2 * light - 1)).toBe(7);
  });
});
