import { expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import type { StateMachine } from '../apply/types.ts';
import { CorruptionChecker } from './corruption-check.ts';
import { PeerCalls, replyTo } from './peer-calls.ts';

/** A leader at revision 5 and one peer that answers with `peer`; `reads` are what its ReadIndex rounds do. */
async function check(peer: { revision: number; hash: number }, reads: (() => Promise<void>)[]) {
  const alarms: bigint[] = [];
  let revision = 5;
  const state = {
    get revision() {
      return revision;
    },
    members: () => [{ ID: 1n }, { ID: 2n }],
    alarms: () => [],
  } as unknown as StateMachine;
  const calls: PeerCalls = new PeerCalls(systemClock, (_to, call) =>
    calls.replies([replyTo(call, { ...peer, compactRevision: 0 })]),
  );
  const checker = new CorruptionChecker({
    ...{ memberId: 1n, state, calls, clock: systemClock, logger: silentLogger },
    ...{ electionTimeoutMs: 100, intervalMs: 0, isLeader: () => true, canAsk: () => true },
    linearizableRead: () => (reads.shift() ?? (() => Promise.reject(new Error('not asked for'))))(),
    hashKv: async (at) => ({
      hash: 7,
      revision,
      hashRevision: at === 0 ? revision : at,
      compactRevision: 0,
    }),
    propose: async (request) => {
      if (request.$case === 'alarm') alarms.push(request.value.memberID);
    },
  });
  const catchUp = async () => {
    revision = 6;
  };
  const done = checker.checkNow();
  return { done, alarms, catchUp };
}

const fine = async () => {};

test('a peer with another hash, or with more than the leader can have, is corrupt', async () => {
  for (const peer of [
    { revision: 5, hash: 8 },
    { revision: 6, hash: 7 },
  ]) {
    const { done, alarms } = await check(peer, [fine, fine]);
    await done;
    expect(alarms).toEqual([2n]);
  }
  const { done, alarms } = await check({ revision: 5, hash: 7 }, [fine, fine]);
  await done;
  expect(alarms).toEqual([]);
});

test('a peer that has applied what this leader has yet to apply is not', async () => {
  let catchUp = fine;
  const run = await check({ revision: 6, hash: 7 }, [fine, () => catchUp()]);
  catchUp = run.catchUp;
  await run.done;
  expect(run.alarms).toEqual([]);
});

test('nor is one that follows a new leader already', async () => {
  const deposed = () => Promise.reject(new Error('there is another leader'));
  const { done, alarms } = await check({ revision: 6, hash: 7 }, [fine, deposed]);
  await expect(done).rejects.toThrow('another leader');
  expect(alarms).toEqual([]);
});
