import { expect, test } from 'vitest';
import { TestClock } from '../api/testing/call.ts';
import { FirstElection } from './first-election.ts';

const HEARTBEAT_MS = 100;
const ELECTION_MS = 1_000;

/** A member among voters 1, 2 and 3 of a cluster without a past, which reaches nobody yet. */
function member(id: bigint, voters = [1n, 2n, 3n]) {
  const clock = new TestClock();
  const confState = {
    voters,
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  const raft = { id, term: 1, leader: 0n, lastIndex: 1, confState };
  const reached = new Set<bigint>();
  const campaignsAtMs: number[] = [];
  const election = new FirstElection({
    clock,
    heartbeatIntervalMs: HEARTBEAT_MS,
    electionTimeoutMs: ELECTION_MS,
    raft: () => raft,
    canAsk: (peer) => reached.has(peer),
    campaign: () => campaignsAtMs.push(clock.nowMs()),
  });
  election.start();
  return { clock, raft, reached, campaignsAtMs, election };
}

test('the first member campaigns once, as soon as it can ask a majority', () => {
  const { clock, reached, campaignsAtMs } = member(1n);
  clock.advance(300);
  expect(campaignsAtMs).toEqual([]);
  reached.add(3n);
  clock.advance(ELECTION_MS);
  expect(campaignsAtMs).toEqual([310]);
  expect(clock.pendingTimers).toBe(0);
});

test('the others leave time to those before them', () => {
  const second = member(2n);
  const third = member(3n);
  for (const { reached, clock } of [second, third]) {
    reached.add(2n).add(3n);
    clock.advance(ELECTION_MS);
  }
  expect(second.campaignsAtMs).toEqual([2 * HEARTBEAT_MS + 10]);
  expect(third.campaignsAtMs).toEqual([4 * HEARTBEAT_MS + 10]);
});

test('waits anew when the majority is lost meanwhile', () => {
  const { clock, reached, campaignsAtMs } = member(2n);
  reached.add(1n);
  clock.advance(150);
  reached.delete(1n);
  clock.advance(50);
  reached.add(1n);
  clock.advance(ELECTION_MS);
  expect(campaignsAtMs).toEqual([410]);
});

test.each<[string, Partial<ReturnType<typeof member>['raft']>]>([
  ['there is a leader', { leader: 3n }],
  ['somebody was elected before', { term: 2 }],
  ['the log holds entries', { lastIndex: 2 }],
])('does nothing once %s', (_case, past) => {
  const { clock, raft, reached, campaignsAtMs } = member(1n);
  clock.advance(50);
  Object.assign(raft, past);
  reached.add(2n).add(3n);
  clock.advance(ELECTION_MS);
  expect(campaignsAtMs).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

test('a member that does not vote never campaigns', () => {
  const { clock, reached, campaignsAtMs } = member(9n);
  reached.add(1n).add(2n).add(3n);
  clock.advance(ELECTION_MS);
  expect(campaignsAtMs).toEqual([]);
});

test("leaves it to Raft's time-out if nobody is reached within one, and when stopped", () => {
  const alone = member(1n);
  alone.clock.advance(2 * ELECTION_MS);
  expect(alone.clock.pendingTimers).toBe(0);
  const stopped = member(1n);
  stopped.reached.add(2n);
  stopped.election.stop();
  stopped.clock.advance(ELECTION_MS);
  expect(stopped.campaignsAtMs).toEqual([]);
});
