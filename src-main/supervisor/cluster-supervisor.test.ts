import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ClusterSupervisor } from './cluster-supervisor.ts';
import { composeDefinition } from './definition.ts';
import { findFreeBlock } from './ports.ts';
import { eventually, tempDir } from './testing/fixtures.ts';

const ETCD = process.env.ETCD_PATH ?? '/usr/bin/etcd';
const hasEtcd = existsSync(ETCD);
if (!hasEtcd) console.warn(`SKIPPED: the supervisor over real etcd, since ${ETCD} is missing`);

interface Status {
  header: { member_id: string };
  leader?: string;
}

/** etcd's own JSON gateway, so that this test needs no client of ours. */
async function post(url: string, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(`${url}/v3/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(2_000),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function openEtcd(): Promise<ClusterSupervisor> {
  const definition = composeDefinition({
    id: 'etcd',
    name: 'etcd',
    nodes: 3,
    basePort: await findFreeBlock(3, 21_000),
    engine: { kind: 'binary', path: ETCD },
  });
  const supervisor = await ClusterSupervisor.open({ definition, clusterDir: await tempDir() });
  onTestFinished(async () => {
    await supervisor.kill();
    supervisor.dispose();
  });
  return supervisor;
}

/** The name of the leader that the first answering node names. */
async function leaderOf(supervisor: ClusterSupervisor): Promise<string> {
  const { nodes } = supervisor.snapshot();
  const live = nodes.filter((node) => node.state === 'running' && !node.paused);
  const found = await Promise.all(
    live.map(async ({ name, clientUrl }) => {
      const status = (await post(clientUrl, 'maintenance/status', {})) as Status;
      return { name, isLeader: status.leader === status.header.member_id };
    }),
  );
  const leader = found.find((node) => node.isLeader);
  if (leader === undefined) throw new Error('no leader');
  return leader.name;
}

async function eventualLeader(supervisor: ClusterSupervisor): Promise<string> {
  let leader = '';
  await eventually(async () => {
    leader = await leaderOf(supervisor);
  });
  return leader;
}

describe.runIf(hasEtcd)('a cluster of real etcd', () => {
  it('elects, survives the crash of its leader, and keeps its data over a restart', async () => {
    const supervisor = await openEtcd();
    await supervisor.start();
    const leader = await eventualLeader(supervisor);
    const urls = supervisor.snapshot().nodes.map((node) => node.clientUrl);
    const key = Buffer.from('k').toString('base64');
    await post(urls[0] ?? '', 'kv/put', { key, value: Buffer.from('v').toString('base64') });

    const crashed = supervisor.snapshot().nodes.find((node) => node.name === leader);
    process.kill(crashed?.pid ?? Number.NaN, 'SIGKILL');
    await supervisor.waitFor(
      ({ nodes }) => nodes.find((node) => node.name === leader)?.restarts === 1,
    );
    await supervisor.waitFor(({ nodes }) => nodes.every((node) => node.state === 'running'));
    await eventualLeader(supervisor);

    await supervisor.kill();
    expect(supervisor.snapshot().nodes.map((node) => node.state)).toEqual(Array(3).fill('stopped'));
    await supervisor.start();
    await eventualLeader(supervisor);
    await eventually(async () => {
      const { kvs } = (await post(urls[2] ?? '', 'kv/range', { key })) as { kvs: unknown[] };
      expect(kvs).toHaveLength(1);
    });
    const [line] = supervisor.logs('n1').query({ search: 'raft', limit: 1 });
    expect(line).toMatchObject({ node: 'n1', level: expect.any(String) });
    expect(line?.atMs).toBeGreaterThan(Date.now() - 600_000);
  });

  it('elects another leader while the first is paused, and takes it back', async () => {
    const supervisor = await openEtcd();
    await supervisor.start();
    const first = await eventualLeader(supervisor);
    supervisor.pauseNode(first);
    expect(await eventualLeader(supervisor)).not.toBe(first);
    supervisor.resumeNode(first);
    await eventually(async () => expect(await leaderOf(supervisor)).not.toBe(first));
  });

  it('starts no node when the port of one is taken', async () => {
    const supervisor = await openEtcd();
    const port = supervisor.definition.nodes[1]?.peerPort ?? 0;
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    await expect(supervisor.start()).rejects.toMatchObject({
      code: 'PortInUse',
      message: expect.stringContaining(`peer port ${port} of node n2 is in use`),
    });
    const states = supervisor.snapshot().nodes.map((node) => node.state);
    expect(states).toEqual(['stopped', 'stopped', 'stopped']);
  });
});
