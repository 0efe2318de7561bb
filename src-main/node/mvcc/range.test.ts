import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  RangeRequest_SortOrder as Order,
  RangeRequest_SortTarget as Target,
} from '../../proto/etcd/rpc.ts';
import { bytes, Machine, text } from '../apply/testing/machine.ts';
import { MemoryStore } from '../apply/testing/memory-store.ts';
import { STORE_KINDS, type StoreHome } from '../apply/testing/stores.ts';

let home: StoreHome | undefined;
afterEach(async () => {
  await home?.dispose();
  home = undefined;
});

for (const kind of STORE_KINDS) {
  describe(`range over ${kind.name}`, () => {
    let machine: Machine;
    beforeEach(async () => {
      home = await kind.home();
      machine = new Machine(await home.open());
      // Revisions 2 to 6; versions: a 2, b 1, c 1, d 1.
      for (const [key, value] of [...'acbad'].entries()) machine.put(value, `${9 - key}`);
    });

    const keys = (...args: Parameters<Machine['read']>) =>
      machine.range(...args).kvs.map((kv) => text(kv.key));

    it('one key, a range, from a key, everything, nothing', () => {
      expect(keys('a')).toEqual(['a']);
      expect(keys('a', 'c')).toEqual(['a', 'b']);
      expect(keys('b', '\0')).toEqual(['b', 'c', 'd']);
      expect(keys('\0', '\0')).toEqual(['a', 'b', 'c', 'd']);
      expect(machine.range('c', 'a')).toMatchObject({ kvs: [], count: 0, more: false });
      expect(machine.range('x')).toMatchObject({ kvs: [], count: 0, more: false });
    });

    it('limit says whether there is more, and count is of all', () => {
      expect(machine.range('a', '\0', { limit: 3 })).toMatchObject({ more: true, count: 4 });
      expect(machine.range('a', '\0', { limit: 4 })).toMatchObject({ more: false, count: 4 });
      expect(machine.range('a', 'c', { limit: 1 })).toMatchObject({ more: true, count: 2 });
      expect(machine.range('a', '\0', { limit: 1, revision: 4 })).toMatchObject({
        more: true,
        count: 3,
      });
      expect(machine.range('a', '\0', { countOnly: true, limit: 1 })).toMatchObject({
        kvs: [],
        more: false,
        count: 4,
      });
    });

    it('sorts; by anything but the key in ascending order unless told otherwise', () => {
      const sorted = (sortTarget: number, sortOrder: number, limit = 0) =>
        keys('a', '\0', { sortTarget: sortTarget as 0, sortOrder: sortOrder as 0, limit }).join('');
      expect(sorted(Target.KEY, Order.DESCEND)).toBe('dcba');
      expect(sorted(Target.KEY, Order.DESCEND, 2)).toBe('dc');
      expect(sorted(Target.MOD, Order.NONE)).toBe('cbad');
      expect(sorted(Target.MOD, Order.DESCEND)).toBe('dabc');
      expect(sorted(Target.CREATE, Order.ASCEND)).toBe('acbd');
      expect(sorted(Target.VALUE, Order.ASCEND)).toBe('dabc');
      expect(sorted(Target.VERSION, Order.DESCEND)).toBe('abcd');
      // etcd fetches before it sorts if no order is given: "d" is not looked at.
      expect(sorted(Target.VALUE, Order.NONE, 2)).toBe('ab');
      expect(sorted(Target.VALUE, Order.ASCEND, 2)).toBe('da');
    });

    it('keys only, also when sorted by value', () => {
      const { kvs } = machine.range('a', '\0', { keysOnly: true, sortTarget: Target.VALUE });
      expect(kvs.map((kv) => text(kv.key)).join('')).toBe('dabc');
      expect(kvs.every((kv) => kv.value.length === 0)).toBe(true);
    });

    it('filters, and counts what they drop', () => {
      const filtered = (more: object) => machine.range('a', '\0', more);
      expect(filtered({ minModRevision: 5 })).toMatchObject({ count: 4 });
      expect(keys('a', '\0', { minModRevision: 5 })).toEqual(['a', 'd']);
      expect(keys('a', '\0', { maxModRevision: 4 })).toEqual(['b', 'c']);
      expect(keys('a', '\0', { minCreateRevision: 3, maxCreateRevision: 4 })).toEqual(['b', 'c']);
      expect(filtered({ minModRevision: 5, limit: 1 })).toMatchObject({ more: true });
      expect(filtered({ minModRevision: 6, limit: 1 })).toMatchObject({ more: false });
    });

    it('reads the past, head by name, and neither the future nor what is compacted', () => {
      machine.delete('c');
      expect(machine.read('a', '\0', { revision: 4 })).toEqual(['a=9', 'b=7', 'c=8']);
      expect(machine.read('c', '', { revision: 6 })).toEqual(['c=8']);
      expect(keys('a', '\0', { revision: 7 })).toEqual(['a', 'b', 'd']);
      expect(keys('a', '\0', { revision: -1 })).toEqual(['a', 'b', 'd']);
      expect(() => machine.range('a', '', { revision: 8 })).toThrow(
        expect.objectContaining({ code: 'FutureRev' }),
      );
      machine.compact(5);
      machine.compactAll();
      expect(machine.read('a', '\0', { revision: 5 })).toEqual(['a=6', 'b=7', 'c=8']);
      expect(() => machine.range('a', '', { revision: 4 })).toThrow(
        expect.objectContaining({ code: 'Compacted' }),
      );
    });

    it('a key of very many versions costs the past no walk over them', () => {
      for (let i = 0; i < 200; i++) machine.put('b', `${i}`);
      expect(machine.read('a', 'd', { revision: 60 })).toEqual(['a=6', 'b=53', 'c=8']);
      expect(machine.range('a', '\0', { revision: 60, countOnly: true }).count).toBe(4);
      expect(machine.read('a', '\0', { revision: 60, limit: 1 })).toEqual(['a=6']);
    });
  });
}

