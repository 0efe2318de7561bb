import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../../src-main/base/prng.ts';
import {
  HashKVRequest,
  LeaseLeasesRequest,
  RangeRequest,
} from '../../../src-main/proto/etcd/rpc.ts';
import type { History, KvHash, LeaseEvent } from '../../sim/history.ts';
import { until } from '../../support/cluster.ts';
import { type Engine, Members } from '../../support/members.ts';
import { Calls, revisionOf, type Target, unary } from './calls.ts';
import { doHarm, type Scene } from './faults.ts';
import { Network } from './network.ts';
import { bytes, Recorder, toKeyValue } from './recorder.ts';
import { doUpkeep } from './upkeep.ts';
import { Watcher } from './watcher.ts';
import { LEASE_PREFIX, useKeys, useLeases } from './workload.ts';

const MEMBERS = 3;
const KEY_CLIENTS = 8;
const LEASE_CLIENTS = 2;
const OBSERVE_EVERY_MS = 250;
/** In the range of every watch. */
const LAST_KEY = 'k2';
const ALL = { key: '\0', end: '\0', startRevision: 1, noPut: false, noDelete: false };

export interface RunOptions {
  /** Decides which harm comes to whom, and what the clients do. */
  seed: number;
  seconds: number;
  engine: Engine;
}

/** Real members under load and harm for a while, then mended; answers everything that was seen. */
export async function runRealCluster({ seed, seconds, engine }: RunOptions): Promise<History> {
  const recorder = new Recorder(seed);
  const network = new Network(engine === 'raftdeck');
  const members = await Members.prepare({
    count: MEMBERS,
    engine,
    // So few that members that were down need a snapshot.
    flags: ['--snapshot-count', '500'],
    advertisedPeerPort: (_, listenPort) => network.before(listenPort),
  });
  try {
    members.startAll();
    await members.leader();
    await load({ recorder, members, network, engine, random: seededRandom(seed) }, seconds);
  } finally {
    for (const { process } of members.nodes.flatMap((node) => node ?? [])) process.kill('SIGCONT');
    await members.stop();
    network.close();
  }
  recorder.history.leases = leaseEnds(recorder.history);
  return recorder.history;
}

async function load(scene: Scene, seconds: number): Promise<void> {
  const { recorder, members } = scene;
  const { seed } = recorder.history;
  const targets = members.clients.map((client, i) => ({ client, name: `m${i}` }));
  const filters = [
    {},
    { prevKv: false },
    { noDelete: true },
    { key: 'k1', end: 'k3', noPut: true },
  ];
  const watchers = filters.map((filter, i) => {
    const spec = { ...ALL, prevKv: true, progressNotify: true, ...filter };
    return new Watcher(recorder, targets, i, spec);
  });
  const abort = new AbortController();
  const { signal } = abort;
  const clients = Array.from({ length: KEY_CLIENTS + LEASE_CLIENTS }, (_, client) => {
    const use = client < KEY_CLIENTS ? useKeys : useLeases;
    return use(recorder, client + 1, targets, seededRandom(seed * 1_000 + client), signal);
  });
  const others = [
    doUpkeep(recorder, targets, seededRandom(seed + 1), signal),
    observe(recorder, members, targets, signal),
  ];
  const harm = doHarm(scene, signal);
  try {
    // Harm that is not mended in time fails the run at once.
    await Promise.race([sleep(seconds * 1_000), harm]);
  } finally {
    abort.abort();
    await Promise.all([...clients, ...others]);
    await harm;
  }
  await finish(recorder, members, targets, watchers);
}

async function observe(
  recorder: Recorder,
  members: Members,
  targets: readonly Target[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const pids = targets.map((_, i) => members.node(i).pid);
    await Promise.all(targets.map((target, i) => observeOne(recorder, target, pids[i] as number)));
    await sleep(OBSERVE_EVERY_MS);
  }
}

