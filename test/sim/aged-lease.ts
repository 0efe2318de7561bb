import { idToHex } from '../../src-main/base/bytes.ts';
import type { SimCluster } from './cluster.ts';
import type { Operations } from './operations.ts';
import type { SimMember } from './sim-member.ts';
import { CHECKPOINT_INTERVAL_MS } from './small-limits.ts';

const LEASE = '00000000a9ed1ea5';
const TTL_SECONDS = 40;
const AGE_MS = 15_000;
/** For the way of a checkpoint to the members, and for rounding. */
const SLACK_MS = 3_000;
const CHANGE_MS = 20_000;
const POLL_MS = 50;

/**
 * While nothing is broken: a lease that has used up some of its time does not get it back when the leader changes, but
 * for what it used since its last checkpoint. Else leaders that change often keep it for ever.
 */
export async function checkAgedLease(cluster: SimCluster, operations: Operations): Promise<void> {
  const { world, recorder, settings } = cluster;
  const first = leaderOf(cluster);
  if (first === undefined) return;
  const granted = await operations.leaseGrant(first, LEASE, TTL_SECONDS);
  if (!granted.outcome.ok) return;
  const grantedMs = world.nowMs;
  await world.sleep(AGE_MS);
  if (!(await changeLeader(cluster, operations, first))) return;
  const second = leaderOf(cluster);
  if (second === undefined) return;
  const asked = await operations.leaseTimeToLive(second, LEASE);
  if (asked.outcome.ok) {
    const { ttlSeconds } = asked.outcome.output;
    const usedMs = (asked.invokedMs - grantedMs) * (1 - settings.maxClockDrift);
    const backMs = CHECKPOINT_INTERVAL_MS + settings.electionTimeoutMs + SLACK_MS;
    const mostSeconds = (TTL_SECONDS * 1_000 - usedMs + backMs) / 1_000;
    if (ttlSeconds > mostSeconds) {
      const text = `${ttlSeconds} s are left of ${TTL_SECONDS} after ${usedMs} ms and a new leader`;
      recorder.violation('lease: prolonged', second.name, text);
    }
  }
  await operations.leaseRevoke(second, LEASE);
}

function leaderOf(cluster: SimCluster): SimMember | undefined {
  return cluster.running().find(({ node }) => node?.raftStatus().role === 'leader');
}

/** By a transfer, or where nobody else could lead, by a restart. */
async function changeLeader(
  cluster: SimCluster,
  operations: Operations,
  first: SimMember,
): Promise<boolean> {
  const { world } = cluster;
  const term = first.node?.raftStatus().term ?? 0;
  const voters = first.node?.raftStatus().confState.voters ?? [];
  const other = voters.find((id) => id !== first.memberId);
  if (other === undefined) first.crash(false);
  else await operations.moveLeader(first, idToHex(other));
  const untilMs = world.nowMs + CHANGE_MS;
  while (world.nowMs < untilMs) {
    const leader = leaderOf(cluster);
    if (leader !== undefined && (leader.node?.raftStatus().term ?? 0) > term) return true;
    await world.sleep(POLL_MS);
  }
  return false;
}