describe('counts', () => {
  /** Keys the store hands out: what a count costs. */
  class CountingStore extends MemoryStore {
    handedOut = 0;

    override *keys(...args: Parameters<MemoryStore['keys']>): Iterable<Buffer> {
      for (const key of super.keys(...args)) {
        this.handedOut++;
        yield key;
      }
    }
  }

  const name = (i: number) => `k${`${i}`.padStart(6, '0')}`;

  it('are exact and cheap once the index is built, whatever changes meanwhile', () => {
    const store = new CountingStore();
    const machine = new Machine(store);
    const present = new Set<number>();
    const put = (i: number) => {
      machine.put(name(i));
      present.add(i);
    };
    const drop = (from: number, to: number) => {
      machine.delete(name(from), name(to));
      for (let i = from; i < to; i++) present.delete(i);
    };
    const check = (from: number, to: number) => {
      const wanted = [...present].filter((i) => i >= from && i < to).length;
      expect(machine.range(name(from), name(to), { countOnly: true }).count).toBe(wanted);
    };
    for (let i = 0; i < 18_000; i += 2) put(i);
    check(0, 18_000);
    expect(store.handedOut).toBe(9_000);
    for (let i = 18_000; i < 24_000; i += 2) put(i);
    store.handedOut = 0;
    expect(machine.range('\0', '\0', { limit: 1 }).count).toBe(12_000);
    expect(store.handedOut).toBe(0);
    // It waits for its first turn.
    check(0, 24_000);
    expect(store.handedOut).toBe(12_000);
    // It is being built: changes on both sides of where the builder stands.
    machine.tasks.turn();
    for (let i = 1; i < 24_000; i += 501) put(i);
    drop(1_000, 1_100);
    drop(20_000, 21_000);
    check(500, 23_000);
    machine.tasks.drain();
    store.handedOut = 0;
    check(1_500, 23_456);
    check(0, 24_000);
    check(30_000, 40_000);
    check(7, 9);
    expect(store.handedOut).toBeLessThan(5 * 512);
    expect(machine.range(name(5_000), '\0', { limit: 10 }).count).toBe(
      [...present].filter((i) => i >= 5_000).length,
    );
    // Blocks that grow are split, those that become empty go.
    for (let i = 5_001; i < 9_000; i += 2) put(i);
    drop(10_000, 20_000);
    for (const [from, to] of [
      [0, 5_500],
      [4_999, 8_001],
      [9_000, 19_999],
      [0, 24_000],
    ] as const) {
      store.handedOut = 0;
      check(from, to);
      expect(store.handedOut).toBeLessThan(2 * 513);
    }
  });

  it('start anew after a reload', () => {
    const machine = new Machine(new MemoryStore());
    for (let i = 0; i < 10_001; i++) machine.put(name(i));
    machine.tasks.turn();
    machine.state.reload();
    machine.tasks.drain();
    machine.delete(name(7));
    expect(machine.range('k', 'l', { countOnly: true }).count).toBe(10_000);
    expect(machine.range('\0', '\0', { countOnly: true }).count).toBe(10_000);
  });

  it('of an old revision agree with those of then', () => {
    const machine = new Machine(new MemoryStore());
    const counts: [number, number][] = [];
    for (let i = 0; i < 40; i++) {
      machine.put(name(i));
      if (i % 3 === 0) machine.delete(name(i - 1), name(i + 1));
      counts.push([machine.state.revision, machine.range('k', 'l').count]);
    }
    for (const [revision, count] of counts) {
      expect(machine.range('k', 'l', { revision, countOnly: true }).count).toBe(count);
      expect(machine.range('k', 'l', { revision, limit: 2 }).count).toBe(count);
    }
  });
});

it('a reader may keep what it got while the state goes on', () => {
  const machine = new Machine(new MemoryStore());
  machine.put('a', 'old');
  const [kept] = machine.range('a').kvs;
  machine.put('a', 'new');
  machine.delete('a');
  expect(kept?.value).toEqual(bytes('old'));
});
