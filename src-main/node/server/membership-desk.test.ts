import { expect, test } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { Member } from '../../proto/etcd/rpc.ts';
import { MembershipChange } from '../../proto/raftdeck/internal.ts';
import { ConfChangeSingle_Type as Change, type ConfChange } from '../../proto/raftdeck/raft.ts';
import { TestClock } from '../api/testing/call.ts';
import type { NodeErrorCode, StateMachine } from '../apply/types.ts';
import { MembershipDesk } from './membership-desk.ts';
import { PeerCalls } from './peer-calls.ts';
import { Proposals } from './proposals.ts';

const ELECTION_MS = 1_000;
const URLS = ['http://127.0.0.1:2390'];

/** A desk whose proposals the test lets come true, or not. */
function setup(before: Member[]) {
  const clock = new TestClock();
  const proposals = new Proposals(1n, 0);
  const members = [Member.fromPartial({ ID: 1n, peerURLs: ['http://127.0.0.1:2380'] }), ...before];
  const proposed: ConfChange[] = [];
  const desk = new MembershipDesk({
    ...{ memberId: 1n, clusterToken: 'c', strict: false, maxLearners: 1, startMs: 0, clock },
    state: { members: () => members } as unknown as StateMachine,
    proposals,
    calls: new PeerCalls(clock, () => {}),
    ...{ requestTimeoutMs: 7_000, electionTimeoutMs: ELECTION_MS, logger: silentLogger },
    leader: () => 1n,
    isLeader: () => true,
    raftStatus: () => ({ role: 'leader', lastIndex: 0, progress: [] }),
    connectedForMs: () => 0,
    proposeConfChange: (change) => {
      proposed.push(change);
      return 'ok';
    },
    propose: () => Promise.reject(new Error('not asked for')),
  });
  const wanted = () => MembershipChange.decode(proposed.at(-1)?.context ?? Buffer.alloc(0));
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    ...{ desk, members, proposed, turn },
    /** Time goes by without an answer. */
    async again() {
      clock.advance(ELECTION_MS);
      await turn();
    },
    /** What the log says of the change. */
    answer(code?: NodeErrorCode) {
      const { id } = wanted();
      if (code === undefined) proposals.settle(id, { ok: true, response: {}, revision: 1 });
      else proposals.settle(id, { ok: false, code, revision: 1 });
    },
    comesTrue() {
      const { member } = wanted();
      const { type, nodeId } = proposed.at(-1)?.changes[0] ?? {};
      const at = members.findIndex(({ ID }) => ID === nodeId);
      if (at >= 0) members.splice(at, 1);
      if (type !== Change.REMOVE && member !== undefined) members.push(member);
    },
  };
}

test('a change that was lost is proposed again under its id', async () => {
  const { desk, proposed, again, answer } = setup([]);
  const added = desk.add(URLS, false);
  await again();
  expect(proposed).toHaveLength(2);
  expect(proposed[0]).toEqual(proposed[1]);
  answer();
  expect((await added).peerURLs).toEqual(URLS);
});

const learner = Member.fromPartial({ ID: 7n, peerURLs: URLS, isLearner: true });
const changes: [string, Member[], (desk: MembershipDesk) => Promise<unknown>, NodeErrorCode][] = [
  ['add', [], (desk) => desk.add(URLS, true), 'MemberExist'],
  ['remove', [learner], (desk) => desk.remove(7n), 'MemberNotFound'],
  ['promote', [learner], (desk) => desk.promote(7n), 'MemberNotLearner'],
];

test.each(changes)(
  '%s: one that came with a snapshot is not refused for having been made',
  async (...args) => {
    const [, before, start, code] = args;
    const { desk, again, comesTrue, answer } = setup(before);
    const done = start(desk);
    await again();
    comesTrue();
    answer(code);
    await done;
  },
);

test.each(changes)('%s: one that somebody else made first is refused', async (...args) => {
  const [, before, start, code] = args;
  const { desk, comesTrue, answer, turn } = setup(before);
  const done = start(desk);
  await turn();
  comesTrue();
  answer(code);
  await expect(done).rejects.toMatchObject({ code });
});

test('one that was proposed twice and is refused for another reason, or did not come true, is refused', async () => {
  for (const code of ['MemberExist', 'TooManyLearners'] as const) {
    const { desk, again, answer } = setup([]);
    const done = desk.add(URLS, true);
    await again();
    answer(code);
    await expect(done).rejects.toMatchObject({ code });
  }
});
