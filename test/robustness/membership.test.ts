import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { etcdctl, freeBasePort, onPath, removeDir, tempDir, until } from '../support/cluster.ts';
import { initialCluster, TestNode } from '../support/node.ts';

let dir = '';
let nodes: TestNode[] = [];

beforeEach(async () => {
  dir = tempDir();
  const base = await freeBasePort(10);
  nodes = [0, 1, 2, 3, 4].map(
    (i) =>
      new TestNode({ name: `m${i}`, dir, clientPort: base + 2 * i, peerPort: base + 2 * i + 1 }),
  );
});

afterEach(async () => {
  for (const node of nodes) await node.dispose();
  removeDir(dir);
});

const node = (i: number) => nodes[i] as TestNode;
const clusterOf = (...ids: number[]) => initialCluster(ids.map((i) => node(i).spec));

async function put(through: TestNode, key: string, value = key): Promise<void> {
  await until(`put ${key}`, () => through.client.put(key, value, 2_000).catch(() => undefined));
}

async function readsLocally(reader: TestNode, key: string, value = key): Promise<void> {
  await until(`${reader.spec.name} has ${key}`, async () => {
    const found = await reader.client.get(key, true, 1_000).catch(() => undefined);
    return found?.kvs[0]?.value.toString() === value ? found : undefined;
  });
}

/** `etcdctl member …`, repeated while the cluster says that it is not healthy yet. */
async function member(through: TestNode, ...args: string[]): Promise<string> {
  return until(`member ${args.join(' ')}`, () => {
    const ran = etcdctl([through.url], 'member', ...args);
    if (ran.code === 0) return ran.stdout;
    if (/unhealthy cluster|in sync with leader/.test(ran.stderr)) return undefined;
    throw new Error(`etcdctl member ${args.join(' ')}: ${ran.stderr}`);
  });
}

function idOf(through: TestNode, name: string): string {
  const line = etcdctl([through.url], 'member', 'list')
    .stdout.split('\n')
    .find((row) => row.includes(`, ${name},`));
  if (line === undefined) throw new Error(`no member ${name}`);
  return line.slice(0, line.indexOf(','));
}

async function startThree(...flags: string[]): Promise<void> {
  for (const i of [0, 1, 2]) node(i).start(clusterOf(0, 1, 2), ...flags);
  await put(node(0), 'first');
}

function join(i: number, cluster: string): void {
  node(i).start(cluster, '--initial-cluster-state', 'existing');
}

