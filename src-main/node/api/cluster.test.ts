import { describe, expect, it } from 'vitest';
import {
  AlarmRequest,
  ClusterService,
  KVService,
  MaintenanceService,
  MemberAddRequest,
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

describe('changes of the membership', () => {
  it('answer the members as they are then, without a revision', async () => {
    const { backend, caller } = setUp();
    const request = MemberAddRequest.fromPartial({ peerURLs: ['http://a:1'], isLearner: true });
    const added = await caller.unary(ClusterService.memberAdd, request);
    expect(added.header?.revision).toBe(0);
    expect(added.member).toMatchObject({ ID: 33n, peerURLs: ['http://a:1'], isLearner: true });
    expect(added.members.map(({ ID }) => ID)).toEqual([22n, 33n]);
    await caller.unary(ClusterService.memberPromote, { ID: 33n });
    await caller.unary(ClusterService.memberUpdate, { ID: 33n, peerURLs: ['http://b:1'] });
    const removed = await caller.unary(ClusterService.memberRemove, { ID: 33n });
    expect(removed.members.map(({ ID }) => ID)).toEqual([22n]);
    expect(backend.asked).toEqual([
      'memberAdd http://a:1 true',
      'memberPromote 33',
      'memberUpdate 33 http://b:1',
      'memberRemove 33',
    ]);
  });
});

describe('a learner', () => {
  it('answers serializable reads and its status, and refuses the rest', async () => {
    const { backend, caller } = setUp();
    backend.currentStatus.isLearner = true;
    const range = (serializable: boolean) =>
      caller.unary(
        KVService.range,
        RangeRequest.fromPartial({ key: Buffer.from('a'), serializable }),
      );
    const refused = {
      status: RpcStatus.UNAVAILABLE,
      message: 'etcdserver: rpc not supported for learner',
    };
    await range(true);
    expect((await caller.unary(MaintenanceService.status, {})).isLearner).toBe(true);
    await expect(range(false)).rejects.toMatchObject(refused);
    const alarms = AlarmRequest.fromPartial({});
    await expect(caller.unary(MaintenanceService.alarm, alarms)).rejects.toMatchObject(refused);
    await expect(caller.bidi(WatchService.watch).ended).rejects.toMatchObject(refused);
  });
});

describe('a cluster that has no version yet', () => {
  it('serves nothing if capability is strict', async () => {
    const { backend, caller } = setUp();
    backend.isCapable = false;
    const refused = { status: RpcStatus.UNAVAILABLE, message: 'etcdserver: not capable' };
    await expect(caller.unary(MaintenanceService.status, {})).rejects.toMatchObject(refused);
    await expect(caller.bidi(WatchService.watch).ended).rejects.toMatchObject(refused);
    backend.isCapable = true;
    await caller.unary(MaintenanceService.status, {});
  });
});
