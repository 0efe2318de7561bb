import { status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import type { StatusResponse } from '../../src-main/proto/etcd/rpc.ts';
import { ConcurrencyClients } from '../compat/support/concurrency.ts';
import { call, failure } from '../compat/support/grpc.ts';
import { startTarget } from '../compat/support/targets.ts';
import { startThreeNodes } from '../compat/support/three-nodes.ts';
import { until } from '../support/cluster.ts';

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function startMembers() {
  const cluster = await startThreeNodes('raftdeck');
  closing.push(() => cluster.stop());
  const members = cluster.hosts.map((host) => connect(host));
  return { cluster, members };
}

function connect(host: string): ConcurrencyClients {
  const clients = new ConcurrencyClients({ address: host.replace('http://', '') });
  closing.push(() => clients.close());
  return clients;
}

async function leaderIndex(members: ConcurrencyClients[]): Promise<number> {
  return until('a leader', async () => {
    const statuses = await Promise.all(
      members.map((member) =>
        call<StatusResponse>((...rest) => member.maintenance.status({}, ...rest)),
      ),
    );
    const index = statuses.findIndex(({ leader, header }) => leader === header?.memberId);
    return index < 0 ? undefined : index;
  });
}

test('one queue spans the members, whichever of them a client talks to', async () => {
  const { members } = await startMembers();
  const leases = [1n, 2n, 3n, 4n, 5n, 6n];
  const via = (index: number) => members[index % members.length] as ConcurrencyClients;
  await via(0).grantAll(...leases);
  const calls = [];
  for (const [index, lease] of leases.entries()) {
    calls.push(via(index).lock('span', lease));
    await via(index).queued('span', ...leases.slice(0, index + 1));
  }
  for (const [index, pending] of calls.entries()) {
    const { header, key } = await pending.answer;
    expect(key.toString()).toBe(`span/${leases[index]}`);
    expect(calls.slice(index + 1).every((other) => other.settled() === undefined)).toBe(true);
    // Another member than the one that the holder, or the next, waited at.
    const { header: released } = await via(index + 2).unlock(key.toString());
    expect(released?.revision).toBeGreaterThan(header?.revision ?? Number.POSITIVE_INFINITY);
  }
  expect(await via(0).queue('span')).toEqual([]);
});

test('who waits at a follower goes on waiting when the Raft leader is killed', async () => {
  const { cluster, members } = await startMembers();
  const leader = await leaderIndex(members);
  const [one, two] = members.filter((_, index) => index !== leader);
  if (one === undefined || two === undefined) throw new Error('a cluster of three has followers');
  await one.grantAll(1n, 2n, 3n);
  await one.lock('kill', 1n).answer;
  const lock = one.lock('kill', 2n, 60_000);
  await one.queued('kill', 1n, 2n);
  const campaign = two.campaign('kill', 3n, 'candidate', 60_000);
  await one.queued('kill', 1n, 2n, 3n);
  const observer = two.observe('kill');
  await observer.responses(1);
  await cluster.kill(leader);
  await until('a write after the election', () =>
    one.set('after', '1').then(
      () => true,
      () => undefined,
    ),
  );
  expect([lock.settled(), campaign.settled()]).toEqual([undefined, undefined]);
  await two.unlock('kill/1');
  expect((await lock.answer).key.toString()).toBe('kill/2');
  expect(campaign.settled()).toBeUndefined();
  await two.unlock('kill/2');
  expect((await campaign.answer).leader?.key.toString()).toBe('kill/3');
  const seen = await observer.responses(3);
  expect(seen.map(({ kv }) => kv?.key.toString())).toEqual(['kill/1', 'kill/2', 'kill/3']);
  observer.close();
});

test('a node that stops tells those who wait, instead of waiting with them', async () => {
  const target = await startTarget('raftdeck');
  closing.push(() => target.stop());
  const clients = connect(target.address);
  await clients.grantAll(1n, 2n, 3n);
  await clients.lock('stop', 1n).answer;
  const lock = clients.lock('stop', 2n);
  await clients.queued('stop', 1n, 2n);
  const campaign = clients.campaign('stop', 3n, 'x');
  await clients.queued('stop', 1n, 2n, 3n);
  const stopped = target.stop();
  const expected = { code: status.UNAVAILABLE, message: 'etcdserver: server stopped' };
  expect(await failure(lock.answer)).toEqual(expected);
  expect(await failure(campaign.answer)).toEqual(expected);
  await stopped;
});
