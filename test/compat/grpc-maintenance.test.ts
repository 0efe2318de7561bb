import { expect } from 'vitest';
import {
  AlarmRequest_AlarmAction,
  type AlarmResponse,
  AlarmType,
  type DefragmentResponse,
  type StatusResponse,
} from '../../src-main/proto/etcd/rpc.ts';
import { compatSuite } from './support/compat.ts';
import { call, failure, type GrpcClients, withClients } from './support/grpc.ts';
import { mask } from './support/mask.ts';

const KEY = Buffer.from('key');
const { ACTIVATE, DEACTIVATE, GET } = AlarmRequest_AlarmAction;

const alarm = (
  c: GrpcClients,
  action: AlarmRequest_AlarmAction,
  type: AlarmType,
  memberID = 0n,
): Promise<AlarmResponse> =>
  call((...rest) => c.maintenance.alarm({ action, memberID, alarm: type }, ...rest));

/** Which alarms an answer names; the member differs from cluster to cluster. */
const types = ({ alarms }: { alarms: { alarm: AlarmType }[] }) => alarms.map((one) => one.alarm);

const status = (c: GrpcClients): Promise<StatusResponse> =>
  call((...rest) => c.maintenance.status({}, ...rest));
const defragment = (c: GrpcClients): Promise<DefragmentResponse> =>
  call((...rest) => c.maintenance.defragment({}, ...rest));

const outcome = (answer: Promise<unknown>) =>
  answer.then(
    () => 'done',
    () => failure(answer),
  );

/** What a client may do now. */
async function allowed(c: GrpcClients): Promise<unknown> {
  const put = { request: { $case: 'requestPut' as const, value: { key: KEY } } };
  const get = { request: { $case: 'requestRange' as const, value: { key: KEY } } };
  const lease = BigInt(Math.floor(Math.random() * 1e9) + 1);
  const revision = await c.revision();
  return {
    range: await outcome(c.range({ key: KEY })),
    serializable: await outcome(c.range({ key: KEY, serializable: true })),
    readingTxn: await outcome(c.txn({ success: [get] })),
    put: await outcome(c.set('key', 'value')),
    puttingTxn: await outcome(c.txn({ success: [put] })),
    untakenPut: await outcome(c.txn({ failure: [put] })),
    deleteRange: await outcome(c.deleteRange({ key: Buffer.from('none') })),
    compact: await outcome(c.compact(revision)),
    grant: await outcome(c.grant(lease, 60)),
    revoke: await outcome(c.revoke(lease)),
    defragment: await outcome(defragment(c)),
    memberList: await outcome(
      call((...rest) => c.cluster.memberList({ linearizable: true }, ...rest)),
    ),
  };
}

compatSuite('Maintenance', [], (it) => {
  it('status', (target) =>
    withClients(target, async (c) => {
      await c.set('key', 'value');
      const answer = await status(c);
      expect(answer.dbSize).toBeGreaterThan(0);
      expect(answer.dbSizeInUse).toBeGreaterThan(0);
      expect(answer.raftAppliedIndex).toBeLessThanOrEqual(answer.raftIndex);
      expect(answer.leader).toBe(answer.header?.memberId);
      const { header, isLearner, errors } = answer;
      return mask({ header, isLearner, errors }, header?.revision ?? 0);
    }));

  for (const [name, type] of [
    ['NOSPACE', AlarmType.NOSPACE],
    ['CORRUPT', AlarmType.CORRUPT],
  ] as const) {
    it(`a ${name} alarm: raised, listed, what it refuses, disarmed`, (target) =>
      withClients(target, async (c) => {
        await c.set('key', 'value');
        const own = (await status(c)).header?.memberId;
        try {
          const raised = await alarm(c, ACTIVATE, type, own);
          const again = await alarm(c, ACTIVATE, type, own);
          const listed = await alarm(c, GET, AlarmType.NONE);
          const ofType = await alarm(c, GET, type);
          const rest = await allowed(c);
          const answer = await status(c);
          return {
            raised: types(raised),
            again: types(again),
            listed: types(listed),
            ofType: types(ofType),
            rest,
            errors: answer.errors.map((line) => line.replace(/\d{6,}/, '<member>')),
          };
        } finally {
          const disarmed = await alarm(c, DEACTIVATE, type, own);
          expect(types(disarmed)).toEqual([type]);
          await c.set('key', 'after');
        }
      }));
  }

  it('disarming what is not raised, and an alarm of a stranger', (target) =>
    withClients(target, async (c) => {
      const none = await alarm(c, DEACTIVATE, AlarmType.NOSPACE, 77n);
      const stranger = await alarm(c, ACTIVATE, AlarmType.NOSPACE, 77n);
      const refused = await failure(c.set('key', 'value'));
      const disarmed = await alarm(c, DEACTIVATE, AlarmType.NOSPACE, 77n);
      await c.set('key', 'value');
      return [types(none), types(stranger), refused, types(disarmed)];
    }));

  it('defragment answers a header', (target) =>
    withClients(target, async (c) => {
      const base = await c.revision();
      const { header } = await defragment(c);
      return mask(header, base);
    }));
});
