import { setTimeout as sleep } from 'node:timers/promises';
import { Metadata } from '@grpc/grpc-js';
import type { Random } from '../../../src-main/base/prng.ts';
import {
  CompactionRequest,
  DefragmentRequest,
  MoveLeaderRequest,
  SnapshotRequest,
} from '../../../src-main/proto/etcd/rpc.ts';
import { revisionOf, type Target, unary } from './calls.ts';
import type { Recorder } from './recorder.ts';

/** Revisions of history that compaction leaves. */
const KEPT_REVISIONS = 300;
const EVERY_MS = 1_000;
const SNAPSHOT_DEADLINE_MS = 5_000;

/** What an operator does to a cluster that runs: compacts, defragments, saves snapshots, moves the leader. */
export async function doUpkeep(
  recorder: Recorder,
  client: number,
  targets: readonly Target[],
  random: Random,
  signal: AbortSignal,
): Promise<void> {
  const compacts = (to: Target) => compact(recorder, client, to, random.below(2) === 0);
  const others = [defragment, saveSnapshot, (to: Target) => moveLeader(to, targets)];
  for (let turn = 0; !signal.aborted; turn++) {
    await sleep(EVERY_MS);
    const to = targets[random.below(targets.length)] as Target;
    const work = turn % 2 === 0 ? compacts : others[(turn >> 1) % others.length];
    // Members that are down cannot be kept up.
    await work?.(to).catch(() => {});
  }
}

async function compact(
  recorder: Recorder,
  client: number,
  to: Target,
  physical: boolean,
): Promise<void> {
  const head = await to.client.status(1_000);
  const revision = (head.header?.revision ?? 0) - KEPT_REVISIONS;
  if (revision < 1) return;
  const call = { kind: 'compact', client, member: to.name, key: '' } as const;
  await recorder.record({ ...call, input: { revision, physical } }, async () => {
    const request = CompactionRequest.fromPartial({ revision, physical });
    return revisionOf(await unary(to.client.kv.compact.bind(to.client.kv), request));
  });
}

async function defragment({ client: { maintenance } }: Target): Promise<void> {
  await unary(maintenance.defragment.bind(maintenance), DefragmentRequest.create({}));
}

async function saveSnapshot({ client }: Target): Promise<void> {
  const options = { deadline: Date.now() + SNAPSHOT_DEADLINE_MS };
  const request = SnapshotRequest.create({});
  const stream = client.maintenance.snapshot(request, new Metadata(), options);
  await new Promise((resolve, reject) =>
    stream
      .on('data', () => {})
      .on('end', resolve)
      .on('error', reject),
  );
}

async function moveLeader(to: Target, targets: readonly Target[]): Promise<void> {
  const { leader } = await to.client.status(1_000);
  const heads = await Promise.all(targets.map(({ client }) => client.status(1_000)));
  const at = heads.findIndex(({ header }) => header?.memberId === leader);
  const next = heads[(at + 1) % heads.length]?.header?.memberId ?? 0n;
  const { maintenance } = (targets[at] ?? to).client;
  const request = MoveLeaderRequest.fromPartial({ targetID: next });
  await unary(maintenance.moveLeader.bind(maintenance), request);
}
