import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js';
import { CodedError } from '../../base/errors.ts';
import type { StatusResponse } from '../../proto/etcd/rpc.ts';
import { MaintenanceClient } from '../../remote/clients.ts';
import type { ClusterSupervisor } from '../../supervisor/cluster-supervisor.ts';
import { describeExit, type NodeSnapshot } from '../../supervisor/node-state.ts';

const POLL_MS = 20;
const STATUS_DEADLINE_MS = 1_000;
/**
 * Three nodes on a busy machine elect within a second or two; replaying a large log takes longer.
 */
const LEADER_DEADLINE_MS = 60_000;
/**
 * A node is asked once its port is open; should it die just then, the channel must not wait for a
 * second.
 */
const CHANNEL_OPTIONS = {
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 200,
};

export interface Leader {
  name: string;
  term: number;
}

/**
 * What the command prints is used at once, so the nodes that are slower than the majority get this
 * long to serve, too.
 */
const OTHERS_MS = 3_000;

/**
 * Resolves once a majority of the nodes reports the same leader, which is one of them, and the
 * others do, too, or had some seconds for it. Throws NoLeader after a deadline, or as soon as too
 * many nodes are down for good. Ends early when `signal` aborts.
 */
export async function waitForLeader(
  supervisor: ClusterSupervisor,
  signal: AbortSignal,
): Promise<Leader | null> {
  const startedAtMs = performance.now();
  const reports = new Map<string, StatusResponse>();
  const plaintext = credentials.createInsecure();
  const asking = new AbortController();
  const stop = AbortSignal.any([signal, asking.signal]);
  const pollers = supervisor.definition.nodes.map((node) =>
    pollStatus(supervisor, node.name, plaintext, reports, stop),
  );
  try {
    let agreedAtMs: number | undefined;
    while (!signal.aborted) {
      const nowMs = performance.now();
      const leader = agreedLeader(reports, supervisor.definition.nodes.length);
      if (leader === null) checkHope(supervisor, nowMs - startedAtMs);
      else {
        agreedAtMs ??= nowMs;
        if (allFollow(reports, leader, supervisor) || nowMs - agreedAtMs > OTHERS_MS) return leader;
      }
      await sleep(POLL_MS);
    }
    return null;
  } finally {
    asking.abort();
    await Promise.all(pollers);
  }
}

/** Keeps `reports` current with what one node says of itself. */
async function pollStatus(
  supervisor: ClusterSupervisor,
  name: string,
  plaintext: ChannelCredentials,
  reports: Map<string, StatusResponse>,
  stop: AbortSignal,
): Promise<void> {
  let client: MaintenanceClient | null = null;
  while (!stop.aborted) {
    const node = supervisor.snapshot().nodes.find((n) => n.name === name);
    if (node?.state === 'running') {
      client ??= new MaintenanceClient(new URL(node.clientUrl).host, plaintext, CHANNEL_OPTIONS);
      const report = await askStatus(client, stop);
      if (report === null) reports.delete(name);
      else reports.set(name, report);
    }
    await sleep(POLL_MS);
  }
  client?.close();
}

/** null if it does not answer: it may be starting still. */
function askStatus(client: MaintenanceClient, stop: AbortSignal): Promise<StatusResponse | null> {
  return new Promise((resolve) => {
    const cancel = () => call.cancel();
    const options = { deadline: Date.now() + STATUS_DEADLINE_MS };
    const call = client.status({}, new Metadata(), options, (error, response) => {
      stop.removeEventListener('abort', cancel);
      resolve(error === null ? response : null);
    });
    stop.addEventListener('abort', cancel, { once: true });
  });
}

/** Whether every node that is not crashed reports this leader. */
function allFollow(
  reports: Map<string, StatusResponse>,
  leader: Leader,
  supervisor: ClusterSupervisor,
): boolean {
  const memberId = reports.get(leader.name)?.header?.memberId;
  return supervisor
    .snapshot()
    .nodes.every(
      ({ name, state }) => state === 'crashed' || reports.get(name)?.leader === memberId,
    );
}

function agreedLeader(reports: Map<string, StatusResponse>, nodes: number): Leader | null {
  const votes = new Map<bigint, number>();
  for (const { leader } of reports.values()) {
    if (leader !== 0n) votes.set(leader, (votes.get(leader) ?? 0) + 1);
  }
  for (const [name, report] of reports) {
    const memberId = report.header?.memberId;
    if (memberId === undefined || (votes.get(memberId) ?? 0) <= nodes / 2) continue;
    return { name, term: report.raftTerm };
  }
  return null;
}

function checkHope(supervisor: ClusterSupervisor, waitedMs: number): void {
  const { nodes } = supervisor.snapshot();
  const crashed = nodes.filter((node) => node.state === 'crashed');
  if (crashed.length >= nodes.length / 2) {
    throw new CodedError('NoLeader', `no quorum: ${crashed.map(describeCrash).join('; ')}`, {
      hint: `the nodes' logs are in ${supervisor.clusterDir}/logs`,
    });
  }
  if (waitedMs < LEADER_DEADLINE_MS) return;
  const states = nodes.map((node) => `${node.name} ${node.state}`).join(', ');
  throw new CodedError('NoLeader', `no leader after ${LEADER_DEADLINE_MS / 1_000} s (${states})`, {
    hint: `the nodes' logs are in ${supervisor.clusterDir}/logs`,
  });
}

function describeCrash(node: NodeSnapshot): string {
  return `${node.name} ${node.lastExit === null ? 'crashed' : describeExit(node.lastExit)}`;
}

function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
