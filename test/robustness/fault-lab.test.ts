import { status as grpcStatus } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import {
  DiskError,
  EventKind,
  ProgressState,
  Role,
} from '../../src-main/proto/raftdeck/inspect.ts';
import { until } from '../support/cluster.ts';
import { Members, NodeProcess } from '../support/members.ts';

const ALL = [0, 1, 2];
const LAB = ['--experimental-fault-lab'];

let members: Members;
let ids: bigint[] = [];

afterEach(() => members?.stop());

async function start(flags: string[]): Promise<{ leader: number; others: [number, number] }> {
  members = await Members.start({ count: 3, flags });
  const leader = await members.leader();
  ids = await Promise.all(ALL.map(async (i) => (await inspect(i)).memberId));
  return { leader, others: ALL.filter((i) => i !== leader) as [number, number] };
}

const inspect = (i: number, after = 0) =>
  until('it can be inspected', () =>
    members
      .client(i)
      .inspect(after)
      .catch(() => undefined),
  );

/** Both ends of every link of that member. */
async function isolate(member: number, durationMs = 0): Promise<void> {
  const cut = (peer: bigint) => ({ peer, cutOutgoing: true, cutIncoming: true });
  const others = ALL.filter((i) => i !== member);
  await members
    .client(member)
    .setFaults({ links: others.map((i) => cut(ids[i] as bigint)), durationMs });
  for (const i of others) {
    await members.client(i).setFaults({ links: [cut(ids[member] as bigint)], durationMs });
  }
}

test('a leader shows its followers, the way to them and what happened; a follower whom it follows', async () => {
  const { leader, others } = await start([]);
  await members.client(leader).put('k', 'v');
  const seen = await until('both followers have all of it', async () => {
    const view = await inspect(leader);
    // Who was heard is forgotten once in an election timeout, and learned anew.
    const isHeard = view.progress.every(({ recentActive }) => recentActive);
    const isThere = view.progress.every(({ match }) => match === view.lastIndex);
    return isHeard && isThere ? view : undefined;
  });
  expect(seen).toMatchObject({ role: Role.LEADER, leader: ids[leader], vote: ids[leader] });
  expect([...(seen.confState?.voters ?? [])].sort()).toEqual([...ids].sort());
  expect(seen.progress).toHaveLength(2);
  for (const { state, recentActive, next } of seen.progress) {
    expect([state, recentActive, next]).toEqual([
      ProgressState.REPLICATE,
      true,
      seen.lastIndex + 1,
    ]);
  }
  const measured = await until('heartbeats are answered', async () => {
    const { peers } = await inspect(leader);
    return peers.every(({ roundTripUs }) => roundTripUs > 0) ? peers : undefined;
  });
  expect(measured.every(({ connected }) => connected)).toBe(true);
  expect(seen.log?.walBytes).toBeGreaterThan(0);
  expect(seen.faultLab).toBe(false);
  const kinds = seen.events.map(({ kind }) => kind);
  expect(kinds[0]).toBe(EventKind.STARTED);
  expect(kinds).toEqual(expect.arrayContaining([EventKind.ROLE, EventKind.LEADER_KNOWN]));
  const known = await inspect(leader, seen.events.at(-1)?.number ?? 0);
  expect(known).toMatchObject({ events: [], eventsLost: false });

  const follower = await inspect(others[0]);
  expect(follower).toMatchObject({ role: Role.FOLLOWER, leader: ids[leader], progress: [] });
  const { electionDeadlineMs = 0, electionElapsedMs = 0 } = follower.timing ?? {};
  expect(follower.timing?.electionTimeoutMs).toBe(500);
  expect(electionDeadlineMs).toBeGreaterThanOrEqual(500);
  expect(electionElapsedMs).toBeLessThanOrEqual(electionDeadlineMs);
});

test('a leader that is cut off is replaced, and follows once the links have healed by themselves', async () => {
  const { leader, others } = await start(LAB);
  await isolate(leader, 8_000);
  const next = await members.leader(others);
  await members.client(next).put('k', 'of the majority');
  const refused = members.client(leader).get('k', false, 15_000);
  await expect(refused).rejects.toMatchObject({ code: grpcStatus.UNAVAILABLE });
  await until('it has stepped down', async () => (await inspect(leader)).role !== Role.LEADER);
  const back = await until('it follows', async () => {
    const view = await inspect(leader);
    return view.leader === (await inspect(next)).leader && view.leader !== 0n ? view : undefined;
  });
  const kinds = back.events.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === EventKind.FAULTS)).toHaveLength(2);
  expect(kinds).toContain(EventKind.LEADER_LOST);
  const { kvs } = await members.client(leader).get('k');
  expect(kvs[0]?.value.toString()).toBe('of the majority');
});

test('a slow disk delays what is written, and a broken one ends the member', async () => {
  const { leader, others } = await start(LAB);
  for (const i of ALL) await members.client(i).setFaults({ disk: { syncDelayMs: 200 } });
  const startedAtMs = performance.now();
  await members.client(leader).put('k', 'late');
  expect(performance.now() - startedAtMs).toBeGreaterThan(190);
  for (const i of ALL) await members.client(i).setFaults({});
  const [broken, full] = others;
  await members.client(broken).setFaults({ disk: { error: DiskError.BROKEN } });
  await members.client(leader).put('k', 'without it');
  const { code, stderr } = await members.node(broken).exit;
  expect(code).toBe(1);
  expect(stderr).toMatch(/EIO: i\/o error, fdatasync \(on purpose\)/);
  members.startOne(broken);
  await until('it is back', async () => {
    const there = members.client(broken).get('k', true);
    const { kvs } = await there.catch(() => ({ kvs: [] }));
    return kvs[0]?.value.toString() === 'without it';
  });
  await members.client(full).setFaults({ disk: { error: DiskError.FULL } });
  await members.client(leader).put('k', 'again');
  expect((await members.node(full).exit).stderr).toMatch(/ENOSPC: no space left on device/);
});

test('only a member that is to be disturbed can be, and only where it serves loopback alone', async () => {
  await start([]);
  const denied = members.client(0).setFaults({});
  await expect(denied).rejects.toMatchObject({ code: grpcStatus.UNIMPLEMENTED });
  const open = [
    '--listen-client-urls',
    'http://0.0.0.0:1',
    '--advertise-client-urls',
    'http://x:1',
  ];
  const { code, stderr } = await new NodeProcess([...LAB, ...open]).exit;
  expect(code).toBe(2);
  expect(stderr).toMatch(/--experimental-fault-lab is for members that serve 127.0.0.1 alone/);
});

test('faults that make no sense are refused, and those in force stay', async () => {
  await start(LAB);
  const lasting = { peer: ids[1] as bigint, delayMs: 3 };
  await members.client(0).setFaults({ links: [lasting] });
  const refused = members.client(0).setFaults({ links: [{ peer: 1n, delayMs: 1e6 }] });
  await expect(refused).rejects.toMatchObject({
    code: grpcStatus.INVALID_ARGUMENT,
    details: 'raftdeck: faults: at most 60000 ms of delay',
  });
  expect((await inspect(0)).events.filter(({ kind }) => kind === EventKind.FAULTS)).toHaveLength(1);
});
