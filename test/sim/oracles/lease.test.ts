import { describe, expect, test } from 'vitest';
import type { History, KvOperation, LeaseEvent, LeaseOperation, Operation } from '../history.ts';
import { checkLeases, EXPIRY_BOUND_MS } from './lease.ts';
import { emptyHistory } from './testing/histories.ts';
import { Truth } from './truth.ts';

const rules = (parts: Partial<History>) => {
  const history = { ...emptyHistory(), ...parts };
  const found = checkLeases(history, new Truth(history)).map(({ rule }) => rule);
  return [...new Set(found)];
};

let nextId = 1;
const call = (kind: LeaseOperation['kind'], invokedMs: number, output: object, over: object = {}) =>
  ({
    ...{ id: nextId++, kind, client: 0, member: 'm0', key: '', invokedMs },
    ...{ returnedMs: invokedMs + 100, input: { lease: '7', ttlSeconds: 5 } },
    outcome: { ok: true, output: { revision: 1, ...output } },
    ...over,
  }) as Operation;
const lost = { outcome: { ok: false, error: 'unknown', code: 'ClientTimeout' } };
const grant = (atMs: number, over = {}) => call('leaseGrant', atMs, { ttlSeconds: 5 }, over);
const keepAlive = (atMs: number, ttlSeconds = 5, over = {}) =>
  call('leaseKeepAlive', atMs, { ttlSeconds }, over);
const revoke = (atMs: number, over = {}) => call('leaseRevoke', atMs, {}, over);
const timeToLive = (atMs: number, ttlSeconds: number) =>
  call('leaseTimeToLive', atMs, { ttlSeconds, grantedTtlSeconds: 5, keys: [] });
const gone = (atMs: number, over: Partial<LeaseEvent> = {}): LeaseEvent => ({
  ...{ lease: '7', kind: 'gone', atMs, revision: 1, ttlSeconds: 0, keys: [] },
  ...over,
});

describe('never early', () => {
  test.each<[string, Operation[], number, string[]]>([
    ['its time after the grant', [grant(0)], 5_000, []],
    ['before its time', [grant(0)], 4_900, ['never early']],
    ['its time after a keep-alive', [grant(0), keepAlive(3_000)], 8_000, []],
    ['before, after a keep-alive', [grant(0), keepAlive(3_000)], 7_900, ['never early']],
    ['a keep-alive that found nothing', [grant(0), keepAlive(4_990, 0)], 5_050, []],
    ['revoked', [grant(0), revoke(1_000)], 1_050, []],
    ['perhaps revoked', [grant(0), revoke(1_000, lost)], 3_000, []],
    ['gone before the revocation was asked for', [grant(0), revoke(2_000)], 1_050, ['never early']],
  ])('%s', (_, operations, atMs, expected) => {
    expect(rules({ operations, leases: [gone(atMs)] })).toEqual(expected);
  });

  test('a fast clock is allowed for, as far as it is declared', () => {
    const run = { operations: [grant(0)], leases: [gone(4_800)] };
    expect(rules(run)).toEqual(['never early']);
    expect(rules({ ...run, maxClockDrift: 0.05 })).toEqual([]);
  });
});

describe('eventually', () => {
  const end = (atMs: number, leases: string[]) => ({
    final: { atMs, revision: 1, kvs: [], leases, hashes: [] },
  });
  const late = 5_100 + 1_000 + EXPIRY_BOUND_MS + 1;
  test('a lease that nobody keeps alive ends', () => {
    expect(rules({ operations: [grant(0)], ...end(late, ['7']) })).toEqual(['eventually']);
    expect(rules({ operations: [grant(0)], ...end(late - 2, ['7']) })).toEqual([]);
    expect(rules({ operations: [grant(0)], ...end(late, []) })).toEqual([]);
    const kept = [grant(0), keepAlive(10_000)];
    expect(rules({ operations: kept, ...end(late, ['7']) })).toEqual([]);
    expect(rules({ operations: kept, ...end(late + 10_000, ['7']) })).toEqual(['eventually']);
  });

  test('a new leader gives it its whole time again', () => {
    const leader = { atMs: 9_000, role: 'leader', term: 4, member: 'm1' };
    const observations = [leader] as unknown as History['observations'];
    expect(rules({ operations: [grant(0)], observations, ...end(late, ['7']) })).toEqual([]);
    const later = end(late + 9_000, ['7']);
    expect(rules({ operations: [grant(0)], observations, ...later })).toEqual(['eventually']);
  });
});

