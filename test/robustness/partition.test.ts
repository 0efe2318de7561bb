import { status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { until } from '../support/cluster.ts';
import { PeerLink } from '../support/link.ts';
import { Members } from '../support/members.ts';

const ALL = [0, 1, 2];
const ELECTION_MS = 1_000;

let members: Members;
const links: PeerLink[] = [];
let ids: bigint[] = [];

afterEach(async () => {
  await members.stop();
  for (const link of links.splice(0)) link.close();
});

async function start(): Promise<{ leader: number; followers: [number, number] }> {
  members = await Members.start({
    count: 3,
    flags: ['--election-timeout', String(ELECTION_MS), '--heartbeat-interval', '100'],
    advertisedPeerPort: async (to, port) => {
      const link = await PeerLink.to(port);
      links[to] = link;
      return link.port;
    },
  });
  const leader = await members.leader();
  await members.client(leader).put('before', 'the cut');
  ids = await Promise.all(ALL.map(async (i) => (await up(i)).header?.memberId ?? 0n));
  for (const i of ALL) await until('it is there', async () => (await local(i)).get('before'));
  return { leader, followers: ALL.filter((i) => i !== leader) as [number, number] };
}

const up = (i: number) =>
  until('status', () =>
    members
      .client(i)
      .status()
      .catch(() => undefined),
  );
const local = (i: number) => members.client(i).local('');

function cutOneWay(from: number, to: number): void {
  links[to]?.hold(ids[from] as bigint);
}

function isolate(member: number): void {
  for (const other of ALL.filter((i) => i !== member)) {
    cutOneWay(member, other);
    cutOneWay(other, member);
  }
}

function heal(): void {
  for (const link of links) for (const id of ids) link.release(id);
}

/** What is refused, and after how long. */
async function refusal(call: Promise<unknown>): Promise<{ error: unknown; afterMs: number }> {
  const started = performance.now();
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, afterMs: performance.now() - started };
}

/** Until all three hold the same, and have the same leader in the same term. */
async function expectEqual(): Promise<{ leader: bigint; term: number }> {
  return await until('all are equal', async () => {
    const states = await Promise.all(ALL.map(local));
    const [first, ...rest] = states.map((state) => JSON.stringify([...state]));
    if (rest.some((state) => state !== first)) return undefined;
    const statuses = await Promise.all(ALL.map(up));
    const leaders = new Set(statuses.map((s) => `${s.leader} ${s.raftTerm}`));
    const { leader, raftTerm } = statuses[0] as (typeof statuses)[0];
    return leaders.size === 1 && leader !== 0n ? { leader, term: raftTerm } : undefined;
  });
}

const NO_LEADER = { code: status.UNAVAILABLE, details: 'etcdserver: no leader' };

test('a leader that is cut off steps down, and the majority goes on without it', async () => {
  const { leader, followers } = await start();
  const cutAt = performance.now();
  isolate(leader);
  // In its log, and never to be committed.
  const lost = Array.from({ length: 5 }, (_, i) =>
    refusal(members.client(leader).put(`lost/${i}`, 'v', 20_000)),
  );
  const read = refusal(members.client(leader).get('before', false, 20_000));
  const isCutOff = async () => (await up(leader)).leader === 0n || undefined;
  await until('it has stepped down', isCutOff);
  expect(performance.now() - cutAt).toBeLessThan(2.5 * ELECTION_MS);

  const successor = await members.leader(followers);
  const { raftTerm } = await up(successor);
  for (let i = 0; i < 50; i++)
    await members.client(followers[i % 2] as number).put(`new/${i}`, 'v');

  const { error, afterMs } = await read;
  expect(error).toMatchObject(NO_LEADER);
  expect(afterMs).toBeLessThan(6.5 * ELECTION_MS);
  // By now it is known that there is none.
  const next = await refusal(members.client(leader).get('before', false, 20_000));
  expect(next.error).toMatchObject(NO_LEADER);
  expect(next.afterMs).toBeLessThan(ELECTION_MS);
  expect((await members.client(leader).get('before', true)).kvs).toHaveLength(1);
  expect((await members.client(leader).get('new/0', true)).kvs).toHaveLength(0);
  for (const { error: refused } of await Promise.all(lost)) {
    expect(refused).toMatchObject({ code: status.UNAVAILABLE });
  }

  heal();
  const after = await expectEqual();
  expect(after).toEqual({ leader: ids[successor], term: raftTerm });
  const state = await local(leader);
  expect([...state.keys()].filter((key) => key.startsWith('lost/'))).toEqual([]);
  expect([...state.keys()].filter((key) => key.startsWith('new/'))).toHaveLength(50);
  await members.client(leader).put('through the former leader', 'v');
});

