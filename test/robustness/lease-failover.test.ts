import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import type {
  LeaseKeepAliveResponse,
  LeaseTimeToLiveResponse,
} from '../../src-main/proto/etcd/rpc.ts';
import { call, type GrpcClients } from '../compat/support/grpc.ts';
import { bytes } from '../compat/support/ops.ts';
import { Trio, type TrioMember, type TrioOptions } from '../compat/support/trio.ts';
import { ROOT, until } from '../support/cluster.ts';

/** A cluster for one test: most of their time goes by in waiting, so they run side by side. */
async function startTrio({ onTestFinished }: TestContext, options: TrioOptions): Promise<Trio> {
  const trio = await Trio.start('raftdeck', options);
  onTestFinished(() => trio.stop());
  return trio;
}

async function secondsLeft({ clients }: TrioMember, ID: bigint): Promise<number> {
  const answer = await call<LeaseTimeToLiveResponse>((...rest) =>
    clients.lease.leaseTimeToLive({ ID, keys: false }, ...rest),
  );
  return answer.TTL;
}

/** Renews once, on a stream of its own. Answers the TTL, undefined if the call failed. */
function renew(clients: GrpcClients, ID: bigint): Promise<number | undefined> {
  return new Promise((resolve) => {
    const stream = clients.lease.leaseKeepAlive();
    stream.on('data', ({ TTL }: LeaseKeepAliveResponse) => {
      resolve(TTL);
      stream.end();
    });
    stream.on('error', () => resolve(undefined));
    stream.on('end', () => resolve(undefined));
    stream.write({ ID });
  });
}

async function countAt({ clients }: TrioMember, key: string): Promise<number> {
  return (await clients.range({ key: bytes(key), serializable: true })).count;
}

test.concurrent('a paused leader that comes back does not end a lease that was renewed meanwhile', async (context) => {
  const flags = ['--heartbeat-interval', '50', '--election-timeout', '500'];
  const trio = await startTrio(context, { flags });
  for (let round = 0; round < 3; round++) {
    const old = await trio.leader();
    const others = trio.others(old);
    const { clients } = others[0] as TrioMember;
    const id = BigInt(7600 + round);
    await until('a lease', () => clients.grant(id, 2).catch(() => undefined));
    await clients.put({ key: bytes(`pl/${round}`), lease: id });

    old.signal('SIGSTOP');
    await trio.leader(others);
    // Far beyond its end by the clock of the paused one.
    const paused = performance.now();
    let renewals = 0;
    const keepAlive = async (): Promise<void> => {
      const ttl = await renew(clients, id);
      if (ttl === undefined) return;
      expect(ttl).toBe(2);
      renewals++;
    };
    const renewFor = (ms: number) =>
      until('renewals', async () => {
        await keepAlive();
        return performance.now() - paused > ms || undefined;
      });
    await renewFor(4_000);
    old.signal('SIGCONT');
    await renewFor(6_000);
    expect(renewals).toBeGreaterThan(3);
    for (const member of trio.members) {
      // The one that was paused has to catch up first.
      await until('the key is there', async () => (await countAt(member, `pl/${round}`)) === 1);
    }
    expect(await renew(clients, id)).toBe(2);
  }
});

test.concurrent('a killed leader’s leases end at the next one, and not before their time', async (context) => {
  const flags = ['--heartbeat-interval', '50', '--election-timeout', '500'];
  const trio = await startTrio(context, { flags });
  const old = await trio.leader();
  const others = trio.others(old);
  const { clients } = others[0] as TrioMember;
  const LEASES = 200;
  for (let i = 0; i < LEASES; i++) {
    const id = BigInt(7_700 + i);
    await clients.grant(id, 2);
    await clients.put({ key: bytes(`kl/${i}`), lease: id });
  }
  await clients.put({ key: bytes('kl-kept') });
  const granted = performance.now();
  await old.kill();
  await trio.leader(others);
  const range = { key: bytes('kl/'), rangeEnd: bytes('kl0'), serializable: true, countOnly: true };
  const left = async () => (await clients.range(range)).count;
  const last = BigInt(7_700 + LEASES - 1);
  // As no time is lost to the change of leaders, the last lease lives for two seconds at least.
  await until('the last key goes', async () => {
    const { count } = await clients.range({ key: bytes(`kl/${LEASES - 1}`), serializable: true });
    return count === 0 || undefined;
  });
  expect(performance.now() - granted).toBeGreaterThan(1_900);
  await until('all keys go', async () => (await left()) === 0 || undefined);
  expect(await renew(clients, last)).toBe(0);
  expect(await countAt(others[0] as TrioMember, 'kl-kept')).toBe(1);
});

/** Also in support/fast-node.mjs: seconds of the nodes' in one of ours. */
const SPEED = 60;

test.concurrent('a long lease does not start anew with every leader', async (context) => {
  const trio = await startTrio(context, {
    main: join(ROOT, 'test/robustness/support/fast-node.mjs'),
    // By the nodes' clock; half a second by ours.
    flags: ['--heartbeat-interval', '3000', '--election-timeout', '30000'],
  });
  const TTL = 3_600;
  const CHECKPOINT_SECONDS = 300;
  const first = await trio.leader();
  await first.clients.grant(7800n, TTL);
  await first.clients.put({ key: bytes('long'), lease: 7800n });
  // Past the first checkpoint, which the others have to have, too.
  const used = CHECKPOINT_SECONDS + SPEED;
  await until('a checkpoint', async () => (await secondsLeft(first, 7800n)) < TTL - used);
  await first.kill();
  const second = await trio.leader(trio.others(first));
  const left = await until('its TTL', () => secondsLeft(second, 7800n).catch(() => undefined));
  expect(left).toBeLessThan(TTL - CHECKPOINT_SECONDS + 2 * SPEED);
  expect(left).toBeGreaterThan(TTL - CHECKPOINT_SECONDS - 20 * SPEED);

  // A renewal takes the checkpoint back before it is answered, so the next leader knows of it.
  first.restart();
  await until('the first is back', () => first.clients.revision().catch(() => undefined));
  const renewed = () => renew(second.clients, 7800n);
  expect(await until('a renewal', renewed)).toBe(TTL);
  await second.kill();
  const third = await trio.leader(trio.others(second));
  const after = await until('its TTL', () => secondsLeft(third, 7800n).catch(() => undefined));
  expect(after).toBeGreaterThan(TTL - CHECKPOINT_SECONDS + 2 * SPEED);
  expect(await countAt(third, 'long')).toBe(1);
});
