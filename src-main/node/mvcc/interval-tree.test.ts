import { describe, expect, it } from 'vitest';
import { compareBytes } from '../../base/bytes.ts';
import { seededRandom } from '../../base/prng.ts';
import { IntervalTree } from './interval-tree.ts';
import { WatcherIndex } from './watcher-index.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

describe('interval tree', () => {
  it('finds what a list finds, while ranges come and go', () => {
    const random = seededRandom(3);
    const tree = new IntervalTree<number>();
    let list: { start: Buffer; end: Buffer | undefined; id: number }[] = [];
    const key = () =>
      bytes(
        String.fromCharCode(
          ...Array.from({ length: 1 + random.below(2) }, () => 97 + random.below(6)),
        ),
      );
    for (let id = 0; id < 3_000; id++) {
      if (random.below(5) < 3) {
        const [a, b] = [key(), key()].sort(compareBytes) as [Buffer, Buffer];
        const end = random.below(5) === 0 ? undefined : b;
        if (end !== undefined && compareBytes(a, end) >= 0) continue;
        tree.add(a, end, id);
        list.push({ start: a, end, id });
      } else if (list.length > 0) {
        const [gone] = list.splice(random.below(list.length), 1);
        if (gone !== undefined) tree.delete(gone.start, gone.end, gone.id);
      }
      const at = key();
      const found: number[] = [];
      tree.at(at, (value) => found.push(value));
      const wanted = list.filter(
        ({ start, end }) =>
          compareBytes(start, at) <= 0 && (end === undefined || compareBytes(at, end) < 0),
      );
      expect(found.sort((a, b) => a - b)).toEqual(
        wanted.map((one) => one.id).sort((a, b) => a - b),
      );
    }
    for (const { start, end, id } of list) tree.delete(start, end, id);
    list = [];
    expect(tree.size).toBe(0);
    tree.at(bytes('c'), () => expect.unreachable());
  });

  it('equal ranges share a node', () => {
    const tree = new IntervalTree<string>();
    for (const value of ['x', 'y']) tree.add(bytes('a'), bytes('b'), value);
    expect(tree.size).toBe(1);
    tree.delete(bytes('a'), bytes('b'), 'x');
    const found: string[] = [];
    tree.at(bytes('a'), (value) => found.push(value));
    expect(found).toEqual(['y']);
    tree.delete(bytes('a'), bytes('b'), 'never');
    expect(tree.size).toBe(1);
  });

  it('stays flat with many ranges in order', () => {
    const tree = new IntervalTree<number>();
    for (let i = 0; i < 10_000; i++) {
      const prefix = `user/${`${i}`.padStart(5, '0')}/`;
      tree.add(bytes(prefix), bytes(`${prefix.slice(0, -1)}0`), i);
    }
    const found: number[] = [];
    tree.at(bytes('user/01234/name'), (value) => found.push(value));
    expect(found).toEqual([1_234]);
    expect(tree.height).toBeLessThan(60);
  });
});

describe('watcher index', () => {
  it('knows single keys, ranges, open and empty ones', () => {
    const index = new WatcherIndex<{ range: { key: Buffer; end: Buffer | undefined } }>();
    const one = { range: { key: bytes('b'), end: undefined } };
    const some = { range: { key: bytes('a'), end: bytes('c') } };
    const open = { range: { key: bytes('b'), end: bytes('\0') } };
    const empty = { range: { key: bytes('c'), end: bytes('a') } };
    for (const watcher of [one, some, open, empty]) index.add(watcher);
    expect(index.size).toBe(4);
    const at = (key: string) => {
      const found: object[] = [];
      index.at(bytes(key), (watcher) => found.push(watcher));
      return new Set(found);
    };
    expect(at('b')).toEqual(new Set([one, some, open]));
    expect(at('a')).toEqual(new Set([some]));
    expect(at('z')).toEqual(new Set([open]));
    for (const watcher of [one, some, open, empty]) index.delete(watcher);
    expect(index.size).toBe(0);
    expect(at('b').size).toBe(0);
  });
});
