import {
  AlarmRequest,
  CompactionRequest,
  DeleteRangeRequest,
  HashKVRequest,
  LeaseGrantRequest,
  LeaseKeepAliveRequest,
  LeaseRevokeRequest,
  LeaseTimeToLiveRequest,
  MemberAddRequest,
  MoveLeaderRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
  WatchRequest,
} from '../../../src-main/proto/etcd/rpc.ts';
import {
  CampaignRequest,
  LeaderRequest,
  ProclaimRequest,
  ResignRequest,
} from '../../../src-main/proto/etcd/v3election.ts';
import { LockRequest, UnlockRequest } from '../../../src-main/proto/etcd/v3lock.ts';

type Sample = [path: string, messages: Uint8Array[]];

const [a, b, z] = ['a', 'b', 'z'].map((key) => Buffer.from(key)) as [Buffer, Buffer, Buffer];
const value = Buffer.from('a value of some length');

const range = RangeRequest.fromPartial({
  key: a,
  rangeEnd: z,
  limit: 2,
  revision: 4,
  sortOrder: 1,
});
const put = PutRequest.fromPartial({ key: b, value, lease: 7n, prevKv: true });
const del = DeleteRangeRequest.fromPartial({ key: a, rangeEnd: z, prevKv: true });
const inner = TxnRequest.fromPartial({
  compare: [{ key: a, target: 3, result: 3, targetUnion: { $case: 'value', value } }],
  success: [{ request: { $case: 'requestPut', value: put } }],
  failure: [{ request: { $case: 'requestDeleteRange', value: del } }],
});
const txn = TxnRequest.fromPartial({
  compare: [
    { key: a, rangeEnd: z, target: 0, result: 1, targetUnion: { $case: 'version', value: 1n } },
    { key: a, target: 2, result: 2, targetUnion: { $case: 'modRevision', value: 9n } },
  ],
  success: [
    { request: { $case: 'requestTxn', value: inner } },
    { request: { $case: 'requestRange', value: range } },
  ],
  failure: [{ request: { $case: 'requestPut', value: PutRequest.fromPartial({ key: z }) } }],
});
const readTxn = TxnRequest.fromPartial({
  success: [{ request: { $case: 'requestRange', value: range } }],
});

function keyValueRequests(): Sample[] {
  return [
    ['/etcdserverpb.KV/Range', [RangeRequest.encode(range).finish()]],
    ['/etcdserverpb.KV/Put', [PutRequest.encode(put).finish()]],
    ['/etcdserverpb.KV/DeleteRange', [DeleteRangeRequest.encode(del).finish()]],
    ['/etcdserverpb.KV/Txn', [TxnRequest.encode(txn).finish()]],
    ['/etcdserverpb.KV/Txn', [TxnRequest.encode(readTxn).finish()]],
    [
      '/etcdserverpb.KV/Compact',
      [CompactionRequest.encode({ revision: 4, physical: true }).finish()],
    ],
  ];
}

function watchRequests(): Sample[] {
  const create = WatchRequest.fromPartial({
    requestUnion: {
      $case: 'createRequest',
      value: { key: a, rangeEnd: z, startRevision: 4, filters: [1], prevKv: true, watchId: 5 },
    },
  });
  const cancel = WatchRequest.fromPartial({
    requestUnion: { $case: 'cancelRequest', value: { watchId: 5 } },
  });
  const progress = WatchRequest.fromPartial({
    requestUnion: { $case: 'progressRequest', value: {} },
  });
  const encoded = [create, progress, create, cancel].map((one) =>
    WatchRequest.encode(one).finish(),
  );
  return [['/etcdserverpb.Watch/Watch', encoded]];
}

function leaseRequests(): Sample[] {
  const alive = LeaseKeepAliveRequest.encode({ ID: 7n }).finish();
  return [
    ['/etcdserverpb.Lease/LeaseGrant', [LeaseGrantRequest.encode({ TTL: 60, ID: 9n }).finish()]],
    ['/etcdserverpb.Lease/LeaseRevoke', [LeaseRevokeRequest.encode({ ID: 7n }).finish()]],
    ['/etcdserverpb.Lease/LeaseKeepAlive', [alive, alive]],
    [
      '/etcdserverpb.Lease/LeaseTimeToLive',
      [LeaseTimeToLiveRequest.encode({ ID: 7n, keys: true }).finish()],
    ],
    ['/etcdserverpb.Lease/LeaseLeases', [Buffer.alloc(0)]],
  ];
}

function upkeepRequests(): Sample[] {
  const member = MemberAddRequest.fromPartial({ peerURLs: ['http://127.0.0.1:2380'] });
  const alarm = AlarmRequest.fromPartial({ action: 1, memberID: 3n, alarm: 1 });
  return [
    ['/etcdserverpb.Cluster/MemberAdd', [MemberAddRequest.encode(member).finish()]],
    ['/etcdserverpb.Cluster/MemberUpdate', [MemberAddRequest.encode(member).finish()]],
    ['/etcdserverpb.Cluster/MemberList', [Buffer.alloc(0)]],
    ['/etcdserverpb.Maintenance/Alarm', [AlarmRequest.encode(alarm).finish()]],
    ['/etcdserverpb.Maintenance/Status', [Buffer.alloc(0)]],
    ['/etcdserverpb.Maintenance/HashKV', [HashKVRequest.encode({ revision: 4 }).finish()]],
    ['/etcdserverpb.Maintenance/MoveLeader', [MoveLeaderRequest.encode({ targetID: 5n }).finish()]],
    ['/grpc.health.v1.Health/Check', [Buffer.alloc(0)]],
  ];
}

function waitingRequests(): Sample[] {
  const leader = { name: a, key: b, rev: 4, lease: 7n };
  const lock = LockRequest.fromPartial({ name: a, lease: 7n });
  return [
    ['/v3lockpb.Lock/Lock', [LockRequest.encode(lock).finish()]],
    ['/v3lockpb.Lock/Unlock', [UnlockRequest.encode({ key: a }).finish()]],
    [
      '/v3electionpb.Election/Campaign',
      [CampaignRequest.encode({ name: a, lease: 7n, value }).finish()],
    ],
    ['/v3electionpb.Election/Proclaim', [ProclaimRequest.encode({ leader, value }).finish()]],
    ['/v3electionpb.Election/Leader', [LeaderRequest.encode({ name: a }).finish()]],
    ['/v3electionpb.Election/Observe', [LeaderRequest.encode({ name: a }).finish()]],
    ['/v3electionpb.Election/Resign', [ResignRequest.encode({ leader }).finish()]],
  ];
}

/** One of each, as clients send them. */
export function sampleRequests(): Sample[] {
  return [
    ...keyValueRequests(),
    ...watchRequests(),
    ...leaseRequests(),
    ...upkeepRequests(),
    ...waitingRequests(),
  ];
}
