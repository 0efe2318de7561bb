/** The whole app below its transports, over a remote etcd. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, hasEtcd, TestEtcd } from '../remote/testing/etcd.ts';
import type { App } from './app.ts';
import { bytes, hasLeader, openApp, TestClient } from './testing/client.ts';

let dir: string;
let app: App;
let client: TestClient;
let remote: TestEtcd;

describe.skipIf(!hasEtcd)('the app over a remote cluster', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'raftdeck-app-'));
    remote = await TestEtcd.start({ args: ['--quota-backend-bytes', '16777216'] });
    app = await openApp(join(dir, 'data'));
    client = new TestClient(app);
  });
  afterAll(async () => {
    await app?.close();
    await remote?.dispose();
    await rm(dir, { recursive: true, force: true });
  });

  it('tests endpoints before anything is added', async () => {
    const endpoint = remote.clientUrl.replace('http://', '');
    const [good, bad] = await client.call('clusters.testEndpoints', {
      endpoints: [endpoint, '127.0.0.1:1'],
    });
    expect(good).toMatchObject({ endpoint, ok: true, error: null });
    expect(good?.version).toMatch(/^3\./);
    expect(bad).toMatchObject({
      ok: false,
      error: 'cannot connect to 127.0.0.1:1: connection refused',
      hint: expect.stringContaining('Is the node running'),
    });
  });

  it('adds it, finds its members, and remembers it', async () => {
    const added = await client.call('clusters.addRemote', {
      name: 'staging',
      endpoints: [remote.clientUrl],
    });
    const overview = await client.overviewWhere(added.id, hasLeader, 'there is a leader');
    expect(overview.nodes).toMatchObject([{ name: 'm0', role: 'leader', process: null }]);
    expect(overview.cluster).toMatchObject({ kind: 'remote', health: 'healthy', upCount: 1 });
    const start = client.call('nodes.kill', { clusterId: added.id, node: 'm0' });
    await expect(start).rejects.toMatchObject({ code: 'Unsupported' });
    const logs = client.open('logs.follow', { clusterId: added.id });
    await eventually(() => logs.ends.length > 0 || undefined, 'the stream ends');
    expect(logs.ends[0]).toMatchObject({ code: 'Unsupported' });
    await app.close();
    app = await openApp(join(dir, 'data'));
    client = new TestClient(app);
    expect(await client.call('clusters.list', {})).toMatchObject([
      { id: added.id, name: 'staging', endpoints: [remote.clientUrl] },
    ]);
  });

  it('reaches the quota, says what to do, and recovers', async () => {
    const [cluster] = await client.call('clusters.list', {});
    const clusterId = cluster?.id ?? '';
    const storage = client.open('storage.follow', { clusterId });
    const value = new Uint8Array(1024 * 1024);
    const fill = async () => {
      for (let i = 0; i < 40; i++) {
        await client.call('keys.put', { clusterId, key: bytes('big'), value });
      }
    };
    await expect(fill()).rejects.toMatchObject({
      code: 'NoSpace',
      hint: expect.stringContaining('Storage view'),
    });
    const view = await eventually(
      () => storage.items.find((v) => v.alarms.length > 0),
      'the alarm is shown',
    );
    expect(view.alarms).toMatchObject([{ name: 'm0', type: 'NOSPACE' }]);
    expect(view.quotaBytes).toBe(16_777_216);
    const { revision } = view;
    await client.call('storage.compact', { clusterId, revision, physical: true });
    const sizes = await client.call('storage.defragment', { clusterId, node: 'm0' });
    expect(sizes.afterBytes).toBeLessThan(sizes.beforeBytes);
    const memberId = view.alarms[0]?.memberId ?? '';
    await client.call('storage.disarm', { clusterId, memberId, type: 'NOSPACE' });
    await client.call('keys.put', { clusterId, key: bytes('small'), value: bytes('v') });
    await eventually(
      () => storage.items.at(-1)?.alarms.length === 0 || undefined,
      'the alarm is gone',
    );
    storage.close();
  });

  it('tells where the space goes, what a compaction removes, and saves a checked snapshot', async () => {
    const [cluster] = await client.call('clusters.list', {});
    const clusterId = cluster?.id ?? '';
    const follow = client.open('storage.follow', { clusterId });
    const known = await eventually(
      () => follow.items.find((view) => view.compactRevision !== null),
      'the compacted revision is known',
    );
    for (let i = 0; i < 5; i++) {
      await client.call('keys.put', { clusterId, key: bytes('/app/a'), value: bytes(`v${i}`) });
    }
    const { revision } = await client.call('keys.put', {
      clusterId,
      key: bytes('/app/b'),
      value: bytes('v'),
    });
    const space = client.open('storage.space', { clusterId, prefix: bytes('/app/') });
    await eventually(() => space.ends.length > 0 || undefined, 'the scan ends');
    expect(space.ends).toEqual([undefined]);
    expect(space.items.at(-1)).toMatchObject({
      keys: 2,
      writes: 6,
      isDone: true,
      groups: [{ writes: 5 }, { writes: 1 }],
    });
    const effect = await client.call('storage.compactionEffect', { clusterId, revision });
    expect(effect.keysKept).toBe(4);
    expect(effect.versionsRemovedAtLeast).toBe(4);
    expect(known.compactRevision).toBeLessThan(revision);
    const hashes = await client.call('storage.hashes', { clusterId });
    expect(hashes).toMatchObject({ revision, verdict: 'unknown', members: [{ error: null }] });
    expect(hashes.members[0]?.hash).toBeTypeOf('number');
    const times = await client.call('storage.timeline', { clusterId });
    expect(times.at(-1)?.revision).toBeGreaterThan(1);

    const saved = client.open('storage.snapshot', { clusterId });
    await eventually(() => saved.ends.length > 0 || undefined, 'the snapshot is there');
    expect(saved.ends).toEqual([undefined]);
    const done = saved.items.at(-1);
    expect(done).toMatchObject({ kind: 'done', isVerified: true });
    const file = Buffer.concat(saved.items.map((i) => (i.kind === 'chunk' ? i.bytes : bytes(''))));
    expect(done).toMatchObject({ totalBytes: file.length });
    expect(saved.items[0]).toMatchObject({
      kind: 'opened',
      node: 'm0',
      totalBytes: file.length - 32,
    });
    follow.close();
  });

  it('is unreachable when it is gone, and comes back by itself', async () => {
    const [cluster] = await client.call('clusters.list', {});
    const id = cluster?.id ?? '';
    await client.overviewWhere(id, hasLeader, 'there is a leader');
    await remote.kill();
    const gone = await client.overviewWhere(
      id,
      (o) => /refused/.test(o.nodes[0]?.error ?? ''),
      'nobody listens there any more',
    );
    expect(gone.cluster.health).toBe('unreachable');
    expect(gone.nodes[0]?.role).toBe('down');
    await remote.start();
    const back = await client.overviewWhere(id, hasLeader, 'it is back');
    expect(back.events.map((event) => event.kind)).toEqual(
      expect.arrayContaining(['unreachable', 'reachable']),
    );
  });

  it('shows thousands of leases, soonest first', async () => {
    const [cluster] = await client.call('clusters.list', {});
    const clusterId = cluster?.id ?? '';
    const total = 2_000;
    const batch = 200;
    for (let i = 0; i < total; i += batch) {
      const ttls = Array.from({ length: batch }, (_, k) => 100_000 - i - k);
      await Promise.all(ttls.map((ttl) => client.call('leases.grant', { clusterId, ttl })));
    }
    const stream = client.open('leases.follow', { clusterId, limit: 100 });
    const list = await eventually(
      () => stream.items.find((l) => l.total === total && l.leases.length === 100),
      'all are counted',
    );
    const ttls = list.leases.map((lease) => lease.ttl);
    expect(ttls).toEqual([...ttls].sort((a, b) => a - b));
    expect(list.leases[0]?.grantedTtl).toBe(100_000 - total + 1);
    stream.close();
  });
});
