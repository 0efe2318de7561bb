import { afterEach, beforeEach, expect, test } from 'vitest';
import { LmdbStateStore } from '../../src-main/node/storage/lmdb-store.ts';
import { etcdctl, freeBasePort, onPath, removeDir, tempDir, until } from '../support/cluster.ts';
import { initialCluster, TestNode } from '../support/node.ts';

let dir = '';
let nodes: TestNode[] = [];

beforeEach(async () => {
  dir = tempDir();
  const base = await freeBasePort(6);
  nodes = [0, 1, 2].map(
    (i) =>
      new TestNode({ name: `m${i}`, dir, clientPort: base + 2 * i, peerPort: base + 2 * i + 1 }),
  );
});

afterEach(async () => {
  for (const node of nodes) await node.dispose();
  removeDir(dir);
});

const cluster = () => initialCluster(nodes.map(({ spec }) => spec));
const node = (i: number) => nodes[i] as TestNode;

async function put(through: TestNode, key: string): Promise<void> {
  await until(`put ${key}`, () => through.client.put(key, key, 2_000).catch(() => undefined));
}

/** Changes the last byte of a value in the state on disk of a member that does not run. */
async function corrupt(victim: TestNode): Promise<void> {
  const store = await LmdbStateStore.open(`${victim.dataDir}/member/state`);
  const row = [...store.range('revisions', {})].at(-1);
  if (row === undefined) throw new Error('no revision to corrupt');
  const value = Buffer.from(row.value);
  value.writeUInt8((value.at(-1) ?? 0) ^ 0xff, value.length - 1);
  store.put('revisions', row.key, value);
  store.endBatch();
  await store.close();
}

/** Three members with some keys; the last one is stopped cleanly, so that all it has is in its state. */
async function threeWithOneStopped(...flags: string[]): Promise<TestNode> {
  for (const one of nodes) one.start(cluster(), ...flags);
  for (let i = 0; i < 20; i++) await put(node(0), `key/${i}`);
  const victim = node(2);
  const has = () => victim.client.get('key/19', true, 1_000).catch(() => undefined);
  await until('the victim has all', async () => ((await has())?.count === 1 ? true : undefined));
  await victim.kill('SIGTERM');
  return victim;
}

test('a member whose data differs does not start if it is to check, and says what to do', async () => {
  const victim = await threeWithOneStopped();
  const check = '--experimental-initial-corrupt-check';
  victim.start(cluster(), check);
  await until('a sound one passes', () => victim.client.status(500).catch(() => undefined));
  expect(victim.log).toContain('"compared":2');
  await victim.kill('SIGTERM');

  await corrupt(victim);
  for (let again = 0; again < 2; again++) {
    victim.start(cluster(), check);
    expect(await victim.exited()).toBe(2);
  }
  expect(victim.log).toContain('this member');
  expect(victim.log).toContain('holds other data than');
  await put(node(0), 'the others go on');
});

test.runIf(onPath('etcdctl'))(
  'the leader finds a member whose data differs: the CORRUPT alarm stops writes everywhere',
  async () => {
    const flags = ['--experimental-corrupt-check-time', '300ms'];
    const victim = await threeWithOneStopped(...flags);
    await put(node(0), 'sound so far');
    await corrupt(victim);
    victim.start(cluster(), ...flags);
    const listed = await until('the alarm', () => {
      const ran = etcdctl([node(1).url], 'alarm', 'list');
      return ran.stdout.includes('alarm:CORRUPT') ? ran.stdout : undefined;
    });
    expect(listed.trim().split('\n')).toHaveLength(1);
    const member = (await victim.client.status()).header?.memberId;
    expect(listed).toContain(`memberID:${member} `);
    for (const one of nodes) {
      await expect(one.client.put('a', 'b')).rejects.toThrow('etcdserver: corrupt cluster');
    }
    // It outlives a restart of everyone: only a person may decide that it is mended.
    for (const one of nodes) await one.kill();
    for (const one of nodes) one.start(cluster());
    await until('refused again', () =>
      node(0)
        .client.put('a', 'b', 1_000)
        .catch((error: Error) => (/corrupt cluster/.test(error.message) ? true : undefined)),
    );
  },
);
