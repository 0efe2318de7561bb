import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src-main/base/logger.ts';
import { freeBasePort } from '../../src-main/base/testing/free-ports.ts';
import type { ConsistencyView, ScenarioProgress } from '../../src-main/contract/scenarios.ts';
import { type App, createApp } from '../../src-main/services/app.ts';
import { TestClient, text } from '../../src-main/services/testing/client.ts';
import {
  ChildProcessLauncher,
  type Launcher,
  type LaunchSpec,
} from '../../src-main/supervisor/launcher.ts';
import { NODE_MAIN, removeDir, tempDir, until } from '../support/cluster.ts';

const QUOTA_BYTES = 32 * 1024 * 1024;

/** The node as it is built, and not its sources. */
class BuiltNodes implements Launcher {
  readonly #inner = new ChildProcessLauncher();

  launch(spec: LaunchSpec) {
    return this.#inner.launch({ ...spec, program: { kind: 'entry', path: NODE_MAIN } });
  }
}

let dataDir = '';
let app: App;
let client: TestClient;
let clusterId = '';

beforeAll(async () => {
  dataDir = tempDir();
  const launcher = new BuiltNodes();
  app = await createApp({ dataDir, hostKind: 'browser', logger: silentLogger, launcher });
  client = new TestClient(app);
  const basePort = await freeBasePort(6);
  const made = { name: 'stage', nodes: 3, basePort, quotaBytes: QUOTA_BYTES } as const;
  clusterId = (await client.call('clusters.createLocal', made)).id;
});

afterAll(async () => {
  await app?.close();
  removeDir(dataDir);
});

test('a member that is cut off answers serializable reads alone', async () => {
  const key = new Uint8Array(Buffer.from('bench'));
  await until('the cluster can be written to', () =>
    client
      .call('keys.put', { clusterId, key, value: new Uint8Array(Buffer.from('one')) })
      .catch(() => undefined),
  );
  const { nodes } = await client.overviewWhere(
    clusterId,
    (o) => o.leader !== null && o.nodes.every(({ memberId }) => memberId !== null),
    'a leader, and whose id is whose',
  );
  const follower = nodes.find(({ role }) => role === 'follower')?.name ?? '';
  const cut = { cutOutgoing: true, cutIncoming: true };
  const links = nodes
    .filter(({ name }) => name !== follower)
    .map(({ name }) => ({ peer: name, ...cut }));
  const disk = { syncDelayMs: 0, error: 'none' } as const;
  await client.call('faults.set', { clusterId, nodes: [{ node: follower, links, disk }] });
  const put = { clusterId, key, value: new Uint8Array(Buffer.from('two')) };
  await until('a majority writes', () => client.call('keys.put', put).catch(() => undefined));
  const stream = client.open('consistency.follow', { clusterId, key });
  const isSplit = ({ members }: ConsistencyView) =>
    members.every(({ name, serializable, linearizable }) => {
      if (serializable === null || linearizable === null || 'error' in serializable) return false;
      const value = text(serializable.value);
      if (name === follower) return value === 'one' && 'error' in linearizable;
      return value === 'two' && !('error' in linearizable) && text(linearizable.value) === 'two';
    });
  await until('both kinds differ where it is cut off', async () =>
    stream.items.some(isSplit) ? true : undefined,
  );
  stream.close();
  await client.call('faults.heal', { clusterId });
}, 120_000);

async function play(scenario: string): Promise<ScenarioProgress> {
  const stream = client.open('scenarios.play', { clusterId, scenario });
  await until(`${scenario} ends`, async () => stream.ends.length > 0 || undefined, 240_000);
  expect(stream.ends[0]).toBeUndefined();
  return stream.items.at(-1) as ScenarioProgress;
}

describe('scenarios on a real cluster', () => {
  test.each([
    'leader-lost',
    'minority-partition',
    'split-vote',
    'quorum-lost',
    'quota-exceeded',
    'lagging-follower',
  ])(
    '%s shows what it says, and puts everything right',
    async (scenario) => {
      const { state, error, steps, words } = await play(scenario);
      if (error !== null) console.error(JSON.stringify({ steps, words }));
      expect({ state, error }).toEqual({ state: 'done', error: null });
      expect(steps.every((step) => step.state === 'seen' && step.tookMs !== null)).toBe(true);
      // Every name that a text has is known by the time it is read.
      const info = (await client.call('scenarios.list', {})).find(({ id }) => id === scenario);
      const texts = info?.steps.flatMap(({ say, lookFor }) => [say.en, lookFor?.en ?? '']) ?? [];
      const names = texts.flatMap((one) => [...one.matchAll(/\{(\w+)\}/g)].map((m) => m[1]));
      expect(Object.keys(words)).toEqual(expect.arrayContaining([...new Set(names)]));
      const prefix = new Uint8Array(Buffer.from('raftdeck-scenario/'));
      const { rows } = await client.call('keys.list', { clusterId, prefix, limit: 10 });
      expect(rows).toEqual([]);
    },
    300_000,
  );

  test('one that is stopped is put right, too, and two do not play at once', async () => {
    const stream = client.open('scenarios.play', { clusterId, scenario: 'quorum-lost' });
    await until('the quorum is lost', async () =>
      stream.items.some(({ steps }) => steps[2]?.state === 'watching') ? true : undefined,
    );
    const second = client.open('scenarios.play', { clusterId, scenario: 'leader-lost' });
    await until('the second is refused', async () => second.ends.length > 0 || undefined);
    expect(second.ends[0]?.code).toBe('FailedPrecondition');
    stream.close();
    const overview = await client.overviewWhere(
      clusterId,
      ({ nodes }) => nodes.every(({ process }) => process?.state === 'running'),
      'every node runs again',
    );
    expect(overview.nodes).toHaveLength(3);
  }, 120_000);

  test('what there is none of is refused by name', async () => {
    const stream = client.open('scenarios.play', { clusterId, scenario: 'flood' });
    await until('it is refused', async () => stream.ends.length > 0 || undefined);
    expect(stream.ends[0]).toMatchObject({
      code: 'NotFound',
      message: 'there is no scenario flood',
    });
  });
});