describe.runIf(onPath('etcdctl'))('etcdctl member', () => {
  test('grows a single node to three: a learner that is promoted, then a voter', async () => {
    node(0).start(clusterOf(0));
    for (let i = 0; i < 50; i++) await put(node(0), `before/${i}`);

    await member(node(0), 'add', 'm1', `--peer-urls=${node(1).peerUrl}`, '--learner');
    join(1, clusterOf(0, 1));
    await readsLocally(node(1), 'before/49');
    await until('the log says how', () => node(1).log.includes('snapshot installed') || undefined);
    const linearizable = etcdctl([node(1).url], 'get', 'before/0');
    expect(linearizable.stderr).toContain('rpc not supported for learner');

    const again = etcdctl(
      [node(0).url],
      'member',
      'add',
      'm2',
      '--learner',
      '--peer-urls=http://x:1',
    );
    expect(again.stderr).toContain('too many learner members in cluster');
    await member(node(0), 'promote', idOf(node(0), 'm1'));
    await put(node(1), 'through the new voter');

    await member(node(0), 'add', 'm2', `--peer-urls=${node(2).peerUrl}`);
    join(2, clusterOf(0, 1, 2));
    await readsLocally(node(2), 'before/49');
    await put(node(2), 'through the third');
    const list = etcdctl([node(2).url], 'member', 'list')
      .stdout.trim()
      .split('\n');
    expect(list).toHaveLength(3);
    for (const row of list) expect(row).toMatch(/, started, .*, false$/);

    // The quorum is two of three now: the first one may go.
    await node(0).kill();
    await put(node(1), 'without the first');
    await readsLocally(node(2), 'without the first');
  });

  test('removes the leader: it stops for good, the others go on', async () => {
    await startThree();
    const leader = await until('the leader', async () => {
      for (const one of [0, 1, 2].map(node)) {
        const status = await one.client.status().catch(() => undefined);
        if (status !== undefined && status.leader === status.header?.memberId) return one;
      }
      return undefined;
    });
    const others = [0, 1, 2].map(node).filter((one) => one !== leader);
    const id = idOf(leader, leader.spec.name);
    expect(await member(leader, 'remove', id)).toContain('removed from cluster');
    expect(await leader.exited()).toBe(0);
    for (const other of others) await put(other, `through ${other.spec.name}`);
    expect(
      etcdctl([others[0]?.url ?? ''], 'member', 'list')
        .stdout.trim()
        .split('\n'),
    ).toHaveLength(2);

    leader.start(clusterOf(0, 1, 2));
    expect(await leader.exited()).toBe(2);
    expect(leader.log).toContain('removed from the cluster');
    const gone = etcdctl([others[0]?.url ?? ''], 'member', 'remove', id);
    expect(gone.stderr).toContain('member not found');
  });

  test('removes one that is down: it learns of it when it comes back, and does not disturb', async () => {
    await startThree();
    const id = idOf(node(0), 'm2');
    await node(2).kill();
    expect(await member(node(0), 'remove', id)).toContain('removed from cluster');
    const before = await node(0).client.status();
    node(2).start(clusterOf(0, 1, 2));
    expect(await node(2).exited()).toBe(0);
    node(2).start(clusterOf(0, 1, 2));
    expect(await node(2).exited()).toBe(2);
    await put(node(0), 'still here');
    expect((await node(0).client.status()).raftTerm).toBe(before.raftTerm);
  });

  test('replaces a lost member by one with an empty folder', async () => {
    await startThree();
    await node(2).kill();
    await member(node(0), 'remove', idOf(node(0), 'm2'));
    await member(node(0), 'add', 'm3', `--peer-urls=${node(3).peerUrl}`);
    join(3, clusterOf(0, 1, 3));
    await readsLocally(node(3), 'first');
    await put(node(3), 'through the new one');
    // It votes: with it, one of the old ones may be lost.
    await node(1).kill();
    await put(node(3), 'with the quorum of new and old');
  });

  test('updates peer URLs: the member is reached where it listens next', async () => {
    await startThree();
    const id = idOf(node(0), 'm2');
    expect(await member(node(0), 'update', id, `--peer-urls=${node(4).peerUrl}`)).toContain(
      'updated',
    );
    await node(2).kill();
    await put(node(0), 'while it moves');
    const flags = ['--listen-peer-urls', node(4).peerUrl];
    flags.push('--initial-advertise-peer-urls', node(4).peerUrl);
    const moved = clusterOf(0, 1).concat(`,m2=${node(4).peerUrl}`);
    node(2).start(moved, ...flags);
    await readsLocally(node(2), 'while it moves');
    const taken = etcdctl([node(0).url], 'member', 'update', id, `--peer-urls=${node(0).peerUrl}`);
    expect(taken.stderr).toContain('Peer URLs already exists');
  });

  test('refuses what would break the quorum', async () => {
    await startThree();
    const id = idOf(node(0), 'm0');
    await node(2).kill();
    const add = ['member', 'add', 'm3', `--peer-urls=${node(3).peerUrl}`];
    const unhealthy = await until('the loss is noticed', () => {
      const ran = etcdctl([node(0).url], ...add);
      return ran.stderr.includes('unhealthy cluster') ? ran : undefined;
    });
    expect(unhealthy.code).not.toBe(0);
    const remove = etcdctl([node(0).url], 'member', 'remove', id);
    expect(remove.stderr).toContain('unhealthy cluster');
    expect(
      etcdctl([node(0).url], 'member', 'list')
        .stdout.trim()
        .split('\n'),
    ).toHaveLength(3);
  });
});

describe('a node that wants to join', () => {
  test('is told what to do if it was not added, or nobody is there', async () => {
    node(0).start(clusterOf(0));
    await put(node(0), 'first');
    join(1, clusterOf(0, 1));
    expect(await node(1).exited()).toBe(2);
    expect(node(1).log).toContain('has no member with the peer URLs');
    join(2, clusterOf(2, 3));
    expect(await node(2).exited()).toBe(2);
    expect(node(2).log).toContain('no member of the cluster answered');
  });
});

describe('the capability of a fresh cluster', () => {
  test('strict: nothing is served before every member was there once, then whoever is lost', async () => {
    const flags = ['--strict-capability'];
    for (const i of [0, 1]) node(i).start(clusterOf(0, 1, 2), ...flags);
    const refused = await until('a refusal', () =>
      node(0)
        .client.put('a', 'b', 1_000)
        .catch((error: Error) => {
          return error.message.includes('not capable') ? error.message : undefined;
        }),
    );
    expect(refused).toContain('etcdserver: not capable');
    node(2).start(clusterOf(0, 1, 2), ...flags);
    await put(node(0), 'all were there');
    await node(2).kill();
    for (const i of [0, 1]) await node(i).kill();
    for (const i of [0, 1]) node(i).start(clusterOf(0, 1, 2), ...flags);
    await put(node(0), 'a majority is enough now');
  });

  test('by default a majority is enough', async () => {
    for (const i of [0, 1]) node(i).start(clusterOf(0, 1, 2));
    await put(node(1), 'two of three');
  });
});