test('a follower that comes back has raised no term and disturbs nobody', async () => {
  const { leader, followers } = await start();
  const [follower] = followers;
  const { raftTerm } = await up(leader);
  isolate(follower);
  await until('it misses its leader', async () => (await up(follower)).leader === 0n || undefined);
  const { error, afterMs } = await refusal(members.client(follower).get('before', false, 20_000));
  expect(error).toMatchObject(NO_LEADER);
  expect(afterMs).toBeLessThan(4 * ELECTION_MS);
  expect((await members.client(follower).get('before', true)).kvs).toHaveLength(1);
  const write = await refusal(members.client(follower).put('minority', 'v', 3_000));
  expect(write.error).toBeDefined();

  // Several of its elections come to nothing meanwhile.
  await putFor(4 * ELECTION_MS, leader);
  expect((await up(follower)).raftTerm).toBe(raftTerm);
  heal();
  expect(await expectEqual()).toEqual({ leader: ids[leader], term: raftTerm });
});

test('a follower that hears nobody but is heard does not disturb the leader', async () => {
  const { leader, followers } = await start();
  const [deaf, other] = followers;
  const { raftTerm } = await up(leader);
  cutOneWay(leader, deaf);
  cutOneWay(other, deaf);
  await until('it misses its leader', async () => (await up(deaf)).leader === 0n || undefined);
  await putFor(4 * ELECTION_MS, leader);
  expect(await up(leader)).toMatchObject({ leader: ids[leader], raftTerm });
  expect((await refusal(members.client(deaf).get('before'))).error).toMatchObject(NO_LEADER);
  heal();
  expect(await expectEqual()).toEqual({ leader: ids[leader], term: raftTerm });
});

test('a leader that hears nobody steps down, though all hear it', async () => {
  const { leader, followers } = await start();
  const cutAt = performance.now();
  for (const follower of followers) cutOneWay(follower, leader);
  const successor = await members.leader(followers);
  expect(successor).not.toBe(leader);
  expect(performance.now() - cutAt).toBeLessThan(6 * ELECTION_MS);
  for (let i = 0; i < 20; i++) await members.client(successor).put(`new/${i}`, 'v');
  expect((await refusal(members.client(leader).get('before', false, 20_000))).error).toBeDefined();
  heal();
  await expectEqual();
  expect((await local(leader)).size).toBe(21);
});

test('a follower that is not heard keeps up, and its voice is not missed', async () => {
  const { leader, followers } = await start();
  const [mute, other] = followers;
  const { raftTerm } = await up(leader);
  cutOneWay(mute, leader);
  cutOneWay(mute, other);
  await putFor(3 * ELECTION_MS, leader);
  expect(await up(mute)).toMatchObject({ leader: ids[leader], raftTerm });
  heal();
  expect(await expectEqual()).toEqual({ leader: ids[leader], term: raftTerm });
});

test('an election fails no linearizable read', async () => {
  const { leader, followers } = await start();
  let running = true;
  const failures: unknown[] = [];
  let reads = 0;
  const readers = followers.map(async (i) => {
    while (running) {
      const answer = await members
        .client(i)
        .get('before', false, 20_000)
        .catch((error) => {
          failures.push(error);
        });
      if (answer?.kvs.length === 1) reads++;
    }
  });
  await until('reads flow', () => reads > 20 || undefined);
  await members.node(leader).kill('SIGKILL');
  await members.leader(followers);
  const before = reads;
  await until('reads go on', () => reads > before + 20 || undefined);
  running = false;
  await Promise.all(readers);
  expect(failures).toEqual([]);
});

/** Puts to the leader without a pause, each of which must be taken. */
async function putFor(durationMs: number, leader: number): Promise<void> {
  const end = performance.now() + durationMs;
  for (let i = 0; performance.now() < end; i++) {
    await members.client(leader).put(`meanwhile/${i % 10}`, String(i), 2 * ELECTION_MS);
  }
}
