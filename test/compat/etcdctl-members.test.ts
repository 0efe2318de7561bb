import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  etcdctl,
  freeBasePort,
  onPath,
  type Ran,
  removeDir,
  tempDir,
  until,
} from '../support/cluster.ts';
import type { Engine } from '../support/members.ts';
import { initialCluster, TestNode } from '../support/node.ts';
import { etcdWanted, raftdeckWanted } from './support/targets.ts';

/** A running cluster of three, and a place for a fourth. */
interface Cluster {
  nodes: TestNode[];
  spare: TestNode;
  endpoints: string[];
  dir: string;
}

async function startCluster(engine: Engine): Promise<Cluster> {
  const dir = tempDir();
  const base = await freeBasePort(8);
  const all = [0, 1, 2, 3].map(
    (i) =>
      new TestNode(
        { name: `m${i}`, dir, clientPort: base + 2 * i, peerPort: base + 2 * i + 1 },
        engine,
      ),
  );
  const nodes = all.slice(0, 3);
  const cluster = initialCluster(nodes.map(({ spec }) => spec));
  for (const node of nodes) node.start(cluster);
  const endpoints = nodes.map(({ url }) => url);
  const found = { nodes, spare: all[3] as TestNode, endpoints, dir };
  await until(`${engine} is healthy`, () =>
    etcdctl(endpoints, 'endpoint', 'health').code === 0 ? true : undefined,
  );
  return found;
}

/** Runs etcdctl until it does not say any more that the members have not known each other for long enough. */
async function settled(cluster: Cluster, ...args: string[]): Promise<Ran> {
  return until(args.join(' '), () => {
    const ran = etcdctl(cluster.endpoints.slice(0, 1), ...args);
    return /unhealthy cluster|in sync with leader/.test(ran.stderr) ? undefined : ran;
  });
}

/** Ids, addresses and sizes out of what etcdctl printed; what is left must be the same on both. */
function shape(cluster: Cluster, { code, stdout, stderr }: Ran): unknown {
  const ports = new Map<string, string>();
  for (const node of [...cluster.nodes, cluster.spare]) {
    ports.set(String(node.spec.clientPort), `<client ${node.spec.name}>`);
    ports.set(String(node.spec.peerPort), `<peer ${node.spec.name}>`);
  }
  const clean = (text: string) =>
    text
      .replace(/127\.0\.0\.1:(\d+)/g, (_, port: string) => ports.get(port) ?? port)
      .replace(/\b[0-9a-f]{12,16}\b/g, '<id>')
      .replace(/\d+(\.\d+)?(m|µ)?s\b/g, '<time>')
      .replace(/\d+(\.\d+)? [kM]?B/g, '<size>')
      .replace(/"$|^ETCD_INITIAL_CLUSTER="/gm, '')
      // Members come in the order of their ids, which is another one on each cluster.
      .split(/\n|,(?=\w+=http)|(?<=\}),/)
      .map((line) => line.replace(/ +/g, ' ').trim())
      .sort();
  const error = clean(stderr)
    .find((line) => line.startsWith('Error:'))
    ?.replace(/<client m\d>/, '<client>');
  return { code, stdout: clean(stdout), error };
}

type Case = (cluster: Cluster) => Promise<unknown>;

