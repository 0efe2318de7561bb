import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Machine } from '../apply/testing/machine.ts';
import { STORE_KINDS, type StoreHome } from '../apply/testing/stores.ts';
import { watch } from '../apply/testing/watchers.ts';

let home: StoreHome | undefined;
afterEach(async () => {
  await home?.dispose();
  home = undefined;
});

for (const kind of STORE_KINDS) {
  describe(`compaction over ${kind.name}`, () => {
    let machine: Machine;
    beforeEach(async () => {
      home = await kind.home();
      machine = new Machine(await home.open());
    });

    const rows = (table: 'revisions' | 'history') => [...machine.store.keys(table, {})].length;
    const refused = (revision: number) =>
      machine.refused('compaction', { revision, physical: false });

    it('validates against what was compacted before, then against head', () => {
      machine.put('a');
      machine.put('a');
      expect(refused(-1)).toBe('Compacted');
      expect(machine.compact(0).revision).toBe(3);
      expect(machine.state.pendingCompaction).toBeUndefined();
      expect(refused(0)).toBe('Compacted');
      expect(refused(4)).toBe('FutureRev');
      expect(machine.compact(2).revision).toBe(3);
      expect(refused(2)).toBe('Compacted');
      expect(refused(1)).toBe('Compacted');
      machine.compact(3);
      expect(machine.state.compactRevision).toBe(3);
    });

    it('keeps the newest version, drops tombstones, but not one at the very revision', () => {
      machine.put('kept', '1');
      machine.put('kept', '2');
      machine.put('gone');
      machine.delete('gone');
      machine.put('last');
      machine.delete('last');
      machine.compact(7);
      machine.compactAll();
      expect(rows('revisions')).toBe(2);
      expect(rows('history')).toBe(2);
      expect(machine.read('\0', '\0', { revision: 7 })).toEqual(['kept=2']);
      const { sink } = watch(machine.state, { key: '\0', end: '\0', startRevision: 7 });
      machine.tasks.drain();
      expect(sink.shown).toEqual(['7 del last']);
      machine.put('more');
      machine.compact(8);
      machine.compactAll();
      expect(rows('revisions')).toBe(2);
      expect(machine.state.revision).toBe(8);
    });

    it('a deleted and created key keeps only its new life', () => {
      machine.put('a', '1');
      machine.delete('a');
      machine.put('a', '2');
      machine.put('b');
      machine.compact(4);
      machine.compactAll(1);
      expect(machine.range('a', '', { revision: 4 }).kvs[0]).toMatchObject({
        createRevision: 4,
        version: 1,
      });
      expect(rows('revisions')).toBe(2);
    });

    it('never makes the revision go back', async () => {
      machine.put('a');
      machine.delete('a');
      machine.put('b');
      machine.delete('b');
      machine.compact(5);
      machine.compactAll();
      machine = new Machine((await home?.reopen()) as Machine['store']);
      expect(machine.state.revision).toBe(5);
      expect(machine.state.compactRevision).toBe(5);
      expect(machine.put('c').revision).toBe(6);
    });

    it('goes on after a restart where it stood, then takes what was asked for since', async () => {
      for (let i = 0; i < 60; i++) machine.put(`k${i % 7}`, `${i}`);
      machine.delete('k3');
      machine.compact(40);
      expect(machine.state.compactSlice(10)).toBe(true);
      const left = rows('revisions');
      expect(left).toBeLessThan(61);
      machine = new Machine((await home?.reopen()) as Machine['store']);
      expect(machine.state.pendingCompaction).toBe(40);
      expect(rows('revisions')).toBe(left);
      machine.state.compactSlice(5);
      machine.compact(62);
      expect(machine.state.pendingCompaction).toBe(62);
      let finished: number[] = [];
      for (const revision of [30, 40, 62]) {
        void machine.state.compactionFinished(revision).then(() => {
          finished = [...finished, revision];
        });
      }
      while (machine.state.compactSlice(7)) {
        machine = new Machine((await home?.reopen()) as Machine['store']);
        finished = [];
        for (const revision of [40, 62]) {
          void machine.state.compactionFinished(revision).then(() => finished.push(revision));
        }
      }
      await machine.state.compactionFinished(62);
      expect(finished).toEqual([40, 62]);
      expect(machine.state.pendingCompaction).toBeUndefined();
      // Six live keys, and the tombstone at the very revision.
      expect(rows('revisions')).toBe(7);
      expect(rows('history')).toBe(7);
      expect(machine.state.compactSlice(7)).toBe(false);
      expect(machine.read('k0', 'k2')).toEqual(['k0=56', 'k1=57']);
    });

    it('says when it is finished', async () => {
      machine.put('a');
      machine.put('a');
      await machine.state.compactionFinished(0);
      await expect(machine.state.compactionFinished(3)).rejects.toMatchObject({
        code: 'FutureRev',
      });
      machine.compact(3);
      let done = false;
      const finished = machine.state.compactionFinished(3).then(() => {
        done = true;
      });
      machine.state.compactSlice(1);
      await Promise.resolve();
      expect(done).toBe(false);
      machine.compactAll(1);
      await finished;
    });

    it('a slice reads no more rows than it may', () => {
      for (let i = 0; i < 20; i++) machine.put('a', `${i}`);
      machine.compact(21);
      let slices = 1;
      while (machine.state.compactSlice(4)) slices++;
      expect(slices).toBe(6);
    });
  });
}
