import { expect } from 'vitest';
import type {
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseTimeToLiveResponse,
} from '../../src-main/proto/etcd/rpc.ts';
import { until } from '../support/cluster.ts';
import { compatSuite } from './support/compat.ts';
import { call, type GrpcClients, outcome, WatchCall, withClients } from './support/grpc.ts';
import { bytes, type DefineCase, grpcCases, prefix, put } from './support/ops.ts';

compatSuite('leases over gRPC', [], (compat) => {
  defineGrants(grpcCases(compat));
  defineKeys(grpcCases(compat));
  defineExpiry(grpcCases(compat));
  compat('keep-alive: one stream, many leases, in the order of the questions', (target) =>
    withClients(target, async (clients) => {
      for (const id of [7411n, 7412n, 7413n]) await clients.grant(id, 600);
      const stream = clients.lease.leaseKeepAlive();
      const answers: LeaseKeepAliveResponse[] = [];
      stream.on('data', (answer: LeaseKeepAliveResponse) => answers.push(answer));
      const ask = (...ids: bigint[]) => ids.forEach((ID) => void stream.write({ ID }));
      ask(7411n, 7412n, 7411n, 9999n, 0n, -3n, 7413n);
      await until('seven answers', () => answers.length === 7);
      await clients.revoke(7412n);
      ask(7412n, 7413n, 7412n, 7411n);
      await until('four more', () => answers.length === 11);
      // Half-closed, it still answers what was asked.
      const closed = new Promise((resolve) => stream.on('end', resolve));
      ask(7411n, 7412n);
      stream.end();
      await closed;
      for (const id of [7411n, 7413n]) await clients.revoke(id);
      expect(answers.map(({ ID, TTL }) => [ID, TTL]).slice(7, 9)).toEqual([
        [7412n, 0],
        [7413n, 600],
      ]);
      return answers.map(({ ID, TTL }) => `${ID} ${TTL}`);
    }),
  );
});

function timeToLive(clients: GrpcClients, ID: bigint, keys = true) {
  return call<LeaseTimeToLiveResponse>((...rest) =>
    clients.lease.leaseTimeToLive({ ID, keys }, ...rest),
  );
}

/** Ids in numeric order: etcd's is that of their ends. */
async function leases(clients: GrpcClients): Promise<string[]> {
  const { leases: found } = await call<LeaseLeasesResponse>((...rest) =>
    clients.lease.leaseLeases({}, ...rest),
  );
  return found.map(({ ID }) => String(ID)).sort();
}

/** A lease without the seconds that are left, and with its keys in order. */
function stable({ ID, TTL, grantedTTL, keys }: LeaseTimeToLiveResponse) {
  const left = TTL > 0 && TTL <= grantedTTL ? '<left>' : TTL;
  return { ID, left, grantedTTL, keys: keys.map(String).sort() };
}

function defineGrants(compat: DefineCase): void {
  compat('every kind of id and TTL', async (clients) => {
    const answers: unknown[] = [];
    const largest = 9_000_000_000;
    for (const [id, ttl] of [
      [7401n, 600],
      [7401n, 600],
      [7402n, 1],
      [7403n, 0],
      [7404n, -1],
      [7405n, -largest],
      [7406n, largest],
      [7407n, largest + 1],
      [7408n, Number.MAX_SAFE_INTEGER],
      [-7409n, 600],
      [2n ** 63n - 1n, 600],
      [-(2n ** 63n), 600],
      [1n, 600],
    ] as const) {
      answers.push(await outcome(clients.grant(id, ttl)));
      answers.push(stable(await timeToLive(clients, id)));
    }
    const ids = await leases(clients);
    for (const id of ids) answers.push(await outcome(clients.revoke(BigInt(id))));
    answers.push(await outcome(clients.revoke(7401n)), await outcome(clients.revoke(0n)));
    answers.push(stable(await timeToLive(clients, 7401n)));
    return [ids, await leases(clients), answers];
  });

  compat('ids of the server’s choice are positive and never the same', async (clients) => {
    const granted = await Promise.all(Array.from({ length: 50 }, () => clients.grant(0n, 600)));
    const ids = new Set(granted.map(({ ID }) => ID));
    expect(ids.size).toBe(50);
    expect([...ids].every((id) => id > 0n)).toBe(true);
    expect((await leases(clients)).length).toBe(50);
    for (const id of ids) await clients.revoke(id);
    return leases(clients);
  });

  compat('a grant and a revocation of no keys take no revision', async (clients, base) => {
    const { header } = await clients.grant(7410n, 600);
    const revoked = await clients.revoke(7410n);
    expect(header?.revision).toBe(base);
    return [header, revoked, await clients.range({ key: bytes('none') })];
  });
}

