import { describe, expect, it } from 'vitest';
import { Member } from '../../proto/etcd/rpc.ts';
import { MembershipChange } from '../../proto/raftdeck/internal.ts';
import { ConfChangeSingle_Type as Change } from '../../proto/raftdeck/raft.ts';
import { parseUrl } from '../config/values.ts';
import { changeRefusal, updateRefusal } from './change-check.ts';
import { checkPeerUrls } from './urls.ts';

const REMOVED = 9n;
const membership = {
  list: () => [
    Member.fromPartial({ ID: 1n, peerURLs: ['http://a:1'] }),
    Member.fromPartial({ ID: 2n, peerURLs: ['http://b:1'], isLearner: true }),
  ],
  isRemoved: (id: bigint) => id === REMOVED,
};

function refusal(kind: Change, ID: bigint, change: Partial<MembershipChange> = {}, url = '') {
  const member = Member.fromPartial({ ID, peerURLs: url === '' ? [] : [url] });
  const full = MembershipChange.fromPartial({ maxLearners: 1, ...change, member });
  return changeRefusal(membership, full, kind);
}

describe('a committed change of the membership', () => {
  it('adds only who is new, at URLs that nobody has', () => {
    expect(refusal(Change.ADD_VOTER, 3n, {}, 'http://c:1')).toBeUndefined();
    expect(refusal(Change.ADD_VOTER, 1n, {}, 'http://c:1')).toBe('MemberExist');
    expect(refusal(Change.ADD_VOTER, 3n, {}, 'http://b:1')).toBe('PeerUrlExist');
    expect(refusal(Change.ADD_VOTER, REMOVED, {}, 'http://c:1')).toBe('MemberNotFound');
  });

  it('keeps to the proposer’s limit of learners', () => {
    expect(refusal(Change.ADD_LEARNER, 3n, {}, 'http://c:1')).toBe('TooManyLearners');
    expect(refusal(Change.ADD_LEARNER, 3n, { maxLearners: 2 }, 'http://c:1')).toBeUndefined();
  });

  it('removes and promotes only who is there', () => {
    expect(refusal(Change.REMOVE, 1n)).toBeUndefined();
    expect(refusal(Change.REMOVE, 3n)).toBe('MemberNotFound');
    expect(refusal(Change.REMOVE, REMOVED)).toBe('MemberNotFound');
    expect(refusal(Change.ADD_VOTER, 2n, { promote: true })).toBeUndefined();
    expect(refusal(Change.ADD_VOTER, 1n, { promote: true })).toBe('MemberNotLearner');
    expect(refusal(Change.ADD_VOTER, 3n, { promote: true })).toBe('MemberNotFound');
  });

  it('is refused if it names nobody', () => {
    const change = MembershipChange.fromPartial({ id: 1n });
    expect(changeRefusal(membership, change, Change.REMOVE)).toBe('MemberNotFound');
  });
});

describe('new peer URLs', () => {
  it('may be the member’s own, but nobody else’s', () => {
    const update = (memberId: bigint, url: string) =>
      updateRefusal(membership, { memberId, peerUrls: [url] });
    expect(update(1n, 'http://a:1')).toBeUndefined();
    expect(update(1n, 'http://c:1')).toBeUndefined();
    expect(update(1n, 'http://b:1')).toBe('PeerUrlExist');
    expect(update(3n, 'http://c:1')).toBe('MemberNotFound');
  });

  it.each([
    [
      ['http://b:2', 'http://a:1/'],
      ['http://a:1', 'http://b:2'],
    ],
    [['http://[::1]:2380'], ['http://[::1]:2380']],
    [['http://[::ffff:7.0.0.1]:8'], ['http://[::ffff:7.0.0.1]:8']],
    [[], undefined],
    [['a:1'], undefined],
    [['http://a'], undefined],
    [['http://a:70000'], undefined],
    [['http://a:1/path'], undefined],
    [['http://a:1', 'nonsense'], undefined],
    [['ftp://a:1'], undefined],
  ])('%j are checked', (urls, checked) => {
    expect(checkPeerUrls(urls)).toEqual(checked);
    // Every member reads them so when it learns of the change; what it cannot read would stop it.
    for (const url of checked ?? []) expect(parseUrl(url).port).toBeGreaterThan(0);
  });
});
