import { describe, expect, it } from 'vitest';
import { changedPart, diffLines, diffRows, MAX_EDITS, splitLines } from './line-diff.ts';
import { type Chunk, merge3 } from './merge3.ts';

const lines = (text: string) => (text === '' ? [] : text.split(''));

/** What the hunks make of `a`. */
function applied(a: readonly string[], b: readonly string[]): string[] {
  const out: string[] = [];
  let at = 0;
  for (const hunk of diffLines(a, b)) {
    out.push(...a.slice(at, hunk.aFrom), ...b.slice(hunk.bFrom, hunk.bTo));
    at = hunk.aTo;
  }
  return [...out, ...a.slice(at)];
}

/** A generator of small numbers that does the same for every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 8) % below;
  };
}

function edited(base: readonly string[], next: (below: number) => number): string[] {
  const out = [...base];
  for (let i = next(4); i > 0; i--) {
    const at = next(out.length + 1);
    out.splice(at, next(3), ...Array.from({ length: next(3) }, () => 'abcxyz'[next(6)] ?? ''));
  }
  return out;
}

describe('diffLines', () => {
  it('finds the fewest changes', () => {
    expect(diffLines(lines('abcabba'), lines('cbabac'))).not.toEqual([]);
    expect(diffLines(lines('abcdef'), lines('abXdef'))).toEqual([
      { aFrom: 2, aTo: 3, bFrom: 2, bTo: 3 },
    ]);
    expect(diffLines(lines('abc'), lines('abc'))).toEqual([]);
    expect(diffLines(lines(''), lines('ab'))).toEqual([{ aFrom: 0, aTo: 0, bFrom: 0, bTo: 2 }]);
    expect(diffLines(lines('xabcx'), lines('xbcdx'))).toEqual([
      { aFrom: 1, aTo: 2, bFrom: 1, bTo: 1 },
      { aFrom: 4, aTo: 4, bFrom: 3, bTo: 4 },
    ]);
  });

  it('leads from the one text to the other, whatever they are', () => {
    const next = numbers(7);
    for (let round = 0; round < 400; round++) {
      const a = Array.from({ length: next(12) }, () => 'abc'[next(3)] ?? '');
      const b = edited(a, next);
      expect(applied(a, b)).toEqual(b);
    }
  });

  it('gives up on texts that have nothing in common, and says so in one piece', () => {
    const a = Array.from({ length: MAX_EDITS }, (_, i) => `a${i}`);
    const b = Array.from({ length: MAX_EDITS }, (_, i) => `b${i}`);
    expect(diffLines(a, b)).toEqual([{ aFrom: 0, aTo: MAX_EDITS, bFrom: 0, bTo: MAX_EDITS }]);
  });
});

describe('diffRows', () => {
  it('keeps some lines around a change, and counts the others', () => {
    const a = Array.from({ length: 20 }, (_, i) => String(i));
    const b = a.with(10, 'ten');
    expect(diffRows(a, b, diffLines(a, b), 2)).toEqual([
      { sign: '…', count: 8 },
      { sign: ' ', line: 9, text: '8', partner: null },
      { sign: ' ', line: 10, text: '9', partner: null },
      { sign: '-', line: 11, text: '10', partner: 'ten' },
      { sign: '+', line: 11, text: 'ten', partner: '10' },
      { sign: ' ', line: 12, text: '11', partner: null },
      { sign: ' ', line: 13, text: '12', partner: null },
      { sign: '…', count: 7 },
    ]);
  });

  it('tells what changed within a line', () => {
    expect(changedPart('"a": 100,', '"a": 50,')).toEqual({ from: 5, to: 7 });
    expect(changedPart('aa', 'aaa')).toEqual({ from: 2, to: 2 });
  });
});

describe('merge3', () => {
  const side = (chunks: readonly Chunk[], name: 'base' | 'theirs' | 'mine') =>
    chunks.flatMap((chunk) => chunk[name]);

  it('takes what only one side changed, and finds what both did', () => {
    const base = splitLines('a\nb\nc\nd\ne\nf\ng');
    const theirs = splitLines('a\nB\nc\nd\nE1\nf\ng');
    const mine = splitLines('a\nb\nc\nd\nE2\nf\ng\nh');
    expect(merge3(base, theirs, mine).map((chunk) => chunk.kind)).toEqual([
      'equal',
      'theirs',
      'equal',
      'conflict',
      'equal',
      'mine',
    ]);
  });

  it('sees the same change made twice, and different insertions at one place', () => {
    const base = ['a', 'b'];
    expect(merge3(base, ['a', 'X', 'b'], ['a', 'X', 'b']).map((c) => c.kind)).toEqual([
      'equal',
      'both',
      'equal',
    ]);
    const clash = merge3(base, ['a', 'X', 'b'], ['a', 'Y', 'b']);
    expect(clash[1]).toMatchObject({ kind: 'conflict', base: [], theirs: ['X'], mine: ['Y'] });
  });

  it('loses no line of any side', () => {
    const next = numbers(3);
    for (let round = 0; round < 600; round++) {
      const base = Array.from({ length: next(9) }, () => 'abc'[next(3)] ?? '');
      const theirs = edited(base, next);
      const mine = edited(base, next);
      const chunks = merge3(base, theirs, mine);
      expect(side(chunks, 'base')).toEqual(base);
      expect(side(chunks, 'theirs')).toEqual(theirs);
      expect(side(chunks, 'mine')).toEqual(mine);
      for (const chunk of chunks) {
        if (chunk.kind === 'equal') expect(chunk.theirs).toEqual(chunk.mine);
        if (chunk.kind === 'theirs') expect(chunk.mine).toEqual(chunk.base);
        if (chunk.kind === 'mine') expect(chunk.theirs).toEqual(chunk.base);
      }
    }
  });
});
