import { afterEach, expect, test } from 'vitest';
import { seededRandom } from '../../src-main/base/prng.ts';
import { type GrpcClients, outcome, WatchCall } from '../compat/support/grpc.ts';
import { bytes, del, get, nested, type Op, put, versionIs } from '../compat/support/ops.ts';
import { Trio } from '../compat/support/trio.ts';
import { until } from '../support/cluster.ts';

let trio: Trio | undefined;
afterEach(async () => {
  await trio?.stop();
  trio = undefined;
});

const WHOLE = { key: Buffer.of(0), rangeEnd: Buffer.of(0) };
const ROUNDS = 400;

/** Everything a client can see of one member's own state. */
async function stateOf({ clients }: { clients: GrpcClients }, from: number, head: number) {
  const revisions = [];
  for (let revision = from; revision <= head; revision += 7) {
    revisions.push((await clients.range({ ...WHOLE, revision, serializable: true })).kvs);
  }
  const watch = new WatchCall(clients);
  const value = { ...WHOLE, startRevision: from, prevKv: true };
  watch.send({ requestUnion: { $case: 'createRequest', value } });
  await until('all history', () => {
    const last = watch.received.at(-1)?.events.at(-1)?.kv?.modRevision ?? 0;
    return last >= head || undefined;
  });
  watch.close();
  const events = watch.received.flatMap((response) => response.events);
  const { leases } = await new Promise<{ leases: { ID: bigint }[] }>((resolve, reject) =>
    clients.lease.leaseLeases({}, (error, answer) => (error ? reject(error) : resolve(answer))),
  );
  const { kvs, count } = await clients.range({ ...WHOLE, serializable: true });
  return { revisions, events, leases, kvs, count };
}

test('members that took the same requests hold the same state, whatever failed on the way', async () => {
  trio = await Trio.start('raftdeck', {
    flags: ['--heartbeat-interval', '100', '--election-timeout', '2000'],
  });
  const random = seededRandom(20261123);
  const pick = <T>(items: readonly T[]): T => items[random.below(items.length)] as T;
  const key = () => pick(['a', 'b', 'c', 'd', 'e', 'f']);
  const lease = () => pick([0n, 0n, 9001n, 9002n, 9003n]);
  let head = await (trio.members[0] as Trio['members'][0]).clients.revision();
  let compacted = 0;

  const op = (depth: number): Op => {
    switch (random.below(depth > 1 ? 4 : 5)) {
      case 0:
        return put(key(), String(random.below(9)), { lease: lease(), prevKv: true });
      case 1:
        return put(key(), '', { ignoreValue: true });
      case 2:
        return del(key(), pick(['', '', 'e', '\0']), true);
      case 3:
        // Now and then compacted, now and then in the future.
        return get(key(), 'z', { revision: pick([0, head, head - 3, compacted - 1, head + 2]) });
      default:
        return nested(txn(depth + 1));
    }
  };
  const txn = (depth: number) => ({
    compare: [versionIs(key(), random.below(3))],
    success: Array.from({ length: random.below(4) }, () => op(depth)),
    failure: Array.from({ length: random.below(3) }, () => op(depth)),
  });
  const request = (clients: GrpcClients): Promise<unknown> => {
    switch (random.below(8)) {
      case 0:
        return clients.grant(pick([9001n, 9002n, 9003n]), 600);
      case 1:
        return clients.revoke(pick([9001n, 9002n, 9003n]));
      case 2:
        return clients.put({ key: bytes(key()), value: bytes('p'), lease: lease() });
      case 3:
        compacted = Math.max(compacted, head - 20);
        return clients.compact(pick([compacted, compacted, compacted - 1, head + 50]));
      default:
        return clients.txn(txn(0));
    }
  };

  const failures = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const { clients } = pick(trio.members);
    // Some at once, through different members, so that their order is the log's alone.
    const answers = await Promise.all(
      [clients, pick(trio.members).clients].map((to) => outcome(request(to))),
    );
    for (const answer of answers as { header?: { revision: number }; message?: string }[]) {
      if (answer.message) failures.set(answer.message, (failures.get(answer.message) ?? 0) + 1);
      head = Math.max(head, answer.header?.revision ?? 0);
    }
  }
  for (const message of [
    'etcdserver: mvcc: required revision has been compacted',
    'etcdserver: mvcc: required revision is a future revision',
    'etcdserver: key not found',
    'etcdserver: requested lease not found',
    'etcdserver: duplicate key given in txn request',
  ]) {
    expect(failures.get(message), message).toBeGreaterThan(0);
  }

  // A linearizable read at each brings each up to date.
  const heads = [];
  for (const { clients } of trio.members) heads.push(await clients.revision());
  expect(new Set(heads)).toEqual(new Set([head]));
  const states = [];
  for (const member of trio.members) states.push(await stateOf(member, compacted, head));
  expect(states[0]?.events.length).toBeGreaterThan(20);
  expect(states[1]).toEqual(states[0]);
  expect(states[2]).toEqual(states[0]);
});
