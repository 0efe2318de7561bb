import { afterEach, describe, expect, it } from 'vitest';
import { EtcdConnection } from './connection.ts';
import { LeaseKeeper, MAX_KEPT_LEASES, renewOnce } from './lease-keeper.ts';
import { eventually, hasEtcd, TestEtcd } from './testing/etcd.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start() {
  const etcd = await TestEtcd.start();
  cleanups.push(() => etcd.dispose());
  const connection = new EtcdConnection([etcd.clientUrl]);
  cleanups.push(() => connection.dispose());
  const gone: bigint[] = [];
  const keeper = new LeaseKeeper(connection, (id) => gone.push(id));
  cleanups.push(() => keeper.dispose());
  const grant = async (TTL: number) => (await connection.leaseGrant({ TTL, ID: 0n })).ID;
  const ttl = async (id: bigint) => (await connection.leaseTimeToLive(id, false)).TTL;
  return { etcd, connection, keeper, gone, grant, ttl };
}

describe.skipIf(!hasEtcd)('LeaseKeeper with a real etcd', () => {
  it('keeps a lease alive beyond its time, and one that is not kept ends', async () => {
    const { keeper, grant, ttl } = await start();
    const [kept, left] = [await grant(2), await grant(2)];
    keeper.add(kept);
    await eventually(async () => ((await ttl(left)) < 0 ? true : undefined), 'the other ended');
    expect(await ttl(kept)).toBeGreaterThanOrEqual(0);
    keeper.remove(kept);
    await eventually(async () => ((await ttl(kept)) < 0 ? true : undefined), 'it ended, too');
  });

  it('goes on after a restart of the server', async () => {
    const { etcd, keeper, grant, ttl } = await start();
    const kept = await grant(5);
    keeper.add(kept);
    await etcd.kill();
    await etcd.start();
    const other = await grant(5);
    await eventually(async () => ((await ttl(other)) < 0 ? true : undefined), 'the other ended');
    expect(await ttl(kept)).toBeGreaterThan(0);
  });

  it('tells of a lease that was revoked and lets it go', async () => {
    const { connection, keeper, gone, grant } = await start();
    const kept = await grant(60);
    await connection.leaseRevoke(kept);
    keeper.add(kept);
    await eventually(() => gone.length > 0 || undefined, 'it is told');
    expect(gone).toEqual([kept]);
    expect(keeper.has(kept)).toBe(false);
  });

  it('renews once, and knows a lease that is gone', async () => {
    const { connection, grant } = await start();
    const id = await grant(30);
    expect(await renewOnce(connection, id)).toBe(30);
    await connection.leaseRevoke(id);
    await expect(renewOnce(connection, id)).rejects.toMatchObject({ code: 'NotFound' });
  });
});

describe('LeaseKeeper', () => {
  it('keeps no more than its limit', () => {
    const connection = new EtcdConnection(['127.0.0.1:1']);
    const keeper = new LeaseKeeper(connection, () => {});
    for (let i = 1; i <= MAX_KEPT_LEASES; i++) keeper.add(BigInt(i));
    expect(() => keeper.add(0n)).toThrow(/are kept alive already/);
    keeper.dispose();
    connection.dispose();
  });
});
