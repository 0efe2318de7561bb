/** The experiments of the notes on the bundled node, and the one that only it can run. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src-main/base/logger.ts';
import { EXPERIMENT_IDS, type ExperimentId } from '../../src-main/contract/notes.ts';
import type { TrialItem } from '../../src-main/contract/notes-trial.ts';
import { eventually } from '../../src-main/remote/testing/etcd.ts';
import { type App, createApp } from '../../src-main/services/app.ts';
import { TRIAL_PREFIX } from '../../src-main/services/notes-trial.ts';
import { bytes, TestClient } from '../../src-main/services/testing/client.ts';
import { ChildProcessLauncher, type Launcher } from '../../src-main/supervisor/launcher.ts';
import { NODE_MAIN } from '../support/cluster.ts';
import { requireBuild } from './raftdeck.ts';

requireBuild();

let dir: string;
let app: App;
let client: TestClient;

/** The app's source with the built node. */
const launcher: Launcher = {
  launch: (spec) =>
    new ChildProcessLauncher().launch({ ...spec, program: { kind: 'entry', path: NODE_MAIN } }),
};

async function run(experiment: ExperimentId) {
  const stream = client.open('notes.try', { clusterId: 'dev', experiment });
  await eventually(() => stream.ends.length > 0 || undefined, `${experiment} ends`, 60_000);
  expect(stream.ends).toEqual([undefined]);
  return stream.items;
}

const checks = (items: readonly TrialItem[]) =>
  items.flatMap((item) => (item.kind === 'check' ? [[item.check, item.held]] : []));

describe('experiments on the bundled node', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'raftdeck-app-'));
    const dataDir = join(dir, 'data');
    app = await createApp({ dataDir, hostKind: 'browser', logger: silentLogger, launcher });
    client = new TestClient(app);
    await client.createDev();
    await client.overviewWhere('dev', (o) => o.cluster.health === 'healthy', 'dev is healthy');
  });
  afterAll(async () => {
    await app?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it.each(EXPERIMENT_IDS)('%s holds, and leaves nothing behind', async (experiment) => {
    const items = await run(experiment);
    expect(checks(items).filter(([, held]) => held !== true)).toEqual([]);
    expect(items.at(-2)).toMatchObject({ kind: 'cleanup', left: 0 });
    expect(items.at(-1)).toEqual({ kind: 'verdict', held: true });
    const prefix = bytes(TRIAL_PREFIX);
    const { count } = await client.call('keys.list', { clusterId: 'dev', prefix, limit: 10 });
    expect(count).toBe(0);
    expect((await client.call('clusters.list', {})).map(({ name }) => name)).toEqual(['dev']);
    expect(await readdir(join(dir, 'data', 'clusters'))).toEqual(['dev']);
  });

  it('cuts off a member of a cluster of its own, and never one of the chosen cluster', async () => {
    const items = await run('quorum-reads');
    const cut = items.find((item) => item.kind === 'sent' && item.method === 'FaultLab.Set');
    expect(cut).toMatchObject({ request: expect.stringMatching(/^cut n\d ↔ n\d, n\d$/) });
    const reads = items.flatMap((item) =>
      item.kind === 'sent' && item.method === 'Range' ? [item] : [],
    );
    const refused = items.find((item) => item.kind === 'answer' && !item.ok);
    expect(refused).toMatchObject({ call: reads[1]?.call });
    expect(reads[1]?.request).toContain('serializable=false');
    expect(reads[2]?.request).toContain('serializable=true');
    const stale = items.find((item) => item.kind === 'answer' && item.call === reads[2]?.call);
    expect(stale).toMatchObject({ ok: true, response: expect.stringContaining('seat="v1"') });
    expect(items.at(-2)).toMatchObject({ kind: 'cleanup', cluster: 'notes-trial' });
  });

  it('deletes its cluster when it is stopped half-way', async () => {
    const stream = client.open('notes.try', { clusterId: 'dev', experiment: 'quorum-reads' });
    const names = async () => (await client.call('clusters.list', {})).map(({ name }) => name);
    await eventually(
      () => stream.items.some((item) => item.kind === 'answer') || undefined,
      'its cluster serves',
    );
    expect(await names()).toEqual(['dev', 'notes-trial']);
    stream.close();
    await eventually(async () => (await names()).length === 1 || undefined, 'it is gone', 40_000);
    expect(await readdir(join(dir, 'data', 'clusters'))).toEqual(['dev']);
  });
});
