import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { beforeAll, describe, expect, it } from 'vitest';
import { PutRequest, RangeRequest } from '../../src-main/proto/etcd/rpc.ts';
import { KVClient, MaintenanceClient } from '../../src-main/remote/clients.ts';
import { processInfo } from '../../src-main/supervisor/process-info.ts';
import { eventually, type Raftdeck, raftdeck, requireBuild, tempDir } from './raftdeck.ts';

beforeAll(requireBuild);

interface Summary {
  endpoints: string[];
  nodes: { name: string; pid: number; clientUrl: string; peerUrl: string; dataDir: string }[];
}

async function up(dir: string, ...args: string[]): Promise<Raftdeck & { summary: Summary }> {
  const started = raftdeck(['up', '--json', '--data-dir', dir, ...args]);
  return { ...started, summary: JSON.parse(await started.firstLine()) as Summary };
}

function call<R>(make: (done: (error: Error | null, response: R) => void) => unknown): Promise<R> {
  return new Promise((resolve, reject) => {
    make((error, response) => (error === null ? resolve(response) : reject(error)));
  });
}

async function put(endpoint: string, key: string, value: string): Promise<void> {
  const client = new KVClient(new URL(endpoint).host, credentials.createInsecure());
  const request = PutRequest.fromPartial({ key: Buffer.from(key), value: Buffer.from(value) });
  await call((done) => client.put(request, done)).finally(() => client.close());
}

async function get(endpoint: string, key: string): Promise<string | undefined> {
  const client = new KVClient(new URL(endpoint).host, credentials.createInsecure());
  const request = RangeRequest.fromPartial({ key: Buffer.from(key) });
  const { kvs } = await call<{ kvs: { value: Uint8Array }[] }>((done) =>
    client.range(request, done),
  ).finally(() => client.close());
  return kvs[0] && Buffer.from(kvs[0].value).toString();
}

async function leaderOf(endpoint: string): Promise<bigint> {
  const client = new MaintenanceClient(new URL(endpoint).host, credentials.createInsecure());
  const status = await call<{ leader: bigint }>((done) => client.status({}, done)).finally(() =>
    client.close(),
  );
  return status.leader;
}

/** A zombie is not alive: nobody may be there to reap an orphan. */
async function isAlive(pid: number): Promise<boolean> {
  return (await processInfo(pid)) !== null;
}

/** proc(5): field 5 of stat. */
async function processGroup(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2];
}

/** The pid that the pid file of a node names now. */
async function pidFromFile(dir: string, name: string): Promise<number> {
  const text = await readFile(join(dir, 'nodes', name, 'node.pid'), 'utf8');
  return (JSON.parse(text) as { pid: number }).pid;
}

async function stop(cluster: Raftdeck & { summary: Summary }): Promise<void> {
  cluster.process.kill('SIGINT');
  const { code, stderr } = await cluster.exit;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const { pid } of cluster.summary.nodes) expect(await isAlive(pid)).toBe(false);
}

