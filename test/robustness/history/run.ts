import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../../src-main/base/errors.ts';
import { seededRandom } from '../../../src-main/base/prng.ts';
import { LeaseLeasesRequest } from '../../../src-main/proto/etcd/rpc.ts';
import type { History, KvHash, LeaseEvent } from '../../sim/history.ts';
import { until } from '../../support/cluster.ts';
import { type Engine, Members } from '../../support/members.ts';
import { Calls, type Target, unary } from './calls.ts';
import { doHarm, type Scene } from './faults.ts';
import { QUOTA_BYTES } from './fill.ts';
import { Network } from './network.ts';
import { hashOf, observe } from './observer.ts';
import { Recorder } from './recorder.ts';
import { doUpkeep } from './upkeep.ts';
import { Watcher, watchNowAndThen } from './watcher.ts';
import { LEASE_PREFIX, useKeys, useLeases } from './workload.ts';

const MEMBERS = 3;
const KEY_CLIENTS = 8;
const LEASE_CLIENTS = 2;
const UPKEEP_CLIENT = 0;
const LAST_CLIENT = 91;
/** For leases that run out, for members that catch up, for watches that come to their end, on a busy machine. */
const FINISH_MS = 120_000;
/** For what a machine with nothing else to do acknowledges in seconds. */
const ENOUGH_MS = 180_000;
/** In the range of every watch. */
const LAST_KEY = 'k2';
const FLAGS = [
  // So few entries that members that were down need a snapshot.
  ...['--snapshot-count', '500', '--quota-backend-bytes', String(QUOTA_BYTES)],
  ...['--experimental-watch-progress-notify-interval', '300ms'],
];
const ALL = { key: '\0', end: '\0', startRevision: 1, noPut: false, noDelete: false };

export interface RunOptions {
  /** Decides which harm comes to whom, and what the clients do. */
  seed: number;
  seconds: number;
  /** If so many calls were not acknowledged by then, as on a busy machine, it goes on until they are. */
  minAcknowledged?: number;
  engine: Engine;
}

export interface Run {
  history: History;
  /** Why it ended early: the cluster did not answer, or did not agree, in time. */
  failure: string | undefined;
  /** What each member logged. */
  logs: string[];
}

/** Real members under load and harm for a while, then mended; answers everything that was seen. */
export async function runRealCluster(options: RunOptions): Promise<Run> {
  const { seed, engine } = options;
  const recorder = new Recorder(seed, engine);
  recorder.history.quotaBytes = QUOTA_BYTES;
  const network = new Network(engine === 'raftdeck');
  const members = await Members.prepare({
    count: MEMBERS,
    engine,
    flags: FLAGS,
    advertisedPeerPort: (_, listenPort) => network.before(listenPort),
  });
  let failure: string | undefined;
  try {
    members.startAll();
    await members.leader();
    await load({ recorder, members, network, engine, random: seededRandom(seed) }, options);
  } catch (error) {
    failure = errorMessage(error);
  } finally {
    for (const { process } of members.nodes.flatMap((node) => node ?? [])) process.kill('SIGCONT');
    await members.stop();
    network.close();
  }
  recorder.history.leases = leaseEnds(recorder.history);
  const logs = members.nodes.map((_, i) => members.said(i));
  return { history: recorder.history, failure, logs };
}

