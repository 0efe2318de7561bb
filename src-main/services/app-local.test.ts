/** The whole app below its transports, over local nodes. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WatchItem } from '../contract/views.ts';
import { eventually, hasEtcd } from '../remote/testing/etcd.ts';
import type { App } from './app.ts';
import { bytes, hasLeader, openApp, TestClient, text } from './testing/client.ts';

let dir: string;
let app: App;
let client: TestClient;

describe.skipIf(!hasEtcd)('the app over a local cluster', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'raftdeck-app-'));
    app = await openApp(join(dir, 'data'));
    client = new TestClient(app);
    await client.createDev();
    await client.overviewWhere('dev', (o) => o.cluster.health === 'healthy', 'dev is healthy');
  });
  afterAll(async () => {
    await app?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('says who it is', async () => {
    expect(await client.call('app.info', {})).toMatchObject({
      host: 'browser',
      dataDir: join(dir, 'data'),
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
  });

  it('shows every node of the default cluster', async () => {
    const overview = await client.overviewWhere('dev', hasLeader, 'there is a leader');
    expect(overview).toMatchObject({ quorum: 2, noLeaderSinceMs: null });
    expect(overview.nodes.map((node) => node.name)).toEqual(['n1', 'n2', 'n3']);
    expect(overview.nodes.map((node) => node.role).sort()).toEqual([
      'follower',
      'follower',
      'leader',
    ]);
    for (const node of overview.nodes) {
      expect(node.process).toMatchObject({ state: 'running', restarts: 0 });
      expect(node.commitIndex).toBeGreaterThan(0);
      expect(node.memberId).toMatch(/^[0-9a-f]+$/);
    }
    expect(overview.events.some((event) => event.kind === 'leader')).toBe(true);
  });

  it('puts, reads and deletes with compare-and-swap', async () => {
    const clusterId = 'dev';
    const key = bytes('cas');
    const first = await client.call('keys.put', {
      clusterId,
      key,
      value: bytes('1'),
      expectModRevision: 0,
    });
    const second = await client.call('keys.put', {
      clusterId,
      key,
      value: bytes('2'),
      expectModRevision: first.revision,
    });
    const stale = client.call('keys.put', {
      clusterId,
      key,
      value: bytes('3'),
      expectModRevision: first.revision,
    });
    await expect(stale).rejects.toMatchObject({
      code: 'Conflict',
      message: expect.stringContaining(`mod revision ${second.revision} now`),
    });
    const isNew = client.call('keys.put', { clusterId, key, value: key, expectModRevision: 0 });
    await expect(isNew).rejects.toMatchObject({ code: 'Conflict' });
    const staleDelete = client.call('keys.delete', {
      clusterId,
      keys: [key],
      expectModRevision: first.revision,
    });
    await expect(staleDelete).rejects.toMatchObject({ code: 'Conflict' });
    const detail = await client.call('keys.get', { clusterId, key });
    expect(text(detail?.value)).toBe('2');
    expect(detail).toMatchObject({ version: 2, lease: null, leaseTtl: null, valueBytes: 1 });
    const old = await client.call('keys.get', { clusterId, key, revision: first.revision });
    expect(text(old?.value)).toBe('1');
    const deleted = await client.call('keys.delete', {
      clusterId,
      keys: [key, key, bytes('never')],
    });
    expect(deleted.deleted).toBe(1);
    expect(await client.call('keys.get', { clusterId, key })).toBeNull();
    const gone = client.call('keys.put', { clusterId, key, value: key, expectModRevision: 9 });
    await expect(gone).rejects.toMatchObject({ message: expect.stringContaining('no longer') });
  });

  it('pages at a fixed revision while others write', async () => {
    const clusterId = 'dev';
    const name = (i: number) => `page/${String(i).padStart(3, '0')}`;
    for (let i = 0; i < 30; i++) {
      await client.call('keys.put', { clusterId, key: bytes(name(i)), value: bytes('v') });
    }
    const prefix = bytes('page/');
    let page = await client.call('keys.list', { clusterId, prefix, limit: 7 });
    const { revision } = page;
    const seen = page.rows.map((row) => text(row.key));
    while (page.next !== null) {
      // Keys come and go behind and before the page.
      await client.call('keys.put', { clusterId, key: bytes('page/000a'), value: bytes('new') });
      await client.call('keys.delete', { clusterId, keys: [bytes(name(29))] });
      page = await client.call('keys.list', {
        clusterId,
        prefix,
        limit: 7,
        after: new Uint8Array(page.next),
        revision,
      });
      // What is counted is what is left, without a request of its own.
      expect(page).toMatchObject({ count: 30 - seen.length, revision });
      seen.push(...page.rows.map((row) => text(row.key)));
    }
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => name(i)));
    const range = { clusterId, key: prefix, rangeEnd: bytes('page0') };
    expect((await client.call('keys.count', range)).count).toBe(30);
    expect((await client.call('keys.deleteRange', range)).deleted).toBe(30);
  });

  it('lists an empty prefix and long keys', async () => {
    const clusterId = 'dev';
    const long = new Uint8Array(40_000).fill(0xff);
    await client.call('keys.put', { clusterId, key: long, value: bytes('v') });
    const page = await client.call('keys.list', { clusterId, prefix: bytes(''), limit: 5_000 });
    expect(page.rows.at(-1)?.key.length).toBe(40_000);
    expect(page.next).toBeNull();
    expect(page.rows.length).toBe(page.count);
    const under = await client.call('keys.list', { clusterId, prefix: long, limit: 10 });
    expect(under.count).toBe(1);
    await client.call('keys.delete', { clusterId, keys: [long] });
  });

  it('keeps, changes and detaches the lease of a key', async () => {
    const clusterId = 'dev';
    const key = bytes('leased');
    const { id } = await client.call('leases.grant', { clusterId, ttl: 300 });
    const put = (lease?: string | null) =>
      client.call('keys.put', {
        clusterId,
        key,
        value: bytes('v'),
        ...(lease === undefined ? {} : { lease }),
      });
    const leaseNow = async () => (await client.call('keys.get', { clusterId, key }))?.lease;
    await put(id);
    expect(await leaseNow()).toBe(id);
    await put();
    expect(await leaseNow()).toBe(id);
    const keys = await client.call('leases.keys', { clusterId, id });
    expect(keys.keys.map(text)).toEqual(['leased']);
    await put(null);
    expect(await leaseNow()).toBeNull();
    await expect(put('dead')).rejects.toMatchObject({ code: 'NotFound' });
    await client.call('leases.revoke', { clusterId, ids: [id] });
  });

  it('follows leases, and keeps one alive', async () => {
    const clusterId = 'dev';
    const stream = client.open('leases.follow', { clusterId });
    const { id } = await client.call('leases.grant', { clusterId, ttl: 120, id: 'abc' });
    expect(id).toBe('abc');
    await expect(client.call('leases.grant', { clusterId, ttl: 9, id })).rejects.toMatchObject({
      code: 'AlreadyExists',
    });
    await client.call('leases.keepAlive', { clusterId, id, on: true });
    const row = await eventually(
      () => stream.items.at(-1)?.leases.find((lease) => lease.id === id && lease.keepAlive),
      'the lease is listed as kept alive',
    );
    expect(row.grantedTtl).toBe(120);
    expect(row.ttl).toBeGreaterThan(100);
    await client.call('leases.keepAlive', { clusterId, id, on: false });
    await client.call('leases.revoke', { clusterId, ids: [id] });
    await eventually(
      () => stream.items.at(-1)?.leases.every((lease) => lease.id !== id) || undefined,
      'it is gone',
    );
    await expect(client.call('leases.renew', { clusterId, id })).rejects.toMatchObject({
      code: 'NotFound',
    });
    stream.close();
  });

  it('shows, compacts and defragments the storage', async () => {
    const clusterId = 'dev';
    const put = await client.call('keys.put', { clusterId, key: bytes('s'), value: bytes('v') });
    const stream = client.open('storage.follow', { clusterId });
    const view = await eventually(
      () => stream.items.find((v) => v.members.length === 3 && v.keyCount !== null),
      'all members are shown',
    );
    expect(view).toMatchObject({ quotaBytes: 2 ** 31, alarms: [], unreachable: [] });
    expect(view.samples.length).toBeGreaterThan(0);
    await client.call('storage.compact', { clusterId, revision: put.revision, physical: true });
    await eventually(
      () => stream.items.at(-1)?.compactRevision === put.revision || undefined,
      'the compaction is shown',
    );
    const again = client.call('storage.compact', {
      clusterId,
      revision: put.revision,
      physical: false,
    });
    await expect(again).rejects.toMatchObject({ code: 'Compacted' });
    const old = client.call('keys.get', { clusterId, key: bytes('s'), revision: 2 });
    await expect(old).rejects.toMatchObject({ code: 'Compacted' });
    const sizes = await client.call('storage.defragment', { clusterId, node: 'n2' });
    expect(sizes.afterBytes).toBeGreaterThan(0);
    const unknown = client.call('storage.defragment', { clusterId, node: 'n9' });
    await expect(unknown).rejects.toMatchObject({ code: 'NotFound' });
    const { events } = await client.overviewWhere('dev', hasLeader, 'there is a leader');
    expect(events.map((event) => event.kind)).toEqual(
      expect.arrayContaining(['compacted', 'defragmented']),
    );
    stream.close();
  });

  it('streams the logs of every node', async () => {
    const stream = client.open('logs.follow', { clusterId: 'dev', tail: 50 });
    const lines = await eventually(() => stream.items.find((l) => l.length > 0), 'lines came');
    expect(new Set(lines.map((line) => line.node))).toEqual(new Set(['n1', 'n2', 'n3']));
    stream.close();
  });

  it('survives the death of the leader, and so does a watch', async () => {
    const clusterId = 'dev';
    const before = await client.overviewWhere('dev', hasLeader, 'there is a leader');
    const watch = client.open('watch.open', { clusterId, key: bytes('w/'), rangeEnd: bytes('w0') });
    await eventually(() => watch.items.find((i) => i.kind === 'opened'), 'the watch is open');
    const events = () =>
      watch.items.flatMap((i: WatchItem) => (i.kind === 'events' ? i.events : []));
    await client.call('keys.put', { clusterId, key: bytes('w/1'), value: bytes('v') });
    const leader = before.leader ?? '';
    await client.call('nodes.kill', { clusterId, node: leader });
    const after = await client.overviewWhere(
      'dev',
      (o) => o.leader !== null && o.leader !== leader,
      'another leads',
    );
    expect(after.nodes.find((node) => node.name === leader)).toMatchObject({ role: 'down' });
    expect(after.cluster.health).toBe('degraded');
    const kinds = after.events.map((event) => event.kind);
    expect(kinds.slice(0, 3)).toEqual(['leader', 'noLeader', 'killed']);
    await client.call('keys.put', { clusterId, key: bytes('w/2'), value: bytes('v') });
    await eventually(() => events().length >= 2 || undefined, 'both events came');
    expect(events().map((event) => text(event.key))).toEqual(['w/1', 'w/2']);
    await client.call('nodes.start', { clusterId, node: leader });
    await client.overviewWhere('dev', (o) => o.cluster.upCount === 3, 'all are back');
    watch.close();
  });

  it('says so when the quorum is lost', async () => {
    const clusterId = 'dev';
    await client.call('nodes.kill', { clusterId, node: 'n1' });
    await client.call('nodes.kill', { clusterId, node: 'n2' });
    const overview = await client.overviewWhere(
      'dev',
      (o) => o.noLeaderSinceMs !== null && o.nodes[2]?.role === 'candidate',
      'the last one is alone',
    );
    expect(overview.cluster.health).toBe('noQuorum');
    const put = client.call('keys.put', { clusterId, key: bytes('q'), value: bytes('v') });
    await expect(put).rejects.toMatchObject({ code: 'NoLeader' });
    await client.call('clusters.start', { clusterId });
    await client.overviewWhere('dev', (o) => o.cluster.health === 'healthy', 'it is healthy again');
    await client.call('keys.put', { clusterId, key: bytes('q'), value: bytes('v') });
  });

  it('creates, renames, stops and removes another cluster', async () => {
    const list = client.open('clusters.follow', {});
    const created = await client.call('clusters.createLocal', { name: 'Second one', nodes: 1 });
    expect(created).toMatchObject({ id: 'second-one', nodeCount: 1, kind: 'local' });
    const clusterId = created.id;
    await client.overviewWhere(clusterId, (o) => o.cluster.health === 'healthy', 'it is healthy');
    await client.call('clusters.rename', { clusterId, name: 'Other' });
    await client.call('clusters.stop', { clusterId });
    await eventually(
      () =>
        list.items.at(-1)?.some((c) => c.name === 'Other' && c.health === 'stopped') || undefined,
      'the list shows it',
    );
    await client.call('clusters.remove', { clusterId, deleteData: true });
    await eventually(() => list.items.at(-1)?.length === 1 || undefined, 'it is off the list');
    const gone = client.call('keys.count', { clusterId, key: bytes('a') });
    await expect(gone).rejects.toMatchObject({ code: 'NotFound' });
    const [dev] = await client.call('clusters.list', {});
    const basePort = Number(new URL(dev?.endpoints[0] ?? '').port);
    const busy = client.call('clusters.createLocal', { name: 'x', nodes: 1, basePort });
    await expect(busy).rejects.toMatchObject({ code: 'PortInUse' });
    list.close();
  });

  it('refuses a second app on the same data folder', async () => {
    await expect(openApp(join(dir, 'data'))).rejects.toMatchObject({ code: 'DataDirInUse' });
  });

  it('starts what ran when it was closed, with its data', async () => {
    const clusterId = 'dev';
    await client.call('keys.put', { clusterId, key: bytes('kept'), value: bytes('v') });
    await app.close();
    app = await openApp(join(dir, 'data'));
    client = new TestClient(app);
    expect(await client.call('clusters.list', {})).toMatchObject([
      { id: 'dev', health: 'stopped' },
    ]);
    await app.startDefault();
    await client.overviewWhere('dev', (o) => o.cluster.health === 'healthy', 'dev is healthy');
    expect(text((await client.call('keys.get', { clusterId, key: bytes('kept') }))?.value)).toBe(
      'v',
    );
    await client.call('clusters.stop', { clusterId });
    const running = JSON.parse(await readFile(join(dir, 'data', 'running.json'), 'utf8'));
    expect(running.clusterIds).toEqual([]);
  });
});
