import { setTimeout as sleep } from 'node:timers/promises';
import { HashKVRequest, type StatusResponse } from '../../../src-main/proto/etcd/rpc.ts';
import type { KvHash } from '../../sim/history.ts';
import type { Engine, Members } from '../../support/members.ts';
import { type Target, unary } from './calls.ts';
import type { Recorder } from './recorder.ts';

const EVERY_MS = 250;

/** Writes down what the members say of themselves. */
export async function observe(
  { recorder, members, engine }: { recorder: Recorder; members: Members; engine: Engine },
  targets: readonly Target[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const pids = targets.map((_, i) => members.node(i).pid);
    const each = (target: Target, i: number) =>
      observeOne(recorder, target, pids[i] as number, engine);
    await Promise.all(targets.map(each));
    await sleep(EVERY_MS);
  }
}

/** Its process stands for its incarnation; one that was replaced is another member. */
async function observeOne(
  recorder: Recorder,
  target: Target,
  pid: number,
  engine: Engine,
): Promise<void> {
  const { client, name } = target;
  const hash = await hashOf(target, 0).catch(() => undefined);
  const status = await client.status(1_000).catch(() => undefined);
  if (status?.header === undefined || hash === undefined) return;
  const memberId = status.header.memberId.toString(16);
  const member = `${name}/${memberId}`;
  const leader = status.leader.toString(16);
  const { raftIndex: commit, raftAppliedIndex: applied, raftTerm: term, dbSize } = status;
  const alarms = alarmsIn(status).map((alarm) => ({ ...alarm, member: alarm.member.toString(16) }));
  recorder.history.observations.push({
    ...{ atMs: recorder.nowMs, member, memberId, incarnation: pid, term, vote: '0', leader },
    // etcd's term is that of the last entry it has applied, not the one that the leader leads in.
    role: leader === memberId && engine === 'raftdeck' ? 'leader' : 'follower',
    ...{ commit, applied, firstIndex: 0, lastIndex: commit, revision: status.header.revision },
    ...{ compactRevision: hash.compactRevision, voters: [], learners: [], alarms },
    ...{ stateBytes: dbSize, hash },
  });
}

/** Sum over all keys up to the revision; 0 is the newest. */
export async function hashOf(target: Target, revision: number): Promise<KvHash> {
  const { maintenance } = target.client;
  const request = HashKVRequest.fromPartial({ revision });
  const answer = await unary(maintenance.hashKv.bind(maintenance), request);
  const { hash, compactRevision, hashRevision, header } = answer;
  // etcd 3.4 does not say of which revision it is.
  return { revision: hashRevision || revision || (header?.revision ?? 0), compactRevision, hash };
}

/** A status names alarms as texts, and needs no quorum to do so. */
export function alarmsIn({ errors }: StatusResponse): { member: bigint; alarm: string }[] {
  return errors.flatMap((error) => {
    const [, member, alarm] = /memberID:(\d+) alarm:(\w+)/.exec(error) ?? [];
    return member === undefined || alarm === undefined ? [] : [{ member: BigInt(member), alarm }];
  });
}