async function load(scene: Scene, { seconds, minAcknowledged = 0 }: RunOptions): Promise<void> {
  const { recorder, members } = scene;
  const { seed } = recorder.history;
  const targets = members.clients.map((client, i) => ({ client, name: `m${i}` }));
  // etcd before 3.4.25 tells progress ahead of events: https://github.com/etcd-io/etcd/issues/15220.
  const progressNotify = scene.engine === 'raftdeck';
  const filters = [
    {},
    { prevKv: false },
    { noDelete: true },
    { key: 'k1', end: 'k3', noPut: true },
  ];
  const watchers = filters.map((filter, i) => {
    const spec = { ...ALL, prevKv: true, progressNotify, ...filter };
    return new Watcher(recorder, targets, i, spec);
  });
  const abort = new AbortController();
  const { signal } = abort;
  const clients = Array.from({ length: KEY_CLIENTS + LEASE_CLIENTS }, (_, client) => {
    const use = client < KEY_CLIENTS ? useKeys : useLeases;
    return use(recorder, client + 1, targets, seededRandom(seed * 1_000 + client), signal);
  });
  const others = [
    doUpkeep(recorder, UPKEEP_CLIENT, targets, seededRandom(seed + 1), signal),
    watchNowAndThen(scene, targets, signal),
    observe(scene, targets, signal),
  ];
  const harm = doHarm(scene, signal);
  try {
    try {
      // Harm that is not mended in time fails the run at once.
      await Promise.race([sleep(seconds * 1_000), harm]);
      const isEnough = () => signal.aborted || acknowledged(recorder.history) >= minAcknowledged;
      await Promise.race([until('enough to judge', isEnough, ENOUGH_MS), harm]);
    } finally {
      abort.abort();
      await Promise.all([...clients, ...others]);
    }
    await harm;
    await finish(recorder, members, targets, watchers);
  } finally {
    for (const watcher of watchers) watcher.stop();
  }
}

/**
 * All is mended: leases run out, every member shows the whole state, they agree, and the watches come to the end.
 * That nothing acknowledged is missing is for the oracles to see, from what the members show.
 */
async function finish(
  recorder: Recorder,
  members: Members,
  targets: readonly Target[],
  watchers: readonly Watcher[],
): Promise<void> {
  await members.leader();
  const first = targets[0] as Target;
  const { lease } = first.client;
  const leases = async (): Promise<string[]> => {
    const list = lease.leaseLeases.bind(lease);
    const answer = await unary(list, LeaseLeasesRequest.create({}));
    return answer.leases.map(({ ID }) => ID.toString(16));
  };
  const gone = async () => ((await leases()).length === 0 ? true : undefined);
  await until('no leases', () => gone().catch(() => undefined), FINISH_MS);
  const calls = new Calls(recorder, LAST_CLIENT);
  const end = await until('an end for the watches', () => markEnd(calls, first, recorder.nowMs));
  for (const serializable of [true, false]) {
    for (const target of targets) {
      await until(`all of ${target.name}`, () => calls.range(target, '\0', '\0', serializable));
    }
  }
  const state = await until('the state', () => calls.range(first, '\0', '\0', false));
  const { revision, kvs } = state;
  const hashes = await until('equal compactions', () => sums(targets, revision), FINISH_MS);
  for (const watcher of watchers) {
    const last = watcher.watch.spec.noDelete ? end.put : end.deletion;
    const isThere = () => (watcher.seenRevision >= last ? true : undefined);
    // One that never gets there is for the oracle to report.
    await until('the end of a watch', isThere, FINISH_MS).catch(() => undefined);
    watcher.watch.settled = true;
    watcher.stop();
  }
  const left = await leases();
  recorder.history.final = { atMs: recorder.nowMs, revision, kvs, leases: left, hashes };
}

/**
 * A put and a deletion in the range of every watch, so that each has an end to wait for; undefined if either had no
 * answer. Both are made anew then: a deletion that was done without an answer finds nothing the next time.
 */
async function markEnd(calls: Calls, to: Target, nowMs: number) {
  const put = await calls.put(to, LAST_KEY, `end ${nowMs}`);
  const deletion = put && (await calls.delete(to, LAST_KEY));
  if (put === undefined || deletion?.deleted !== 1) return undefined;
  return { put: put.revision, deletion: deletion.revision };
}

/** Every member's sum at the revision; undefined until they can be compared. */
async function sums(targets: readonly Target[], revision: number): Promise<KvHash[] | undefined> {
  try {
    const all = await Promise.all(targets.map((target) => hashOf(target, revision)));
    const compacted = new Set(all.map(({ compactRevision }) => compactRevision));
    return compacted.size === 1 ? all : undefined;
  } catch {
    return undefined;
  }
}

const acknowledged = ({ operations }: History): number =>
  operations.filter(({ outcome }) => outcome.ok).length;

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
