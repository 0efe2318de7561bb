import { expect, test } from 'vitest';
import { InternalRequest } from '../../proto/raftdeck/internal.ts';
import type { ApplyResult, InternalRequestBody } from '../apply/types.ts';
import { MAX_PENDING_PROPOSALS, Proposals } from './proposals.ts';

const body: InternalRequestBody = { $case: 'compaction', value: { revision: 7, physical: false } };
const done: ApplyResult = { ok: true, response: { header: undefined }, revision: 9 };

function idOf(data: Buffer | undefined): bigint {
  return InternalRequest.decode(data as Buffer).id;
}

test('an applied entry settles the call that proposed it, by id', async () => {
  const proposals = new Proposals(0xabcdn, 1_000);
  const first = proposals.add(body, 100, 1n, undefined);
  const second = proposals.add(body, 100, 1n, undefined);
  const [a, b] = proposals.takeOutbox(undefined);
  proposals.settle(idOf(b), { ok: false, code: 'Compacted', revision: 3 });
  proposals.settle(idOf(a), done);
  await expect(first).resolves.toMatchObject({ revision: 9 });
  await expect(second).rejects.toMatchObject({ code: 'Compacted' });
  expect(proposals.size).toBe(0);
});

test('ids of two members and of two runs differ', () => {
  const take = (member: bigint, startMs: number) => {
    const proposals = new Proposals(member, startMs);
    void proposals.add(body, 1, 1n, undefined);
    return idOf(proposals.takeOutbox(undefined)[0]);
  };
  expect(new Set([take(1n, 5), take(2n, 5), take(1n, 6)]).size).toBe(3);
});

test('what was put back goes first, in order', () => {
  const proposals = new Proposals(1n, 1);
  void proposals.add(body, 100, 1n, undefined);
  void proposals.add(body, 100, 1n, undefined);
  const taken = proposals.takeOutbox(undefined);
  void proposals.add(body, 100, 1n, undefined);
  proposals.putBack(taken);
  const ids = proposals.takeOutbox(undefined).map(idOf);
  expect(ids).toEqual([...ids].sort((x, y) => (x < y ? -1 : 1)));
  expect(ids).toHaveLength(3);
});

test('overdue calls fail, and say whether the leader changed meanwhile', async () => {
  const proposals = new Proposals(1n, 1);
  const same = proposals.add(body, 10, 1n, undefined);
  const other = proposals.add(body, 10, 2n, undefined);
  const fresh = proposals.add(body, 99, 1n, undefined);
  proposals.expire(10, 1n);
  await expect(same).rejects.toMatchObject({ code: 'Timeout' });
  await expect(other).rejects.toMatchObject({ code: 'TimeoutDueToLeaderFail' });
  expect(proposals.size).toBe(1);
  expect(proposals.takeOutbox(undefined)).toHaveLength(1);
  proposals.failAll('Stopped');
  await expect(fresh).rejects.toMatchObject({ code: 'Stopped' });
});

test('a caller that leaves before the turn ends is not proposed', () => {
  const proposals = new Proposals(1n, 1);
  const abort = new AbortController();
  void proposals.add(body, 10, 1n, abort.signal);
  abort.abort();
  expect(proposals.takeOutbox(undefined)).toEqual([]);
});

test('too many are refused', async () => {
  const proposals = new Proposals(1n, 1);
  for (let i = 0; i < MAX_PENDING_PROPOSALS; i++) void proposals.add(body, 10, 1n, undefined);
  await expect(proposals.add(body, 10, 1n, undefined)).rejects.toMatchObject({
    code: 'TooManyRequests',
  });
});

test('what one leader of one term may propose is handed to nobody else', async () => {
  const proposals = new Proposals(7n, 0);
  const add = (term?: number) =>
    proposals.add({ $case: 'leaseRevoke', value: { ID: 5n } }, 1_000, 7n, undefined, term);
  const [anybody, inTerm3, again] = [add(), add(3), add(3)];
  for (const promise of [anybody, inTerm3, again]) promise.catch(() => {});
  const taken = proposals.takeOutbox(3);
  expect(taken).toHaveLength(3);
  // Refused by Raft; meanwhile another one leads, or this one in a later term.
  proposals.putBack(taken.slice(0, 2));
  expect(proposals.takeOutbox(undefined)).toHaveLength(1);
  proposals.putBack(taken.slice(2));
  expect(proposals.takeOutbox(4)).toEqual([]);
  await expect(inTerm3).rejects.toMatchObject({ code: 'NotLeader' });
  await expect(again).rejects.toMatchObject({ code: 'NotLeader' });
  expect(proposals.size).toBe(1);
});