function defineKeys(compat: DefineCase): void {
  compat('keys: attached, moved, detached, kept', async (clients) => {
    await clients.grant(7421n, 600);
    await clients.grant(7422n, 600);
    const key = (name: string) => bytes(`ke/${name}`);
    const states: unknown[] = [];
    const note = async () => {
      states.push(stable(await timeToLive(clients, 7421n)));
      states.push(stable(await timeToLive(clients, 7422n)));
      states.push(await clients.range(prefix('ke/')));
    };
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await clients.put({ key: key(name), value: bytes(name), lease: 7421n });
    }
    await note();
    // Without a lease, with another one, with the same, and with what it has.
    await clients.put({ key: key('a'), value: bytes('2') });
    await clients.put({ key: key('b'), value: bytes('2'), lease: 7422n });
    await clients.put({ key: key('c'), value: bytes('2'), lease: 7421n });
    await clients.put({ key: key('d'), value: bytes('2'), ignoreLease: true });
    await clients.put({ key: key('e'), ignoreValue: true });
    await note();
    await clients.deleteRange({ key: key('c') });
    await clients.txn({
      success: [put('ke/f', '', { lease: 7422n }), put('ke/d', '', { lease: 7422n })],
    });
    await note();
    await clients.revoke(7422n);
    await note();
    await clients.revoke(7421n);
    await note();
    expect(states.at(-1)).toMatchObject({ count: 2 });
    return states;
  });

  compat('a revocation deletes in key order, in one revision, in one response', async (clients) => {
    await clients.grant(7423n, 600);
    const watch = new WatchCall(clients);
    watch.create({ ...prefix('rv/'), prevKv: true, filters: [0] });
    await watch.responses(1);
    for (const name of ['d', '\xff', 'b', 'a\0', 'a']) {
      await clients.put({ key: bytes(`rv/${name}`), value: bytes(name), lease: 7423n });
    }
    await clients.revoke(7423n);
    await watch.events(5);
    watch.close();
    expect(watch.received).toHaveLength(2);
    return watch.received;
  });

  compat('time to live: with and without keys, of none', async (clients) => {
    await clients.grant(7424n, 600);
    await clients.put({ key: bytes('tl/a'), lease: 7424n });
    const answers = [
      stable(await timeToLive(clients, 7424n, false)),
      stable(await timeToLive(clients, 7424n, true)),
      await timeToLive(clients, 4711n, true),
      await timeToLive(clients, 0n, true),
      await timeToLive(clients, -1n, false),
    ];
    await clients.revoke(7424n);
    expect(answers[2]).toMatchObject({ ID: 4711n, TTL: -1, grantedTTL: 0, keys: [] });
    return answers;
  });
}