describe('dead', () => {
  const ended = { leases: [gone(6_000)] };
  test.each<[string, Operation[], string[]]>([
    ['a keep-alive that revives it', [keepAlive(9_000)], ['dead']],
    ['a keep-alive that finds nothing', [keepAlive(9_000, 0)], []],
    ['time left', [timeToLive(9_000, 3)], ['dead']],
    ['no time left', [timeToLive(9_000, -1)], []],
    ['an answer that crossed its end', [timeToLive(6_100, 3)], []],
    ['granted anew', [grant(8_000), keepAlive(9_000)], []],
    ['perhaps granted anew', [grant(8_000, lost), keepAlive(9_000)], []],
  ])('%s', (_, operations, expected) => {
    expect(rules({ operations: [grant(0), ...operations], ...ended })).toEqual(expected);
  });

  test('an acknowledged revocation is an end', () => {
    const operations = [grant(0), revoke(1_000), keepAlive(3_000)];
    expect(rules({ operations })).toEqual(['dead']);
    expect(rules({ operations: [grant(0), revoke(1_000, lost), keepAlive(3_000)] })).toEqual([]);
  });
});

describe('alive', () => {
  test.each<[string, Operation[], string[]]>([
    ['denied before its time', [grant(0), keepAlive(2_000, 0)], ['alive']],
    ['no such lease before its time', [grant(0), timeToLive(2_000, -1)], ['alive']],
    ['denied after its time', [grant(0), keepAlive(5_100, 0)], []],
    ['denied after it may be revoked', [grant(0), revoke(1_000, lost), keepAlive(2_000, 0)], []],
    ['asked while the grant was under way', [grant(0), keepAlive(50, 0)], []],
  ])('%s', (_, operations, expected) => expect(rules({ operations })).toEqual(expected));
});

describe('outlives', () => {
  const put = (key: string, lease: string, revision: number): KvOperation => ({
    ...{ id: nextId++, kind: 'put', client: 1, member: 'm0', key, input: { value: 'v', lease } },
    ...{
      invokedMs: revision,
      returnedMs: revision + 1,
      outcome: { ok: true, output: { revision } },
    },
  });
  const expired = (keys: string[], revision: number) => gone(9_000, { keys, revision });
  const attached = [grant(0), put('a', '7', 2), put('b', '7', 3), put('c', '0', 4)];

  test.each<[string, Operation[], LeaseEvent, string[]]>([
    ['takes its keys', attached, expired(['a', 'b'], 5), []],
    ['leaves one', attached, expired(['a'], 5), ['outlives']],
    ['leaves all', attached, expired([], 4), ['outlives']],
    ['takes what is not its own', attached, expired(['a', 'b', 'c'], 5), ['outlives']],
    [
      'takes what was attached before',
      [...attached, put('a', '0', 5)],
      expired(['a', 'b'], 6),
      ['outlives'],
    ],
    [
      'gets a key when it is gone',
      [...attached, put('d', '7', 7)],
      expired(['a', 'b'], 5),
      ['outlives'],
    ],
  ])('%s', (_, operations, event, expected) => {
    expect(rules({ operations, leases: [event] })).toEqual(expected);
  });

  test('by whatever form of its id', () => {
    const padded = [grant(0), put('a', '0007', 2)];
    expect(rules({ operations: padded, leases: [expired(['a'], 3)] })).toEqual([]);
    expect(rules({ operations: padded, leases: [expired([], 2)] })).toEqual(['outlives']);
  });

  test('at the end no key has a lease that is not there', () => {
    const kv = { key: 'a', value: 'v', createRevision: 2, modRevision: 2, version: 1, lease: '7' };
    const end = (leases: string[]) => ({
      final: { atMs: 10, revision: 2, kvs: [kv], leases, hashes: [] },
    });
    expect(rules(end(['7']))).toEqual([]);
    expect(rules(end(['8']))).toEqual(['outlives']);
  });
});
