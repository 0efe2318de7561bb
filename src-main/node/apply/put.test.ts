import { beforeEach, describe, expect, it } from 'vitest';
import { Machine, putRequest, text } from './testing/machine.ts';
import { MemoryStore } from './testing/memory-store.ts';

let machine: Machine;
beforeEach(() => {
  machine = new Machine(new MemoryStore());
});

describe('put', () => {
  it('starts at revision 2 of an empty store and counts versions since creation', () => {
    expect(machine.state.revision).toBe(1);
    expect(machine.put('a', '1').revision).toBe(2);
    expect(machine.put('a', '2').revision).toBe(3);
    expect(machine.range('a').kvs[0]).toMatchObject({
      createRevision: 2,
      modRevision: 3,
      version: 2,
    });
    machine.delete('a');
    machine.put('a', '3');
    expect(machine.range('a').kvs[0]).toMatchObject({
      createRevision: 5,
      modRevision: 5,
      version: 1,
    });
  });

  it('answers the previous pair only when asked, and none for a new key', () => {
    expect(machine.put('a', '1', { prevKv: true }).prevKv).toBeUndefined();
    expect(machine.put('a', '2').prevKv).toBeUndefined();
    expect(machine.put('a', '3', { prevKv: true }).prevKv).toMatchObject({
      modRevision: 3,
      version: 2,
    });
  });

  it('ignore_value and ignore_lease keep what is there', () => {
    machine.grant(5n);
    machine.put('a', 'kept', { lease: 5n });
    machine.put('a', '', { ignoreValue: true });
    expect(machine.range('a').kvs[0]).toMatchObject({ lease: 0n, version: 2 });
    expect(machine.read('a')).toEqual(['a=kept']);
    machine.put('a', 'kept', { lease: 5n });
    machine.put('a', 'new', { ignoreLease: true });
    expect(machine.range('a').kvs[0]).toMatchObject({ lease: 5n });
    expect(machine.state.leaseKeys(5n).map(text)).toEqual(['a']);
  });

  it('refuses in order: the lease first, then the missing key; a refusal takes no revision', () => {
    const missing = putRequest({ key: 'no', ignoreValue: true, lease: 9n });
    expect(machine.refused('put', missing)).toBe('LeaseNotFound');
    expect(machine.refused('put', putRequest({ key: 'no', ignoreValue: true }))).toBe(
      'KeyNotFound',
    );
    expect(machine.refused('put', putRequest({ key: 'no', ignoreLease: true }))).toBe(
      'KeyNotFound',
    );
    expect(machine.state.revision).toBe(1);
    expect(machine.state.appliedIndex).toBe(3);
  });

  it('a value may be empty, and a key of any length', () => {
    const long = 'k'.repeat(100_000);
    machine.put(long);
    expect(machine.read(long)).toEqual([`${long}=`]);
  });
});

describe('delete range', () => {
  beforeEach(() => {
    for (const key of ['a', 'b', 'c']) machine.put(key, key);
  });

  it('one revision for all keys, none if there is nothing', () => {
    expect(machine.delete('a', 'c')).toMatchObject({ deleted: 2, revision: 5, prevKvs: [] });
    expect(machine.delete('a', 'c')).toMatchObject({ deleted: 0, revision: 5 });
    expect(machine.read('\0', '\0')).toEqual(['c=c']);
  });

  it('single key, from key, whole space, empty range', () => {
    expect(machine.delete('b').deleted).toBe(1);
    expect(machine.delete('c', 'a').deleted).toBe(0);
    expect(machine.delete('b', '\0', true).prevKvs.map((kv) => text(kv.key))).toEqual(['c']);
    expect(machine.delete('\0', '\0').deleted).toBe(1);
    expect(machine.range('\0', '\0').count).toBe(0);
  });

  it('more keys than one chunk are deleted in one revision', () => {
    for (let i = 0; i < 2_500; i++) machine.put(`x${i}`);
    const before = machine.state.revision;
    expect(machine.delete('x', 'y')).toMatchObject({ deleted: 2_500, revision: before + 1 });
    expect(machine.range('\0', '\0').count).toBe(3);
    expect(machine.range('x', 'y', { revision: before, countOnly: true }).count).toBe(2_500);
  });
});
