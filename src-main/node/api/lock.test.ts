import { describe, expect, it } from 'vitest';
import { LockService } from '../../proto/etcd/v3lock.ts';
import { RpcStatus } from '../rpc/status.ts';
import { nodeError } from './testing/backend.ts';
import { TestCaller } from './testing/call.ts';
import { LiveBackend } from './testing/live-backend.ts';

/** Lets everything run that waits for nothing but its turn. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

function setUp(leases: bigint[] = []) {
  const backend = new LiveBackend();
  const stopping = new AbortController();
  const caller = new TestCaller(backend, { stopping: stopping.signal });
  for (const id of leases) backend.machine.grant(id);
  /** Notes who got the lock, and answers the way to give it up. */
  const acquired: bigint[] = [];
  const lock = (lease: bigint, name = 'l', metadata = {}) => {
    const abort = new AbortController();
    const request = { name: Buffer.from(name), lease };
    const answer = caller.unary(LockService.lock, request, metadata, abort.signal);
    answer.then(
      () => acquired.push(lease),
      () => {},
    );
    return { answer, cancel: () => abort.abort() };
  };
  const unlock = (key: string) => caller.unary(LockService.unlock, { key: Buffer.from(key) });
  return { backend, caller, lock, unlock, acquired, stopping };
}

describe('a lock', () => {
  it('is a key of the name and the lease, made in one transaction', async () => {
    const { backend, lock, unlock } = setUp([0x1abn]);
    const { header, key } = await lock(0x1abn).answer;
    expect(key.toString()).toBe('l/1ab');
    expect(header).toMatchObject({ revision: 2, memberId: 22n });
    expect(backend.machine.range('l/', 'l0').kvs[0]).toMatchObject({ lease: 0x1abn });
    expect(backend.reads).toBe(0);
    expect((await unlock('l/1ab')).header?.revision).toBe(3);
    expect(backend.machine.read('l/', 'l0')).toEqual([]);
  });

  it('gets a lease of a minute where the caller brings none', async () => {
    const { backend, lock } = setUp();
    const { key } = await lock(0n).answer;
    const [lease] = backend.state.leases();
    expect(lease?.ttl).toBe(60);
    expect(key.toString()).toBe(`l/${lease?.id.toString(16)}`);
  });

  it('is had again at once by the lease that has it', async () => {
    const { lock } = setUp([1n]);
    const first = await lock(1n).answer;
    expect(await lock(1n).answer).toEqual(first);
  });

  it('is handed over in the order of arrival, waking one candidate each time', async () => {
    const leases = [1n, 2n, 3n, 4n, 5n, 6n];
    const { backend, lock, unlock, acquired } = setUp(leases);
    for (const lease of leases) {
      lock(lease);
      await settle();
    }
    expect(acquired).toEqual([1n]);
    expect(backend.state.hub.watcherCount).toBe(5);
    for (const lease of leases) {
      const { reads } = backend;
      await unlock(`l/${lease}`);
      await settle();
      expect(acquired).toEqual(leases.slice(0, Number(lease) + 1));
      expect(backend.reads - reads).toBeLessThanOrEqual(1);
    }
    expect(backend.state.hub.watcherCount).toBe(0);
  });

  it('skips who left the queue in the middle', async () => {
    const { backend, lock, unlock, acquired } = setUp([1n, 2n, 3n]);
    lock(1n);
    await settle();
    const second = lock(2n);
    await settle();
    lock(3n);
    await settle();
    second.cancel();
    await settle();
    expect(backend.machine.read('l/', 'l0')).toEqual(['l/1=', 'l/3=']);
    expect(acquired).toEqual([1n]);
    await unlock('l/1');
    await settle();
    expect(acquired).toEqual([1n, 3n]);
  });

  it('is not left behind by a call that ends while its key is made', async () => {
    const { backend, lock } = setUp([1n]);
    const call = lock(1n);
    backend.beforeApply = () => call.cancel();
    await expect(call.answer).rejects.toMatchObject({ status: RpcStatus.CANCELLED });
    expect(backend.machine.read('l/', 'l0')).toEqual([]);
  });

  it('is kept by the one who had it when a repeated call ends early', async () => {
    const { backend, lock } = setUp([1n]);
    await lock(1n).answer;
    const again = lock(1n);
    backend.beforeApply = () => again.cancel();
    await again.answer;
    expect(backend.machine.read('l/', 'l0')).toEqual(['l/1=']);
  });

  it('is refused when its turn comes to a lease that has ended', async () => {
    const { backend, lock, unlock } = setUp([1n, 2n]);
    await lock(1n).answer;
    const { answer } = lock(2n);
    await settle();
    backend.machine.do('leaseRevoke', { ID: 2n });
    // A lease of the same id does not bring the old place back.
    backend.machine.grant(2n);
    backend.machine.put('l/2', '', { lease: 2n });
    await unlock('l/1');
    await expect(answer).rejects.toMatchObject({
      status: RpcStatus.UNKNOWN,
      message: 'mutex: session is expired',
    });
  });

  it('leaves the queue when it cannot be read whose turn it is', async () => {
    const { backend, lock } = setUp([1n, 2n]);
    await lock(1n).answer;
    backend.readFailure = nodeError('Timeout');
    await expect(lock(2n).answer).rejects.toMatchObject({
      status: RpcStatus.UNKNOWN,
      message: 'etcdserver: request timed out',
    });
    expect(backend.machine.read('l/', 'l0')).toEqual(['l/1=']);
  });

  it('is not waited for by a server that stops, and its key is removed', async () => {
    const { backend, lock, stopping } = setUp([1n, 2n, 3n]);
    await lock(1n).answer;
    const waiting = lock(2n);
    await settle();
    stopping.abort();
    const stopped = { status: RpcStatus.UNAVAILABLE, message: 'etcdserver: server stopped' };
    await expect(waiting.answer).rejects.toMatchObject(stopped);
    await expect(lock(3n).answer).rejects.toMatchObject(stopped);
    expect(backend.machine.read('l/', 'l0')).toEqual(['l/1=']);
  });

  it('keeps to the errors and the limits of transactions', async () => {
    const { backend, lock, unlock } = setUp();
    const refused = async (answer: Promise<unknown>, message: string) =>
      expect(answer).rejects.toMatchObject({ status: RpcStatus.UNKNOWN, message });
    await refused(lock(77n).answer, 'etcdserver: requested lease not found');
    await refused(unlock(''), 'etcdserver: key is not provided');
    const name = 'x'.repeat(backend.limits.maxRequestBytes);
    await refused(lock(1n, name).answer, 'etcdserver: request is too large');
  });

  it('is refused without a leader where the client asks for one', async () => {
    const { backend, lock } = setUp([1n]);
    backend.status = () => ({ ...LiveBackend.prototype.status.call(backend), leader: 0n });
    await expect(lock(1n, 'l', { hasleader: 'true' }).answer).rejects.toMatchObject({
      status: RpcStatus.UNAVAILABLE,
      message: 'etcdserver: no leader',
    });
  });
});
