import {
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmType,
  CompactionRequest,
  DefragmentRequest,
} from '../../../src-main/proto/etcd/rpc.ts';
import { until } from '../../support/cluster.ts';
import { Calls, revisionOf, type Target, unary } from './calls.ts';
import type { Scene } from './faults.ts';
import { alarmsIn } from './observer.ts';
import type { Recorder } from './recorder.ts';

/** Of every member's state. A run without what is put here stays well below. */
export const QUOTA_BYTES = 8 * 1024 * 1024;
const VALUE_BYTES = 64 * 1024;
const FILL_KEYS = 16;
/** Several times the quota: some are not answered. */
const MAX_PUTS = 400;
/** Deletions, compaction, three defragmentations and the end of the alarm, however often repeated. */
const MAKE_ROOM_MS = 180_000;
/** Larger things than single keys are given more time. */
const UPKEEP_DEADLINE_MS = 15_000;
const CLIENT = 90;

/** Puts large values until the cluster refuses them, and makes room again as an operator does. */
export async function fillQuota({ recorder, members, random }: Scene): Promise<void> {
  const targets = members.clients.map((client, i) => ({ client, name: `m${i}` }));
  const calls = new Calls(recorder, CLIENT);
  const any = () => targets[random.below(targets.length)] as Target;
  recorder.fault('quota', []);
  for (let i = 0; i < MAX_PUTS; i++) {
    const to = any();
    const value = `${recorder.nowMs} `.padEnd(VALUE_BYTES, 'x');
    const put = await calls.put(to, `q${i % FILL_KEYS}`, value);
    if (put === undefined && (await alarmsOf(to)).length > 0) break;
  }
  await until('there is room again', () => makeRoom(recorder, calls, targets), MAKE_ROOM_MS);
}

async function makeRoom(
  recorder: Recorder,
  calls: Calls,
  targets: readonly Target[],
): Promise<true | undefined> {
  const [first] = targets as [Target];
  try {
    for (let i = 0; i < FILL_KEYS; i++) await calls.delete(first, `q${i}`);
    await compactAll(recorder, first);
    for (const { client } of targets) {
      const { maintenance } = client;
      const defragment = maintenance.defragment.bind(maintenance);
      await unary(defragment, DefragmentRequest.create({}), UPKEEP_DEADLINE_MS);
    }
    for (const { member } of await alarmsOf(first)) await disarm(recorder, first, member);
    // The alarm is raised anew if there is a member without room.
    return (await calls.put(first, 'q0', `${recorder.nowMs}`)) && true;
  } catch {
    return undefined;
  }
}

async function compactAll(recorder: Recorder, { client, name }: Target): Promise<void> {
  const { header } = await client.get('q0');
  const revision = header?.revision ?? 0;
  const call = { kind: 'compact', client: CLIENT, member: name, key: '' } as const;
  await recorder.record({ ...call, input: { revision, physical: true } }, async () => {
    const request = CompactionRequest.fromPartial({ revision, physical: true });
    const compact = client.kv.compact.bind(client.kv);
    return revisionOf(await unary(compact, request, UPKEEP_DEADLINE_MS));
  });
}

async function disarm(recorder: Recorder, { client, name }: Target, about: bigint): Promise<void> {
  const call = { kind: 'alarmDisarm', client: CLIENT, member: name, key: '' } as const;
  const input = { member: about.toString(16) };
  await recorder.record({ ...call, input }, async () => {
    const action = AlarmRequest_AlarmAction.DEACTIVATE;
    const request = { action, memberID: about, alarm: AlarmType.NOSPACE };
    const alarm = client.maintenance.alarm.bind(client.maintenance);
    return revisionOf(await unary(alarm, AlarmRequest.fromPartial(request), UPKEEP_DEADLINE_MS));
  });
}

async function alarmsOf({ client }: Target): Promise<{ member: bigint }[]> {
  const status = await client.status().catch(() => undefined);
  return status === undefined ? [] : alarmsIn(status);
}
