import { describe, expect, it } from 'vitest';
import {
  AlarmRequest,
  ClusterService,
  KVService,
  MaintenanceService,
  Member,
  RangeRequest,
  WatchService,
} from '../../proto/etcd/rpc.ts';
import { RpcStatus } from '../rpc/status.ts';
import { TestBackend } from './testing/backend.ts';
import { TestCaller } from './testing/call.ts';

function setUp() {
  const backend = new TestBackend();
  return { backend, caller: new TestCaller(backend) };
}

describe('maintenance', () => {
  it('tells the status', async () => {
    const { backend, caller } = setUp();
    backend.currentStatus.errors = ['NOSPACE'];
    expect(await caller.unary(MaintenanceService.status, {})).toEqual({
      header: { clusterId: 11n, memberId: 22n, revision: 10, raftTerm: 3 },
      version: '3.5.0',
      dbSize: 2000,
      dbSizeInUse: 1000,
      leader: 22n,
      raftIndex: 100,
      raftTerm: 3,
      raftAppliedIndex: 99,
      errors: ['NOSPACE'],
      isLearner: false,
    });
  });

  it('lists alarms by a read and changes them by an entry', async () => {
    const { backend, caller } = setUp();
    backend.alarms = [
      { memberID: 22n, alarm: 1 },
      { memberID: 23n, alarm: 2 },
    ];
    const ask = (partial: object) =>
      caller.unary(MaintenanceService.alarm, AlarmRequest.fromPartial(partial));
    expect((await ask({})).alarms).toEqual(backend.alarms);
    expect((await ask({ alarm: 2 })).alarms).toEqual([{ memberID: 23n, alarm: 2 }]);
    await ask({ action: 2, alarm: 1, memberID: 22n });
    expect(backend.asked).toEqual(['linearizableRead', 'linearizableRead', 'propose alarm']);
  });

  it('hands leadership to a voter, if it has it', async () => {
    const { backend, caller } = setUp();
    backend.memberList = [22n, 33n, 44n].map((ID) =>
      Member.fromPartial({ ID, isLearner: ID === 44n }),
    );
    const move = (targetID: bigint) => caller.unary(MaintenanceService.moveLeader, { targetID });
    await move(33n);
    expect(backend.asked).toEqual(['moveLeader 33']);
    for (const target of [44n, 55n]) {
      await expect(move(target)).rejects.toMatchObject({
        status: RpcStatus.FAILED_PRECONDITION,
        message: 'etcdserver: bad leader transferee',
      });
    }
    backend.currentStatus.leader = 33n;
    await expect(move(33n)).rejects.toMatchObject({ message: 'etcdserver: not leader' });
  });
});

describe('members', () => {
  it('are listed by a quorum’s word if the client wants it, without a revision', async () => {
    const { backend, caller } = setUp();
    const { header, members } = await caller.unary(ClusterService.memberList, {
      linearizable: true,
    });
    expect(header).toMatchObject({ memberId: 22n, revision: 0 });
    expect(members).toEqual(backend.memberList);
    await caller.unary(ClusterService.memberList, { linearizable: false });
    expect(backend.asked).toEqual(['linearizableRead']);
  });
});

describe('a client that requires a leader', () => {
  const hasleader = 'true';
  const range = RangeRequest.fromPartial({ key: Buffer.from('a'), serializable: true });

  it('is refused without one, while others are served', async () => {
    const { backend, caller } = setUp();
    await caller.unary(KVService.range, range, { hasleader });
    backend.currentStatus.leader = 0n;
    await caller.unary(KVService.range, range);
    await expect(caller.unary(KVService.range, range, { hasleader })).rejects.toMatchObject({
      message: 'etcdserver: no leader',
    });
    const stream = caller.bidi(WatchService.watch, { hasleader });
    await expect(stream.ended).rejects.toMatchObject({ status: RpcStatus.UNAVAILABLE });
  });

  it('keeps its stream through an election and loses it when no leader comes', async () => {
    const { backend, caller } = setUp();
    const stream = caller.bidi(WatchService.watch, { hasleader });
    const ended = expect(stream.ended).rejects.toMatchObject({ message: 'etcdserver: no leader' });
    backend.currentStatus.leader = 0n;
    caller.clock.advance(1_000);
    backend.currentStatus.leader = 33n;
    caller.clock.advance(500);
    backend.currentStatus.leader = 0n;
    caller.clock.advance(1_000);
    expect(caller.clock.pendingTimers).toBe(1);
    caller.clock.advance(500);
    await ended;
    expect(caller.clock.pendingTimers).toBe(0);
  });

  it('leaves no timer behind when its stream ends', async () => {
    const { caller } = setUp();
    const stream = caller.bidi(WatchService.watch, { hasleader });
    stream.cancel();
    await stream.ended;
    await new Promise(setImmediate);
    expect(caller.clock.pendingTimers).toBe(0);
  });
});
