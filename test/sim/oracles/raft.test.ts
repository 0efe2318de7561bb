import { describe, expect, test } from 'vitest';
import type {
  AppliedEntry,
  History,
  KvHash,
  LogEntry,
  LogObservation,
  MemberObservation,
} from '../history.ts';
import { checkRaft } from './raft.ts';
import { emptyHistory } from './testing/histories.ts';

const rules = (parts: Partial<History>) => [
  ...new Set(checkRaft({ ...emptyHistory(), ...parts }).map(({ rule }) => rule)),
];

function seen(over: Partial<MemberObservation> = {}): MemberObservation {
  return {
    ...{ atMs: 0, member: 'm0', memberId: 'a0', incarnation: 1, role: 'follower', term: 3 },
    ...{ vote: '0', leader: 'a1', commit: 7, applied: 6, firstIndex: 1, lastIndex: 9 },
    ...{ revision: 4, compactRevision: 0, voters: [], learners: [], alarms: [], stateBytes: 0 },
    hash: undefined,
    ...over,
  };
}

const entries = (...terms: number[]): LogEntry[] =>
  terms.map((term, i) => ({ index: i + 1, term, digest: 100 * term + i }));

const log = (list: LogEntry[], over: Partial<LogObservation> = {}): LogObservation => ({
  ...{ atMs: 0, member: 'm0', incarnation: 1, term: 3, role: 'follower', commit: 0 },
  entries: list,
  ...over,
});

const applied = (over: Partial<AppliedEntry> = {}): AppliedEntry => ({
  ...{ index: 5, term: 2, digest: 7, atMs: 0, member: 'm0', incarnation: 1, revision: 3 },
  ...over,
});

describe('election safety', () => {
  test('one leader leads several terms, and each term has one', () => {
    const lead = (member: string, term: number) => seen({ member, term, role: 'leader' });
    expect(rules({ observations: [lead('m0', 3), lead('m0', 3)] })).toEqual([]);
    expect(rules({ observations: [lead('m0', 3), lead('m1', 4)] })).toEqual([]);
    expect(rules({ observations: [lead('m0', 3), lead('m1', 3)] })).toEqual(['election safety']);
    const logs = [log([], { role: 'leader', member: 'm1' })];
    expect(rules({ observations: [lead('m0', 3)], logs })).toEqual(['election safety']);
  });
});

describe('log matching', () => {
  const one = log(entries(1, 1, 2, 3));
  test('the same logs, a shorter one, and one that differs at its end', () => {
    const others = [entries(1, 1, 2, 3), entries(1, 1), entries(1, 1, 2, 2)];
    expect(rules({ logs: [one, ...others.map((list) => log(list, { member: 'm1' }))] })).toEqual(
      [],
    );
  });
  test.each<[string, LogEntry[]]>([
    ['other data under one term', entries(1, 1, 2, 3).map((e) => ({ ...e, digest: e.digest + 1 }))],
    ['another term before the same entry', entries(1, 2, 2, 3)],
    ['a gap', entries(1, 1, 2, 3).toSpliced(1, 1)],
    ['a term that goes back', entries(1, 3, 2, 3)],
  ])('%s', (_, list) => {
    expect(rules({ logs: [one, log(list, { member: 'm1' })] })).toContain('log matching');
  });
});

describe('leader completeness', () => {
  const leader = (list: LogEntry[], term: number) =>
    log(list, { member: 'm1', role: 'leader', term });
  const follower = log(entries(1, 2, 2), { commit: 2 });
  test('a later leader has what was committed, and may lack what was not', () => {
    expect(rules({ logs: [follower, leader(entries(1, 2, 4), 4)] })).toEqual([]);
    expect(rules({ logs: [follower, leader(entries(1, 2), 4)] })).toEqual([]);
    expect(rules({ logs: [follower, leader(entries(1, 2, 4).slice(2), 4)] })).toEqual([]);
  });
  test('a later leader lacks it, or has another', () => {
    expect(rules({ logs: [follower, leader(entries(1), 4)] })).toEqual(['leader completeness']);
    expect(rules({ logs: [follower, leader(entries(1, 4), 4)] })).toEqual(['leader completeness']);
  });
  test('a leader of an earlier term need not have it', () => {
    expect(rules({ logs: [follower, leader(entries(1), 2)] })).toEqual([]);
  });
});

describe('state machine safety', () => {
  const other = { member: 'm1' };
  test.each<[string, Partial<AppliedEntry>, string[]]>([
    ['the same entry', {}, []],
    ['another index', { index: 6, digest: 9, revision: 4 }, []],
    ['another term', { term: 3 }, ['state machine safety']],
    ['other data', { digest: 8 }, ['state machine safety']],
    ['another revision after it', { revision: 4 }, ['state machine safety']],
  ])('%s', (_, over, expected) => {
    expect(rules({ applied: [applied(), applied({ ...other, ...over })] })).toEqual(expected);
  });

  test('entries are applied once and in order in one life', () => {
    const again = applied({ incarnation: 2 });
    expect(rules({ applied: [applied(), again] })).toEqual([]);
    expect(rules({ applied: [applied(), applied()] })).toEqual(['apply order']);
    const earlier = applied({ index: 4 });
    expect(rules({ applied: [applied(), earlier] })).toEqual(['apply order']);
  });

  test('equal revisions have equal hashes', () => {
    const hash = (over: Partial<KvHash> = {}) => ({
      revision: 4,
      compactRevision: 2,
      hash: 1,
      ...over,
    });
    const pair = (over: Partial<KvHash>) => ({
      observations: [
        seen({ hash: hash() }),
        seen({ member: 'm1', memberId: 'a1', hash: hash(over) }),
      ],
    });
    expect(rules(pair({}))).toEqual([]);
    expect(rules(pair({ hash: 2, compactRevision: 3 }))).toEqual([]);
    expect(rules(pair({ hash: 2 }))).toEqual(['equal hashes']);
    const final = { atMs: 9, revision: 4, kvs: [], leases: [], hashes: [hash({ hash: 3 })] };
    expect(rules({ ...pair({}), final })).toEqual(['equal hashes']);
  });

  test('equal applied indices have equal revisions', () => {
    const observations = [seen(), seen({ member: 'm1', memberId: 'a1', revision: 5 })];
    expect(rules({ observations })).toEqual(['state machine safety']);
  });
});

describe('counters', () => {
  test.each<[string, Partial<MemberObservation>, string[]]>([
    ['in order', {}, []],
    ['applied beyond commit', { applied: 8, revision: 5 }, ['order']],
    ['commit beyond the log', { commit: 10 }, ['order']],
    ['a term that goes back', { term: 2 }, ['never back']],
    ['a term that goes back over a restart', { term: 2, incarnation: 2 }, []],
    ['a commit that goes back', { commit: 6 }, ['never back']],
    ['a commit that goes back over a restart', { commit: 6, incarnation: 2 }, []],
    ['applied that goes back', { applied: 5, revision: 3 }, ['never back']],
    ['applied that goes back over a restart', { applied: 5, revision: 3, incarnation: 2 }, []],
    ['another member of that name', { term: 1, memberId: 'b7' }, []],
    ['a second vote in a term', { vote: 'a2' }, ['one vote']],
    ['a vote in a new term', { vote: 'a2', term: 4 }, []],
  ])('%s', (_, over, expected) => {
    const observations = [seen({ vote: 'a1' }), seen({ vote: 'a1', ...over, atMs: 10 })];
    expect(rules({ observations })).toEqual(expected);
  });
});
