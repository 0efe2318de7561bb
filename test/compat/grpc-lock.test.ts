import { status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import type { LeaseTimeToLiveResponse, StatusResponse } from '../../src-main/proto/etcd/rpc.ts';
import { until } from '../support/cluster.ts';
import { type CompatCase, compatSuite } from './support/compat.ts';
import { type ConcurrencyClients, withConcurrency } from './support/concurrency.ts';
import { call, failure, ranOutOfTime } from './support/grpc.ts';
import { mask } from './support/mask.ts';
import type { Target } from './support/targets.ts';

type LockCase = (clients: ConcurrencyClients, base: number, target: Target) => Promise<unknown>;
type Define = (name: string, run: LockCase) => void;

compatSuite('Lock over gRPC', [], (compat) => {
  defineKeys(lockCases(compat));
  defineQueue(lockCases(compat));
  defineEnds(lockCases(compat));
});

function lockCases(compat: (name: string, run: CompatCase) => void): Define {
  return (name, run) =>
    compat(`lock: ${name}`, (target) =>
      withConcurrency(target, async (clients) => {
        const base = await clients.revision();
        return mask(await run(clients, base, target), base);
      }),
    );
}

const UNKNOWN = status.UNKNOWN;

function timeToLive(clients: ConcurrencyClients, ID: bigint): Promise<LeaseTimeToLiveResponse> {
  return call((...rest) => clients.lease.leaseTimeToLive({ ID, keys: true }, ...rest));
}

function defineKeys(compat: Define): void {
  compat('is a key of the name and the lease, and gone when it is released', async (clients) => {
    await clients.grantAll(0x1aabn);
    const locked = await clients.lock('ke/a', 0x1aabn).answer;
    expect(locked.key.toString()).toBe('ke/a/1aab');
    const held = await clients.range({ key: locked.key });
    const unlocked = await clients.unlock('ke/a/1aab');
    const left = await clients.range({ key: locked.key });
    expect([held.count, left.count]).toEqual([1, 0]);
    return [locked, held, unlocked, left];
  });

  compat('is had again at once by its lease', async (clients) => {
    await clients.grantAll(1100n);
    const first = await clients.lock('ag', 1100n).answer;
    await clients.set('unrelated', '1');
    const second = await clients.lock('ag', 1100n).answer;
    expect(second.key).toEqual(first.key);
    return [first, second];
  });

  compat('gets a lease of 60 s where the client brings none', async (clients) => {
    const { header, key } = await clients.lock('no', 0n).answer;
    const ID = BigInt(`0x${key.toString().split('/')[1]}`);
    const { TTL, grantedTTL, keys } = await timeToLive(clients, ID);
    expect({ grantedTTL, keys }).toEqual({ grantedTTL: 60, keys: [key] });
    expect(TTL).toBeGreaterThan(50);
    await clients.revoke(ID);
    expect(await clients.queue('no')).toEqual([]);
    return [header, grantedTTL, keys.length];
  });

  compat('does not prolong the lease that it is given', async (clients) => {
    await clients.grant(1110n, 600);
    await until('time passes', async () =>
      (await timeToLive(clients, 1110n)).TTL < 599 ? true : undefined,
    );
    await clients.lock('pr', 1110n).answer;
    const { TTL } = await timeToLive(clients, 1110n);
    expect(TTL).toBeLessThan(599);
    return clients.queue('pr');
  });

  compat('of any name: empty, long, with slashes and other bytes', async (clients) => {
    await clients.grantAll(1120n);
    const names = ['', '/', 'a//b', 'é\u0000\n', 'x'.repeat(2_000)];
    const answers = [];
    for (const name of names) {
      answers.push(await clients.lock(name, 1120n).answer);
      answers.push(await clients.unlock(`${name}/460`));
    }
    return answers;
  });

  compat('refuses what etcd refuses, without a status but with its message', async (clients) => {
    await clients.grantAll(1130n);
    const errors = [
      await failure(clients.lock('er', 4711n).answer),
      await failure(clients.lock('er', -1n).answer),
      await failure(clients.lock('x'.repeat(1_600_000), 1130n).answer),
      await failure(clients.unlock('')),
    ];
    expect(errors[0]).toEqual({
      code: UNKNOWN,
      message: 'etcdserver: requested lease not found',
    });
    return [errors, await clients.unlock('er/none')];
  });
}

function defineQueue(compat: Define): void {
  compat('is handed over to five that wait, in the order of their arrival', async (clients) => {
    const leases = [1200n, 1201n, 1202n, 1203n, 1204n, 1205n];
    await clients.grantAll(...leases);
    const calls = [];
    for (const [index, lease] of leases.entries()) {
      calls.push(clients.lock('or', lease));
      await clients.queued('or', ...leases.slice(0, index + 1));
    }
    const answers = [];
    for (const [index, pending] of calls.entries()) {
      answers.push(await pending.answer);
      expect(calls.slice(index + 1).map((other) => other.settled())).toEqual(
        calls.slice(index + 1).map(() => undefined),
      );
      answers.push(await clients.unlock(`or/${leases[index]?.toString(16)}`));
    }
    expect(await clients.queue('or')).toEqual([]);
    return answers;
  });

  compat('waits for any older key of the name, whoever made it', async (clients) => {
    await clients.grantAll(1210n);
    await clients.set('fo/reign', '1');
    const pending = clients.lock('fo', 1210n);
    await until('the key of the lock', async () => (await clients.queue('fo'))[1]);
    await clients.set('fo/younger', '1');
    // Touched, it is still the older one.
    await clients.set('fo/reign', '2');
    expect(pending.settled()).toBeUndefined();
    await clients.deleteRange({ key: Buffer.from('fo/reign') });
    return [await pending.answer, await clients.queue('fo')];
  });

  compat('released by a deletion of the whole queue but one', async (clients) => {
    await clients.grantAll(1220n, 1221n, 1222n);
    await clients.lock('wh', 1220n).answer;
    const middle = clients.lock('wh', 1221n);
    await clients.queued('wh', 1220n, 1221n);
    const last = clients.lock('wh', 1222n);
    await clients.queued('wh', 1220n, 1221n, 1222n);
    const { deleted } = await clients.deleteRange({
      key: Buffer.from('wh/4c4'),
      rangeEnd: Buffer.from('wh/4c6'),
    });
    expect(deleted).toBe(2);
    const { key } = await last.answer;
    middle.cancel();
    return [key, await clients.queue('wh')];
  });
}

function defineEnds(compat: Define): void {
  compat('cancelled while it waits leaves the queue', async (clients) => {
    await clients.grantAll(1300n, 1301n, 1302n);
    await clients.lock('ca', 1300n).answer;
    const second = clients.lock('ca', 1301n);
    await clients.queued('ca', 1300n, 1301n);
    const third = clients.lock('ca', 1302n);
    await clients.queued('ca', 1300n, 1301n, 1302n);
    second.cancel();
    expect(await failure(second.answer)).toMatchObject({ code: status.CANCELLED });
    await clients.queued('ca', 1300n, 1302n);
    expect(third.settled()).toBeUndefined();
    await clients.unlock('ca/514');
    return [await third.answer, await clients.queue('ca')];
  });

  compat('whose deadline passes while it waits leaves the queue', async (clients) => {
    await clients.grantAll(1310n, 1311n);
    await clients.lock('de', 1310n).answer;
    await ranOutOfTime(clients.lock('de', 1311n, 1_000).answer);
    await clients.queued('de', 1310n);
    return clients.queue('de');
  });

  compat('goes on to the next when the lease of the holder is revoked', async (clients) => {
    await clients.grantAll(1320n, 1321n);
    await clients.lock('ho', 1320n).answer;
    const next = clients.lock('ho', 1321n);
    await clients.queued('ho', 1320n, 1321n);
    const revoked = await clients.revoke(1320n);
    return [revoked, await next.answer, await clients.queue('ho')];
  });

  compat('goes on to the next when the lease of the holder expires', async (clients) => {
    await clients.grant(1330n, 1);
    await clients.grantAll(1331n);
    await clients.lock('ex', 1330n).answer;
    const next = clients.lock('ex', 1331n);
    return [await next.answer, await clients.queue('ex')];
  });

  compat('is refused when its turn comes if its lease was revoked', async (clients, _, target) => {
    await clients.grantAll(1340n, 1341n, 1342n);
    await clients.lock('re', 1340n).answer;
    const lost = clients.lock('re', 1341n);
    await clients.queued('re', 1340n, 1341n);
    const next = clients.lock('re', 1342n);
    await clients.queued('re', 1340n, 1341n, 1342n);
    await clients.revoke(1341n);
    await clients.queued('re', 1340n, 1342n);
    expect([lost.settled(), next.settled()]).toEqual([undefined, undefined]);
    await clients.revoke(1340n);
    if (await noticesLostLeases(clients, target)) {
      expect(await failure(lost.answer)).toEqual({
        code: UNKNOWN,
        message: 'mutex: session is expired',
      });
    } else {
      // etcd before 3.5 believes that it has the lock.
      expect((await lost.answer).key.toString()).toBe('re/53d');
    }
    return [(await next.answer).key, await clients.queue('re')];
  });
}

/** Since 3.5 etcd looks whether the key is still there when the turn of a waiting lock comes. */
async function noticesLostLeases(clients: ConcurrencyClients, target: Target): Promise<boolean> {
  if (target.name === 'raftdeck') return true;
  const { version } = await call<StatusResponse>((...rest) =>
    clients.maintenance.status({}, ...rest),
  );
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || minor >= 5;
}
