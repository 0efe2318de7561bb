import { describe, expect, test } from 'vitest';
import { type Entry, EntryType } from '../../src-main/proto/raftdeck/raft.ts';
import { ConfChanges, configurationConflict } from './conf-changes.ts';

const entry = (index: number, term: number, type: EntryType): Entry => {
  return { index, term, type, data: Buffer.alloc(0) };
};
const change = (index: number, term = 1) => entry(index, term, EntryType.CONF_CHANGE);
const put = (index: number, term = 1) => entry(index, term, EntryType.NORMAL);
const log = (terms: Record<number, number>) => ({ term: (index: number) => terms[index] });

describe('one change at a time', () => {
  test('the next one comes when the one before is applied', () => {
    const changes = new ConfChanges();
    expect(changes.taken([put(4), change(5)], log({}), 3)).toBeUndefined();
    expect(changes.taken([change(6)], log({ 5: 1 }), 5)).toBeUndefined();
  });

  test('one that comes earlier is told', () => {
    const changes = new ConfChanges();
    expect(changes.taken([change(5)], log({}), 3)).toBeUndefined();
    expect(changes.taken([put(6), change(7)], log({ 5: 1 }), 4)).toMatch(/change at 7 .* at 5/);
  });

  test('two in one write are told', () => {
    expect(new ConfChanges().taken([change(5), change(6)], log({}), 4)).toMatch(/at 6 .* at 5/);
  });

  test('a follower may take both at once, later', () => {
    const changes = new ConfChanges();
    changes.taken([change(5)], log({}), 4);
    changes.taken([change(6)], log({ 5: 1 }), 5);
    expect(changes.taken([change(5), change(6)], log({}), 4)).toBeUndefined();
  });

  test('one that another leader has replaced does not count', () => {
    const changes = new ConfChanges();
    changes.taken([change(5)], log({}), 4);
    expect(changes.taken([put(5, 2), change(6, 2)], log({ 5: 1 }), 4)).toBeUndefined();
  });
});

test('configurations are compared as sets', () => {
  const rest = { votersOutgoing: [], learnersNext: [], autoLeave: false };
  const some = { ...rest, voters: [1n, 2n], learners: [3n] };
  expect(configurationConflict(some, { ...some, voters: [2n, 1n] })).toBeUndefined();
  expect(configurationConflict(some, undefined)).toBeUndefined();
  expect(configurationConflict(some, { ...some, voters: [1n, 4n] })).toMatch(/voters 0*1,0*4,/);
  expect(configurationConflict(some, { ...some, learners: [] })).toMatch(/learners none/);
  expect(configurationConflict(some, { ...some, votersOutgoing: [1n] })).toMatch(/leaving 0*1$/);
});