/** What a member says of itself. Its process stands for its incarnation; one that was replaced is another member. */
async function observeOne(recorder: Recorder, target: Target, pid: number): Promise<void> {
  const { client, name } = target;
  const hash = await hashOf(target, 0).catch(() => undefined);
  const status = await client.status(1_000).catch(() => undefined);
  if (status?.header === undefined || hash === undefined) return;
  const memberId = status.header.memberId.toString(16);
  const member = `${name}/${memberId}`;
  const leader = status.leader.toString(16);
  const { raftIndex: commit, raftAppliedIndex: applied, raftTerm: term, dbSize } = status;
  recorder.history.observations.push({
    ...{ atMs: recorder.nowMs, member, memberId, incarnation: pid, term, vote: '0', leader },
    role: leader === memberId ? 'leader' : 'follower',
    ...{ commit, applied, firstIndex: 0, lastIndex: commit, revision: status.header.revision },
    ...{ compactRevision: hash.compactRevision, voters: [], learners: [], alarms: [] },
    ...{ stateBytes: dbSize, hash },
  });
}

async function hashOf({ client: { maintenance } }: Target, revision: number): Promise<KvHash> {
  const request = HashKVRequest.fromPartial({ revision });
  const answer = await unary(maintenance.hashKv.bind(maintenance), request);
  const { hash, compactRevision, hashRevision, header } = answer;
  // etcd 3.4 does not say of which revision it is.
  return { revision: hashRevision || revision || (header?.revision ?? 0), compactRevision, hash };
}

/** All is mended: leases run out, the members must agree, and the watches must come to the end. */
async function finish(
  recorder: Recorder,
  members: Members,
  targets: readonly Target[],
  watchers: readonly Watcher[],
): Promise<void> {
  await members.leader();
  const first = targets[0] as Target;
  const { lease, kv } = first.client;
  const leases = async (): Promise<string[]> => {
    const list = lease.leaseLeases.bind(lease);
    const answer = await unary(list, LeaseLeasesRequest.create({}));
    return answer.leases.map(({ ID }) => ID.toString(16));
  };
  const gone = async () => ((await leases()).length === 0 ? true : undefined);
  await until('no leases', () => gone().catch(() => undefined), 30_000);
  // A put and a deletion in the range of every watch, so that each has an end to wait for.
  const calls = new Calls(recorder, 0);
  const put = await until('a put', () => calls.put(first, LAST_KEY, `end ${recorder.nowMs}`));
  const deletion = await until('a deletion', async () => {
    const answer = await calls.delete(first, LAST_KEY);
    return answer?.deleted === 1 ? answer : undefined;
  });
  const range = RangeRequest.fromPartial({ key: bytes('\0'), rangeEnd: bytes('\0') });
  const state = await unary(kv.range.bind(kv), range);
  const { revision } = revisionOf(state);
  const hashes = await Promise.all(
    targets.map((target) =>
      until(`a sum of ${target.name}`, () => hashOf(target, revision).catch(() => undefined)),
    ),
  );
  for (const watcher of watchers) {
    const end = watcher.watch.spec.noDelete ? put.revision : deletion.revision;
    const isThere = () => (watcher.seenRevision >= end ? true : undefined);
    // One that never gets there is for the oracle to report.
    await until('the end of a watch', isThere, 20_000).catch(() => undefined);
    watcher.watch.settled = true;
    watcher.stop();
  }
  const [kvs, left] = [state.kvs.map(toKeyValue), await leases()];
  recorder.history.final = { atMs: recorder.nowMs, revision, kvs, leases: left, hashes };
}

/** The ends of leases, from the deletions that a watch of everything saw: nobody else deletes keys with a lease. */
function leaseEnds({ watches }: History): LeaseEvent[] {
  const ends = new Map<number, LeaseEvent>();
  for (const item of watches[0]?.items ?? []) {
    if (item.kind !== 'events') continue;
    for (const { type, kv, prevKv } of item.events) {
      if (type === 'put' || !kv.key.startsWith(LEASE_PREFIX) || prevKv === undefined) continue;
      const revision = kv.modRevision;
      const known = ends.get(revision);
      if (known !== undefined) {
        if (!known.keys.includes(kv.key)) known.keys.push(kv.key);
        continue;
      }
      const { atMs } = item;
      const rest = { revision, atMs, ttlSeconds: 0, keys: [kv.key] };
      ends.set(revision, { lease: prevKv.lease, kind: 'gone', ...rest });
    }
  }
  return [...ends.values()];
}