const cases: [string, Case][] = [
  ['member list', async (c) => shape(c, etcdctl(c.endpoints, 'member', 'list'))],
  [
    'member list -w json',
    async (c) => {
      const { members } = JSON.parse(etcdctl(c.endpoints, 'member', 'list', '-w', 'json').stdout);
      return shape(c, {
        code: 0,
        stdout: JSON.stringify(members)
          .slice(1, -1)
          .replace(/\d{12,}/g, 'id'),
        stderr: '',
      });
    },
  ],
  [
    'endpoint health, of all members by one',
    async (c) => shape(c, etcdctl(c.endpoints.slice(1, 2), 'endpoint', 'health', '--cluster')),
  ],
  [
    'endpoint status: one leader, one version, one term',
    async (c) => {
      const ran = etcdctl(c.endpoints, 'endpoint', 'status', '-w', 'json');
      const statuses = JSON.parse(ran.stdout.replace(/:(\d{16,})/g, ':"$1"')) as {
        Status: { header: { member_id: string; raft_term: number }; leader: string };
      }[];
      const terms = new Set(statuses.map(({ Status }) => Status.header.raft_term));
      const leaders = new Set(statuses.map(({ Status }) => Status.leader));
      const members = statuses.map(({ Status }) => Status.header.member_id);
      expect([terms.size, leaders.size, new Set(members).size]).toEqual([1, 1, 3]);
      expect(members).toContain([...leaders][0]);
      return Object.keys(statuses[0] as object);
    },
  ],
  [
    'endpoint hashkv: all members agree',
    async (c) => {
      for (let i = 0; i < 20; i++) etcdctl(c.endpoints, 'put', `key${i}`, `value${i}`);
      const same = await until('equal hashes', () => {
        const ran = etcdctl(c.endpoints, 'endpoint', 'hashkv');
        const hashes = ran.stdout
          .trim()
          .split('\n')
          .map((line) => line.split(', ')[1]);
        return hashes.length === 3 && new Set(hashes).size === 1 ? hashes[0] : undefined;
      });
      return same;
    },
  ],
  [
    'move-leader',
    async (c) => {
      const leaderOf = async () => (await (c.nodes[0] as TestNode).client.status()).leader;
      const before = await leaderOf();
      const ids = await Promise.all(
        c.nodes.map(async ({ client }) => (await client.status()).header?.memberId ?? 0n),
      );
      const target = ids.find((id) => id !== before) ?? 0n;
      const moved = etcdctl(c.endpoints, 'move-leader', target.toString(16));
      await until('the new leader', async () => ((await leaderOf()) === target ? true : undefined));
      const toNobody = etcdctl(c.endpoints, 'move-leader', 'abc');
      const follower = c.nodes[ids.indexOf(before)] as TestNode;
      const atFollower = etcdctl([follower.url], 'move-leader', before.toString(16));
      return [moved, toNobody, atFollower].map((ran) => shape(c, ran));
    },
  ],
  [
    'member add, start, promote, update and remove',
    async (c) => {
      const { spare } = c;
      const added = await settled(
        c,
        'member',
        'add',
        'm3',
        '--learner',
        `--peer-urls=${spare.peerUrl}`,
      );
      const unstarted = etcdctl(c.endpoints, 'member', 'list');
      const id = /Member +([0-9a-f]+) added/.exec(added.stdout)?.[1] ?? '';
      const early = etcdctl(c.endpoints, 'member', 'promote', id);
      const cluster = initialCluster([...c.nodes, spare].map(({ spec }) => spec));
      spare.start(cluster, '--initial-cluster-state', 'existing');
      await until('the learner has started', () =>
        etcdctl(c.endpoints, 'member', 'list').stdout.includes(`${id}, started, m3`)
          ? true
          : undefined,
      );
      const learner = etcdctl([spare.url], 'get', 'key1');
      const serializable = await until('the learner has the state', () => {
        const ran = etcdctl([spare.url], 'get', 'key1', '--consistency=s');
        return ran.stdout === '' ? undefined : ran;
      });
      const watching = etcdctl([spare.url], 'lease', 'list');
      const status = etcdctl([spare.url], 'endpoint', 'status');
      const promoted = await settled(c, 'member', 'promote', id);
      const again = etcdctl(c.endpoints, 'member', 'promote', id);
      const updated = await settled(c, 'member', 'update', id, `--peer-urls=${spare.peerUrl}`);
      const list = etcdctl(c.endpoints, 'member', 'list');
      const removed = await settled(c, 'member', 'remove', id);
      const code = await spare.exited();
      const gone = etcdctl(c.endpoints, 'member', 'remove', id);
      expect(status.code).toBe(0);
      const rest = [promoted, again, updated, list, removed, gone];
      return [
        ...[added, unstarted, early, learner, serializable, watching, ...rest].map((ran) =>
          shape(c, ran),
        ),
        code,
      ];
    },
  ],
];

describe.runIf(onPath('etcdctl'))('etcdctl on three members', () => {
  const clusters = new Map<Engine, Cluster>();
  beforeAll(async () => {
    if (raftdeckWanted) clusters.set('raftdeck', await startCluster('raftdeck'));
    if (etcdWanted) clusters.set('etcd', await startCluster('etcd'));
  });
  afterAll(async () => {
    for (const { nodes, spare, dir } of clusters.values()) {
      for (const node of [...nodes, spare]) await node.dispose();
      removeDir(dir);
    }
  });
  if (!etcdWanted) it.skip('COMPARISON WITH THE REAL etcd SKIPPED: it is not installed');
  for (const [name, run] of cases) {
    it(name, async () => {
      const [ours, theirs] = [clusters.get('raftdeck'), clusters.get('etcd')];
      const expected = theirs && (await run(theirs));
      const actual = ours && (await run(ours));
      if (ours !== undefined && theirs !== undefined) expect(actual).toEqual(expected);
    });
  }
});
