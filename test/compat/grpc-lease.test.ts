import { expect } from 'vitest';
import {
  AlarmRequest,
  type AlarmResponse,
  type LeaseKeepAliveResponse,
  type LeaseLeasesResponse,
  type LeaseTimeToLiveResponse,
  MemberListRequest,
  type MemberListResponse,
  type MoveLeaderResponse,
  type StatusResponse,
} from '../../src-main/proto/etcd/rpc.ts';
import { until } from '../support/cluster.ts';
import { compatSuite } from './support/compat.ts';
import { call, type GrpcClients, WatchCall, withClients } from './support/grpc.ts';
import { mask } from './support/mask.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

function timeToLive(clients: GrpcClients, ID: bigint, keys: boolean) {
  return call<LeaseTimeToLiveResponse>((...rest) =>
    clients.lease.leaseTimeToLive({ ID, keys }, ...rest),
  );
}

/** Sends the ids over one KeepAlive stream and answers as many responses. */
async function keepAlive(clients: GrpcClients, ids: bigint[]): Promise<LeaseKeepAliveResponse[]> {
  const stream = clients.lease.leaseKeepAlive();
  for (const ID of ids) stream.write({ ID });
  stream.end();
  const responses: LeaseKeepAliveResponse[] = [];
  for await (const response of stream) responses.push(response as LeaseKeepAliveResponse);
  return responses;
}

compatSuite('Lease, Cluster and Maintenance over gRPC', [], (compat) => {
  compat('lease: the life of one', (target) =>
    withClients(target, async (clients) => {
      const base = await clients.revision();
      const answers: unknown[] = [await clients.grant(8001n, 600)];
      await clients.put({ key: bytes('le/a'), value: bytes('1'), lease: 8001n });
      await clients.put({ key: bytes('le/b'), value: bytes('2'), lease: 8001n });
      const before = await timeToLive(clients, 8001n, true);
      expect(before.TTL).toBeGreaterThan(590);
      expect(before.TTL).toBeLessThanOrEqual(600);
      expect(before.keys.map(String).sort()).toEqual(['le/a', 'le/b']);
      answers.push(await keepAlive(clients, [8001n, 8002n, 8001n]));
      answers.push(
        await call<LeaseLeasesResponse>((...rest) => clients.lease.leaseLeases({}, ...rest)),
      );
      answers.push(await clients.revoke(8001n));
      answers.push(await timeToLive(clients, 8001n, true));
      answers.push(await clients.range({ key: bytes('le/'), rangeEnd: bytes('le0') }));
      expect(answers[4]).toMatchObject({ TTL: -1, grantedTTL: 0, keys: [] });
      return mask(answers, base);
    }),
  );

  compat('lease: an id of the server’s choice', (target) =>
    withClients(target, async (clients) => {
      const [a, b] = [await clients.grant(0n, 600), await clients.grant(0n, 600)];
      expect(a.ID > 0n && b.ID > 0n && a.ID !== b.ID).toBe(true);
      await clients.revoke(a.ID);
      await clients.revoke(b.ID);
      return [a.TTL, a.error];
    }),
  );

  compat('lease: expiry deletes its keys in one revision, which watchers see', (target) =>
    withClients(target, async (clients) => {
      const base = await clients.revision();
      const watch = new WatchCall(clients);
      const value = { key: bytes('ex/'), rangeEnd: bytes('ex0') };
      watch.send({ requestUnion: { $case: 'createRequest', value } });
      await watch.responses(1);
      // Shorter than etcd's minimum, which then holds.
      await clients.grant(8010n, 1);
      await clients.put({ key: bytes('ex/b'), value: bytes('1'), lease: 8010n });
      await clients.put({ key: bytes('ex/a'), value: bytes('2'), lease: 8010n });
      const events = await watch.events(4);
      watch.close();
      expect(new Set(events.slice(2).map(({ kv }) => kv?.modRevision)).size).toBe(1);
      const left = await until('the lease is gone', async () => {
        const { leases } = await call<LeaseLeasesResponse>((...rest) =>
          clients.lease.leaseLeases({}, ...rest),
        );
        return leases.some(({ ID }) => ID === 8010n) ? undefined : leases;
      });
      return mask([events, left], base);
    }),
  );

  compat('cluster: the list of members', (target) =>
    withClients(target, async (clients) => {
      const list = (linearizable: boolean) =>
        call<MemberListResponse>((...rest) =>
          clients.cluster.memberList(MemberListRequest.fromPartial({ linearizable }), ...rest),
        );
      const { members, header } = await list(true);
      expect(members).toHaveLength(1);
      expect(members[0]?.ID).toBe(header?.memberId);
      expect((await list(false)).members).toEqual(members);
      return [members[0]?.name, members[0]?.isLearner, members[0]?.clientURLs.length];
    }),
  );

  compat('maintenance: status and alarms', (target) =>
    withClients(target, async (clients) => {
      const status = await call<StatusResponse>((...rest) =>
        clients.maintenance.status({}, ...rest),
      );
      expect(status.leader).toBe(status.header?.memberId);
      expect(status.raftIndex).toBeGreaterThan(0);
      expect(status.raftAppliedIndex).toBeLessThanOrEqual(status.raftIndex);
      expect(status.dbSize).toBeGreaterThanOrEqual(status.dbSizeInUse);
      const alarm = (request: Parameters<typeof AlarmRequest.fromPartial>[0]) =>
        call<AlarmResponse>((...rest) =>
          clients.maintenance.alarm(AlarmRequest.fromPartial(request), ...rest),
        );
      const memberID = status.header?.memberId ?? 0n;
      const raised = await alarm({ action: 1, memberID, alarm: 1 });
      const listed = await alarm({});
      const full = await clients.set('al/a', '1').catch((error: unknown) => error);
      const read = await clients.range({ key: bytes('al/a') });
      const disarmed = await alarm({ action: 2, memberID, alarm: 1 });
      const after = await clients.set('al/a', '2');
      expect(listed.alarms).toEqual([{ memberID, alarm: 1 }]);
      expect(full).toMatchObject({ details: 'etcdserver: mvcc: database space exceeded' });
      expect(after.header?.revision).toBeGreaterThan(0);
      return [raised, listed, disarmed].map(({ alarms }) => alarms.length).concat(read.count);
    }),
  );

  compat('maintenance: leadership goes to members only', (target) =>
    withClients(target, async (clients) => {
      const answer = call<MoveLeaderResponse>((...rest) =>
        clients.maintenance.moveLeader({ targetID: 12345n }, ...rest),
      );
      const error = await answer.catch((failed: unknown) => failed);
      expect(error).toMatchObject({ details: 'etcdserver: bad leader transferee' });
      return (error as { code: number }).code;
    }),
  );
});