function defineExpiry(compat: DefineCase): void {
  compat('expiry: one revision, one response, and the least TTL holds', async (clients) => {
    const watch = new WatchCall(clients);
    watch.create({ ...prefix('xp/'), prevKv: true, filters: [0] });
    await watch.responses(1);
    const granted = await clients.grant(7431n, 1);
    const started = performance.now();
    for (const name of ['c', 'a', 'b']) {
      await clients.put({ key: bytes(`xp/${name}`), value: bytes(name), lease: 7431n });
    }
    await watch.events(3);
    // One and a half elections of a second, rounded up.
    expect(performance.now() - started).toBeGreaterThan(1_900);
    watch.close();
    expect(watch.received).toHaveLength(2);
    expect(granted.TTL).toBe(2);
    return [granted, watch.received.map(({ events }) => events), await timeToLive(clients, 7431n)];
  });

  compat('expiry: a lease that is kept alive lives, its neighbour does not', async (clients) => {
    await clients.grant(7432n, 2);
    await clients.grant(7433n, 2);
    await clients.put({ key: bytes('ka/kept'), lease: 7432n });
    await clients.put({ key: bytes('ka/left'), lease: 7433n });
    const stream = clients.lease.leaseKeepAlive();
    stream.on('data', () => {});
    stream.on('error', () => {});
    const beat = setInterval(() => void stream.write({ ID: 7432n }), 300);
    try {
      await until('the neighbour is gone', async () => !(await leases(clients)).includes('7433'));
      // Two of its lives later.
      const gone = performance.now();
      await until('time passes', () => performance.now() - gone > 4_000);
      return [await clients.range(prefix('ka/')), await leases(clients)];
    } finally {
      clearInterval(beat);
      stream.cancel();
      await clients.revoke(7432n);
    }
  });

  compat(
    'keep-alive around the end: told TTL 0, a client finds the keys deleted',
    async (clients) => {
      const COUNT = 40;
      const ids = Array.from({ length: COUNT }, (_, i) => BigInt(7_500 + i));
      await Promise.all(ids.map((id) => clients.grant(id, 2)));
      await Promise.all(ids.map((id) => clients.put({ key: bytes(`up/${id}`), lease: id })));
      const started = performance.now();
      const stream = clients.lease.leaseKeepAlive();
      const reads: Promise<[number, number]>[] = [];
      stream.on('data', ({ ID, TTL }: LeaseKeepAliveResponse) => {
        const read = clients.range({ key: bytes(`up/${ID}`), serializable: true });
        reads.push(read.then(({ count }) => [TTL, count]));
      });
      stream.on('error', () => {});
      // From before the first can have ended until after the last must have.
      let asked = 0;
      await until('all are asked for', () => {
        const due = Math.floor((performance.now() - started - 1_500) / 50);
        for (; asked < Math.min(due, COUNT); asked++) stream.write({ ID: ids[asked] as bigint });
        return asked === COUNT || undefined;
      });
      await until('all are answered', () => reads.length === COUNT);
      const seen = await Promise.all(reads);
      stream.cancel();
      for (const [ttl, count] of seen) expect(count).toBe(ttl > 0 ? 1 : 0);
      expect(new Set(seen.map(([ttl]) => ttl))).toEqual(new Set([2, 0]));
      await Promise.all(ids.map((id) => clients.revoke(id).catch(() => undefined)));
      return leases(clients);
    },
  );

  compat('expiry under load: every key goes, no other one', async (clients) => {
    const LEASES = 400;
    await Promise.all(
      Array.from({ length: LEASES }, (_, i) => clients.grant(BigInt(100_000 + i), 2)),
    );
    for (let i = 0; i < LEASES; i += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, j) =>
          clients.txn({
            success: ['x', 'y'].map((name) =>
              put(`ld/${i + j}/${name}`, '', { lease: BigInt(100_000 + i + j) }),
            ),
          }),
        ),
      ).catch(() => {
        // The first ones may have expired by then: their keys must not come.
      });
    }
    let writing = true;
    let acknowledged = 0;
    const writers = Array.from({ length: 8 }, async (_, w) => {
      for (let i = 0; writing; i++) {
        await clients.set(`kp/${w}/${i % 50}`, `${i}`);
        acknowledged++;
      }
    });
    try {
      await until('no lease is left', async () => (await leases(clients)).length === 0);
      await until('some writes', () => acknowledged > 100);
    } finally {
      writing = false;
      await Promise.all(writers);
    }
    const { count } = await clients.range({ ...prefix('ld/'), countOnly: true });
    const kept = await clients.range({ ...prefix('kp/'), countOnly: true });
    expect(kept.count).toBeGreaterThan(8);
    return count;
  });
}