describe('raftdeck up', () => {
  it('prints one line once there is a leader, and the nodes as they are', async () => {
    const dir = await tempDir();
    const cluster = await up(dir);
    const { endpoints, nodes } = cluster.summary;
    expect(nodes.map((node) => node.name)).toEqual(['n1', 'n2', 'n3']);
    expect(endpoints).toEqual(nodes.map((node) => node.clientUrl));
    const base = Number(new URL(endpoints[0] ?? '').port);
    for (const [i, node] of nodes.entries()) {
      expect(node.clientUrl).toBe(`http://127.0.0.1:${base + 2 * i}`);
      expect(node.peerUrl).toBe(`http://127.0.0.1:${base + 2 * i + 1}`);
      expect(node.dataDir.startsWith(dir)).toBe(true);
      expect(await isAlive(node.pid)).toBe(true);
    }
    const leaders = await Promise.all(endpoints.map(leaderOf));
    expect(new Set(leaders).size).toBe(1);
    expect(leaders).not.toContain(0n);
    await stop(cluster);
    expect(cluster.stdout().split('\n')).toHaveLength(2);
  });

  it('keeps data and ports over a restart, and refuses another number of nodes', async () => {
    const dir = await tempDir();
    const first = await up(dir, '--nodes', '3');
    await put(first.summary.endpoints[0] ?? '', 'k', 'kept');
    await stop(first);
    const refused = await raftdeck(['up', '--data-dir', dir, '--nodes', '5']).exit;
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('holds a cluster of 3 nodes, not of 5');
    const second = await up(dir);
    expect(second.summary.endpoints).toEqual(first.summary.endpoints);
    for (const endpoint of second.summary.endpoints) expect(await get(endpoint, 'k')).toBe('kept');
    await stop(second);
  });

  it('starts a node again that was killed, which then has what it missed', async () => {
    const dir = await tempDir();
    const cluster = await up(dir);
    const [victim, other] = cluster.summary.nodes;
    if (victim === undefined || other === undefined) throw new Error('three nodes');
    process.kill(victim.pid, 'SIGKILL');
    await eventually(() => put(other.clientUrl, 'k', 'while it was down'));
    await eventually(async () => {
      const pid = await pidFromFile(dir, victim.name);
      expect(pid).not.toBe(victim.pid);
      expect(await isAlive(pid)).toBe(true);
    });
    await eventually(async () =>
      expect(await get(victim.clientUrl, 'k')).toBe('while it was down'),
    );
    expect(cluster.stderr()).toContain(`node ${victim.name} killed by SIGKILL; starting it again`);
    const restarted = await pidFromFile(dir, victim.name);
    cluster.process.kill('SIGTERM');
    expect((await cluster.exit).code).toBe(0);
    expect(await isAlive(restarted)).toBe(false);
  });

  it('adopts the nodes that a killed parent left', async () => {
    const dir = await tempDir();
    const killed = await up(dir);
    await put(killed.summary.endpoints[0] ?? '', 'k', 'v');
    killed.process.kill('SIGKILL');
    await killed.exit;
    for (const { pid } of killed.summary.nodes) expect(await isAlive(pid)).toBe(true);
    const heir = await up(dir);
    expect(heir.summary).toEqual(killed.summary);
    expect(await get(heir.summary.endpoints[2] ?? '', 'k')).toBe('v');
    await stop(heir);
  });

  it.runIf(process.platform === 'linux')("keeps a terminal's Ctrl-C from its nodes", async () => {
    const cluster = await up(await tempDir(), '--nodes', '1');
    const parentGroup = await processGroup(cluster.process.pid ?? 0);
    for (const { pid } of cluster.summary.nodes) {
      expect(await processGroup(pid)).not.toBe(parentGroup);
    }
    await stop(cluster);
  });

  it.skipIf(process.platform === 'win32')('kills at the second signal what hangs', async () => {
    const cluster = await up(await tempDir(), '--nodes', '1');
    const pid = cluster.summary.nodes[0]?.pid ?? 0;
    // A stopped process does not even see that it is asked to end.
    process.kill(pid, 'SIGSTOP');
    const signals = setInterval(() => cluster.process.kill('SIGINT'), 100);
    const { code, stderr } = await cluster.exit.finally(() => clearInterval(signals));
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('killed') });
    expect(await isAlive(pid)).toBe(false);
  });

  it('is the only one on its folder', async () => {
    const dir = await tempDir();
    const cluster = await up(dir, '--nodes', '1');
    const second = await raftdeck(['up', '--data-dir', dir]).exit;
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`already in use by process ${cluster.process.pid}`);
    expect(second.stderr).toContain('hint: ');
    await stop(cluster);
  });

  it('runs beside another cluster on ports of its own', async () => {
    const env = { RAFTDECK_DATA_DIR: await tempDir() };
    const first = raftdeck(['up', '--json', '--nodes', '1'], env);
    const one = JSON.parse(await first.firstLine()) as Summary;
    expect(one.nodes[0]?.dataDir.startsWith(join(env.RAFTDECK_DATA_DIR, 'up'))).toBe(true);
    const second = await up(await tempDir(), '--nodes', '1');
    expect(second.summary.endpoints).not.toEqual(one.endpoints);
    await stop(second);
    await stop({ ...first, summary: one });
  });

  it('prints a table and an export line for people', async () => {
    const cluster = raftdeck(['up', '--nodes', '1', '--data-dir', await tempDir()]);
    await eventually(() => expect(cluster.stdout()).toContain('Ctrl-C'));
    expect(cluster.stdout()).toMatch(/n1 +http:\/\/127\.0\.0\.1:\d+ .*leader, term \d+/);
    expect(cluster.stdout()).toMatch(/^export ETCDCTL_ENDPOINTS=http:\/\/127\.0\.0\.1:\d+$/m);
    cluster.process.kill('SIGTERM');
    expect((await cluster.exit).code).toBe(0);
  });
});
