import { idToHex } from '../../src-main/base/bytes.ts';
import type { RangeResponse } from '../../src-main/proto/etcd/rpc.ts';
import { RangeRequest } from '../../src-main/proto/etcd/rpc.ts';
import { type Administrator, UNSURE_MS } from './administrator.ts';
import { checkAgedLease } from './aged-lease.ts';
import { Chance } from './chance.ts';
import type { SimCluster } from './cluster.ts';
import type { Nemesis } from './nemesis.ts';
import { Operations } from './operations.ts';
import { hashOf } from './run.ts';
import { SimClient } from './sim-client.ts';
import type { SimMember } from './sim-member.ts';
import { toKeyValue } from './sim-watch.ts';
import type { Workload } from './workload.ts';

/** Simulated time in which each of the steps must come true, once nothing is broken any more. */
const HEAL_MS = 120_000;
const ANSWER_MS = 30_000;
const CONVERGE_MS = 60_000;
const WATCH_MS = 60_000;
const LEASES_MS = 60_000;
const POLL_MS = 50;

export interface Parts {
  cluster: SimCluster;
  workload: Workload;
  nemesis: Nemesis;
  administrator: Administrator;
}

/** Everything is healed: now everything must converge and answer, in bounded time. */
export async function checkLiveness(parts: Parts): Promise<void> {
  const { cluster, workload, nemesis, administrator } = parts;
  const { recorder } = cluster;
  nemesis.stop();
  administrator.stop();
  const client = new SimClient(99, cluster.world, Chance.of(cluster.seed, 'checker'), recorder);
  const operations = new Operations(cluster.history, client);
  const isHealed = () => !administrator.isBusy && allRun(cluster);
  const sinceMs = cluster.world.nowMs;
  if (!(await comesTrue(cluster, HEAL_MS, isHealed, () => mend(parts, sinceMs)))) {
    recorder.violation('liveness', 'members', `not all run: ${describe(cluster)}`);
    return;
  }
  for (const member of voters(cluster)) {
    if (!(await answers(cluster, operations, member))) return;
  }
  workload.stop();
  const isIdle = await comesTrue(cluster, ANSWER_MS, () => workload.isIdle);
  if (!isIdle) recorder.violation('liveness', 'clients', 'a call does not return');
  await checkAgedLease(cluster, operations);
  await leasesEnd(cluster);
  if (!(await comesTrue(cluster, CONVERGE_MS, () => isConverged(cluster)))) {
    recorder.violation('liveness', 'members', `not converged: ${describe(cluster)}`);
    return;
  }
  await watchesSettle(cluster, workload);
  await finish(cluster);
}

/** What an operator does while the cluster heals: starts what is down, replaces what is lost. */
async function mend({ cluster, administrator }: Parts, sinceMs: number): Promise<void> {
  for (const member of cluster.members) {
    member.heldDown = false;
    if (member.phase === 'down') member.start();
  }
  if (administrator.isBusy) return;
  if (cluster.world.nowMs - sinceMs > UNSURE_MS) forgetStrangers(cluster);
  const member = cluster.leader();
  if (member !== undefined) await administrator.replaceLost(member);
}

/** Whoever was to join, and never came to be a member. */
function forgetStrangers(cluster: SimCluster): void {
  const known = cluster.leader()?.node?.members();
  if (known === undefined) return;
  for (const member of cluster.members) {
    const urls = member.config.initialAdvertisePeerUrls;
    const isKnown = known.some(({ peerURLs }) => peerURLs.join() === urls.join());
    const isWaiting = member.memberId === undefined && !member.isRunning;
    if (isWaiting && !isKnown && member.incarnation > 0) {
      member.process.alive = false;
      member.phase = 'removed';
    }
  }
}

function allRun(cluster: SimCluster): boolean {
  const leader = cluster.leader();
  const members = leader?.node?.members();
  if (members === undefined) return false;
  const runs = (url: string | undefined) =>
    cluster.running().some(({ config }) => config.initialAdvertisePeerUrls[0] === url);
  if (!members.every(({ peerURLs }) => runs(peerURLs[0]))) return false;
  return cluster.members.every(({ phase }) => phase === 'running' || phase === 'removed');
}

async function answers(
  cluster: SimCluster,
  operations: Operations,
  member: SimMember,
): Promise<boolean> {
  const { world, recorder } = cluster;
  const deadlineMs = world.nowMs + ANSWER_MS;
  let last = '';
  while (world.nowMs < deadlineMs) {
    // An alarm refuses puts, and a member may still be taken out: reads must work in any case.
    if (!member.isRunning) return true;
    const get = await operations.get(member, 'r0', false);
    if (get.outcome.ok) return true;
    last = get.outcome.code;
    await world.sleep(POLL_MS);
  }
  recorder.violation('liveness', member.name, `does not answer: ${last}`);
  return false;
}

