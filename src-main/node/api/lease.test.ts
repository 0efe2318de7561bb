import { describe, expect, it } from 'vitest';
import { LeaseGrantResponse, LeaseService } from '../../proto/etcd/rpc.ts';
import { RpcStatus } from '../rpc/status.ts';
import { nodeError, TestBackend } from './testing/backend.ts';
import { TestCaller } from './testing/call.ts';

function setUp() {
  const backend = new TestBackend();
  backend.timesToLive.set(5n, { ttl: 40, grantedTtl: 60 });
  return { backend, caller: new TestCaller(backend) };
}

describe('leases', () => {
  it('are granted under the id that the client wants, or one of ours', async () => {
    const { backend, caller } = setUp();
    backend.responses.leaseGrant = LeaseGrantResponse.fromPartial({ ID: 9n, TTL: 60 });
    expect(await caller.unary(LeaseService.leaseGrant, { ID: 9n, TTL: 60 })).toMatchObject({
      ID: 9n,
      TTL: 60,
      header: { revision: 10 },
    });
    await caller.unary(LeaseService.leaseGrant, { ID: 0n, TTL: 60 });
    expect(backend.proposed.map(({ value }) => value)).toEqual([
      { ID: 9n, TTL: 60 },
      { ID: 4242n, TTL: 60 },
    ]);
  });

  it('answer the revision of their revocation', async () => {
    const { backend, caller } = setUp();
    backend.proposalRevision = 12;
    const response = await caller.unary(LeaseService.leaseRevoke, { ID: 5n });
    expect(response.header?.revision).toBe(12);
  });

  it('tell their time, and their keys after a quorum said that we have them all', async () => {
    const { backend, caller } = setUp();
    const ask = (ID: bigint, keys: boolean) =>
      caller.unary(LeaseService.leaseTimeToLive, { ID, keys });
    expect(await ask(5n, false)).toMatchObject({ TTL: 40, grantedTTL: 60, keys: [] });
    expect(backend.asked).toEqual(['leaseTimeToLive']);
    const { keys } = await ask(5n, true);
    expect(keys.map(String)).toEqual(['attached']);
    expect(backend.asked).toEqual(['leaseTimeToLive', 'leaseTimeToLive', 'linearizableRead']);
    expect(await ask(6n, true)).toMatchObject({ ID: 6n, TTL: -1, grantedTTL: 0, keys: [] });
  });

  it('are listed from local state', async () => {
    const { backend, caller } = setUp();
    backend.leases = [
      { id: 1n, ttl: 10, remainingTtl: 0 },
      { id: 2n, ttl: 10, remainingTtl: 0 },
    ];
    const { leases } = await caller.unary(LeaseService.leaseLeases, {});
    expect(leases).toEqual([{ ID: 1n }, { ID: 2n }]);
    expect(backend.asked).toEqual([]);
  });
});

describe('keepalive', () => {
  it('answers each request in turn, with TTL 0 for a lease that is gone', async () => {
    const { caller } = setUp();
    const stream = caller.bidi(LeaseService.leaseKeepAlive);
    for (const ID of [5n, 6n, 5n]) stream.send({ ID });
    stream.halfClose();
    await stream.ended;
    expect(stream.received.map(({ ID, TTL }) => [ID, TTL])).toEqual([
      [5n, 60],
      [6n, 0],
      [5n, 60],
    ]);
    expect(stream.received[0]?.header?.revision).toBe(10);
  });

  it('asks for no more while the client does not read', async () => {
    const { backend, caller } = setUp();
    const stream = caller.bidi(LeaseService.leaseKeepAlive);
    stream.full = true;
    for (const ID of [5n, 6n]) stream.send({ ID });
    stream.halfClose();
    while (stream.received.length < 1) await new Promise(setImmediate);
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    expect(backend.asked).toEqual(['leaseRenew 5']);
    stream.drain();
    await stream.ended;
    expect(backend.asked).toEqual(['leaseRenew 5', 'leaseRenew 6']);
  });

  it('ends when the client is gone, even in the middle of a full sink', async () => {
    const { caller } = setUp();
    const stream = caller.bidi(LeaseService.leaseKeepAlive);
    stream.full = true;
    stream.send({ ID: 5n });
    while (stream.received.length < 1) await new Promise(setImmediate);
    stream.cancel();
    await stream.ended;
  });

  it('ends with the error that a renewal meets', async () => {
    const { backend, caller } = setUp();
    backend.failures['leaseRenew 5'] = nodeError('LeaderChanged');
    const stream = caller.bidi(LeaseService.leaseKeepAlive);
    const ended = expect(stream.ended).rejects.toMatchObject({
      status: RpcStatus.UNAVAILABLE,
      message: 'etcdserver: leader changed',
    });
    stream.send({ ID: 5n });
    await ended;
  });
});
