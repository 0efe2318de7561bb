import { afterEach, expect, test } from 'vitest';
import { freeBasePort, removeDir, tempDir, until } from '../support/cluster.ts';
import { initialCluster, TestNode } from '../support/node.ts';

let nodes: TestNode[] = [];
let dir = '';

afterEach(async () => {
  for (const node of nodes) await node.dispose();
  removeDir(dir);
});

test('a member that missed more than the log holds catches up by a snapshot', async () => {
  dir = tempDir();
  const base = await freeBasePort(6);
  nodes = [0, 1, 2].map(
    (i) =>
      new TestNode({ name: `m${i}`, dir, clientPort: base + 2 * i, peerPort: base + 2 * i + 1 }),
  );
  const cluster = initialCluster(nodes.map(({ spec }) => spec));
  // So few that what the member missed is gone from the others' logs.
  const flags = ['--snapshot-count', '40'];
  for (const node of nodes) node.start(cluster, ...flags);
  const [first, , lagging] = nodes as [TestNode, TestNode, TestNode];
  const put = (key: string, value: string) =>
    until(`put ${key}`, () => first.client.put(key, value, 2_000).catch(() => undefined));
  await put('before', 'it fell');
  await lagging.kill();
  for (let i = 0; i < 260; i++) await put(`missed/${i}`, `v${i}`);

  lagging.start(cluster, ...flags);
  const local = (key: string) => lagging.client.get(key, true, 1_000).catch(() => undefined);
  await until('the last key is there', async () => (await local('missed/259'))?.kvs[0]);
  // The state is there to be read while the log's mark of it is still being synced.
  const installed = () => lagging.log.includes('snapshot installed') || undefined;
  await until('it came by a snapshot', installed);
  for (let i = 0; i < 260; i++) {
    expect((await local(`missed/${i}`))?.kvs[0]?.value.toString()).toBe(`v${i}`);
  }
  expect((await local('before'))?.kvs[0]?.value.toString()).toBe('it fell');
});
