import { describe, expect, test } from 'vitest';
import type { FaultsView, RaftMemberView, RaftView } from '../../../src-main/contract/views.ts';
import { fill } from '../../lib/i18n/messages.ts';
import { raftWords } from '../../lib/i18n/views/raft.ts';
import { activeFaults, type FaultWish, planOf } from './fault-plan.ts';
import { consequences, eventText, type RaftTranslate, sentenceOf } from './say.ts';

const w = ((key: keyof typeof raftWords.en, params?: Record<string, string | number>) =>
  fill(raftWords.en[key], params)) as RaftTranslate;

const none: FaultsView = { links: [], disk: { syncDelayMs: 0, error: 'none' }, endsAtMs: null };
function member(name: string, changes: Partial<RaftMemberView> = {}): RaftMemberView {
  return {
    ...{ name, memberId: name, source: 'inspect', error: null, process: 'running' },
    ...{ role: 'follower', term: 4, vote: 'n1', leader: 'n1', commit: 500, applied: 500 },
    ...{ firstIndex: 1, lastIndex: 500, lastTerm: 4, election: null, log: null },
    ...{ installing: false, followers: [], faults: none, ...changes },
  };
}
function view(changes: Partial<RaftView> = {}): RaftView {
  return {
    members: [member('n1', { role: 'leader' }), member('n2'), member('n3')],
    ...{ leader: 'n1', term: 4, quorum: 2, events: [], faultLab: true, atMs: 0 },
    timing: { heartbeatMs: 50, electionMs: 300 },
    ...changes,
  };
}
const link = { cutOutgoing: false, cutIncoming: false, delayMs: 0, lossPerMille: 0 };
const wish = (changes: Partial<FaultWish>): FaultWish => ({
  ...{ kind: 'isolate', node: 'n1', peer: 'n2', amount: 0, durationMs: null },
  ...changes,
});

describe('the sentence', () => {
  test('says who leads, who is astray and who is behind', () => {
    expect(sentenceOf(view(), w)).toMatchObject({ tone: 'plain', lead: 'n1 leads term 4.' });
    const [n1, n2] = view().members as [RaftMemberView, RaftMemberView];
    const astray = view({ members: [n1, n2, member('n3', { leader: null, role: 'candidate' })] });
    expect(sentenceOf(astray, w)).toMatchObject({ tone: 'warn', rest: 'Not following: n3.' });
    const late = view({ members: [n1, n2, member('n3', { applied: 12 })] });
    expect(sentenceOf(late, w)).toMatchObject({ tone: 'warn', rest: 'Behind: n3.' });
  });

  test('says that nobody leads, or answers', () => {
    const down = { source: null, term: null, leader: null, commit: null, applied: null } as const;
    const alone = [member('n1', { leader: null, role: 'candidate' }), member('n2', down)];
    expect(sentenceOf(view({ members: alone, leader: null }), w).rest).toContain('term 4');
    expect(sentenceOf(view({ members: [member('n1', down)] }), w).lead).toBe('No member answers.');
  });
});

describe('a plan', () => {
  test('isolates a node at both ends of its links, and keeps what is wrong already', () => {
    const slow = { ...none, links: [{ ...link, peer: 'n1', delayMs: 5 }] };
    const members = [member('n1'), member('n2', { faults: slow }), member('n3', { faults: null })];
    const cut = { cutOutgoing: true, cutIncoming: true };
    expect(planOf(members, wish({}))).toEqual([
      {
        node: 'n1',
        links: [
          { peer: 'n2', ...cut },
          { peer: 'n3', ...cut },
        ],
        disk: none.disk,
      },
      { node: 'n2', links: [{ ...link, peer: 'n1', delayMs: 5, ...cut }], disk: none.disk },
    ]);
  });

  test('cuts, slows, loses and breaks at one node', () => {
    const { members } = view();
    const of = (changes: Partial<FaultWish>) => planOf(members, wish(changes))[0];
    expect(of({ kind: 'cutOut' })?.links).toEqual([{ peer: 'n2', cutOutgoing: true }]);
    expect(of({ kind: 'delay', amount: 70 })?.links).toEqual([{ peer: 'n2', delayMs: 70 }]);
    expect(of({ kind: 'loss', amount: 70 })?.links).toEqual([{ peer: 'n2', lossPerMille: 70 }]);
    expect(of({ kind: 'slowDisk', amount: 9 })?.disk).toEqual({ syncDelayMs: 9, error: 'none' });
    expect(of({ kind: 'fullDisk' })?.disk).toEqual({ syncDelayMs: 0, error: 'full' });
    expect(of({ kind: 'brokenDisk' })?.disk).toEqual({ syncDelayMs: 0, error: 'broken' });
  });
});

test('a cut that both ends have is told once, everything else where it is', () => {
  const cut = { ...link, cutOutgoing: true, cutIncoming: true };
  const faults = (peer: string): FaultsView => ({ ...none, links: [{ ...cut, peer }] });
  const members = [
    member('n1', { faults: faults('n2') }),
    member('n2', { faults: faults('n1'), process: 'paused' }),
    member('n3', { faults: { ...none, disk: { syncDelayMs: 7, error: 'full' } } }),
  ];
  expect(activeFaults({ members }).map(({ kind, node }) => `${kind} ${node}`)).toEqual([
    'cutBoth n1',
    'paused n2',
    'slowDisk n3',
    'fullDisk n3',
  ]);
});

describe('consequences', () => {
  test('tell the leader from a follower, and the loss of the quorum', () => {
    expect(consequences(view(), wish({}), w).join()).toContain('n1 leads. The other 2 elect');
    expect(consequences(view(), wish({ node: 'n2' }), w).join()).toContain('disturbs nobody');
    const [n1, n2] = view().members as [RaftMemberView, RaftMemberView];
    const two = view({ members: [n1, n2, member('n3', { source: null })] });
    expect(consequences(two, wish({}), w)).toEqual([
      'Only 1 of 3 can reach each other, 2 are needed: writes and linearizable reads wait or fail until it is healed.',
    ]);
  });

  test('warn of elections where a link is slower than the timeout', () => {
    expect(consequences(view(), wish({ kind: 'delay', amount: 200 }), w)).toHaveLength(1);
    expect(consequences(view(), wish({ kind: 'delay', amount: 400 }), w)[1]).toContain('300 ms');
  });
});

test('a leader follows nobody, and loses nobody but its own lead', () => {
  const event = { id: '1', atMs: 0, node: 'n1', term: 4, role: 'leader', index: 0 } as const;
  expect(eventText({ ...event, kind: 'leaderKnown', member: 'n1' }, w)).toBe('leads term 4');
  expect(eventText({ ...event, kind: 'leaderLost', member: 'n1' }, w)).toBe('leads no more');
  expect(eventText({ ...event, kind: 'leaderLost', member: 'n2' }, w)).toBe('lost its leader n2');
});