function voters(cluster: SimCluster): SimMember[] {
  return cluster.running().filter(({ node }) => node?.isLearner === false);
}

async function leasesEnd(cluster: SimCluster): Promise<void> {
  const left = () => cluster.running().flatMap(({ node }) => node?.state.leases() ?? []);
  if (await comesTrue(cluster, LEASES_MS, () => left().length === 0)) return;
  const ids = left().map(({ id }) => idToHex(id));
  const text = `never end: ${[...new Set(ids)].join()}: ${describe(cluster)}`;
  cluster.recorder.violation('liveness', 'leases', text);
}

function isConverged(cluster: SimCluster): boolean {
  const running = cluster.running();
  const statuses = running.map(({ node }) => node?.raftStatus());
  const first = statuses[0];
  if (first === undefined || first.leader === 0n) return false;
  return running.every(({ node }, i) => {
    const status = statuses[i];
    return (
      status?.leader === first.leader &&
      status.commit === first.commit &&
      status.lastIndex === first.commit &&
      node?.state.appliedIndex === first.commit &&
      node.state.pendingCompaction === undefined
    );
  });
}

/** Every watch gets everything up to the end, and is told so when it asks. */
async function watchesSettle(cluster: SimCluster, { watches }: Workload): Promise<void> {
  const revision = cluster.leader()?.node?.state.revision ?? 0;
  const live = watches.filter(({ record }) => !record.cancelled);
  for (const watch of live) watch.hurry();
  const behind = () =>
    live.filter(({ nextRevision, record }) => {
      return nextRevision <= revision && record.spec.startRevision <= revision + 1;
    });
  const ask = async () => {
    for (const watch of behind()) watch.askProgress();
    await cluster.world.sleep(1_000);
  };
  const isSettled = await comesTrue(cluster, WATCH_MS, () => behind().length === 0, ask);
  for (const watch of behind()) {
    const { watchId, spec } = watch.record;
    const text = `watch ${watchId} on ${spec.key} is at ${watch.nextRevision} of ${revision}`;
    cluster.recorder.violation('liveness', 'watch', text);
  }
  if (isSettled) for (const watch of live) watch.record.settled = true;
}

async function finish(cluster: SimCluster): Promise<void> {
  const { history, recorder, world } = cluster;
  const members = cluster.running();
  const node = cluster.leader()?.node;
  if (node === undefined) return;
  const { revision } = node.state;
  const sums = await Promise.all(members.map((member) => hashOf(cluster, member, revision)));
  const hashes = sums.filter((sum) => sum !== undefined);
  const different = new Set(
    hashes.map(({ hash, compactRevision }) => `${hash}/${compactRevision}`),
  );
  if (different.size !== 1 || hashes.length !== members.length) {
    recorder.violation('state hash', 'at the end', JSON.stringify(hashes));
  }
  recorder.observeLogs(members);
  const all: RangeResponse = node.state.range(
    RangeRequest.fromPartial({ key: Buffer.from([0]), rangeEnd: Buffer.from([0]) }),
  );
  history.final = {
    atMs: world.nowMs,
    revision,
    kvs: all.kvs.map(toKeyValue),
    leases: node.state.leases().map(({ id }) => idToHex(id)),
    hashes,
  };
}

async function comesTrue(
  cluster: SimCluster,
  withinMs: number,
  isTrue: () => boolean,
  meanwhile: () => Promise<void> = async () => {},
): Promise<boolean> {
  const { world } = cluster;
  const deadlineMs = world.nowMs + withinMs;
  while (!isTrue()) {
    if (world.nowMs > deadlineMs) return false;
    await meanwhile();
    await world.sleep(POLL_MS);
  }
  return true;
}

function describe(cluster: SimCluster): string {
  return cluster.members
    .map(({ name, phase, node }) => {
      const status = node?.raftStatus();
      if (status === undefined) return `${name} ${phase}`;
      const { role, term, commit, lastIndex, leader } = status;
      const applied = node?.state.appliedIndex;
      const at = `term ${term} leader ${idToHex(leader)} applied ${applied}/${commit}/${lastIndex}`;
      const others = status.confState.voters.map(idToHex).join();
      return `${name} ${role} ${at} pending ${node?.state.pendingCompaction} voters ${others}`;
    })
    .join('; ');
}
