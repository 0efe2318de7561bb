/** The experiments, on a real etcd: what they report must follow from what it answers. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import type { ExperimentId } from '../contract/notes.ts';
import type { TrialItem } from '../contract/notes-trial.ts';
import { EtcdConnection } from '../remote/connection.ts';
import { eventually, hasEtcd, TestEtcd } from '../remote/testing/etcd.ts';
import type { App } from './app.ts';
import { casLoses, lockFencing } from './notes-experiments.ts';
import { TRIAL_PREFIX, Trial } from './notes-trial.ts';
import { MAX_TRIALS } from './notes-trials.ts';
import { bytes, openApp, TestClient } from './testing/client.ts';

let dir: string;
let app: App;
let client: TestClient;

const prefixed = () =>
  client.call('keys.list', { clusterId: 'dev', prefix: bytes(TRIAL_PREFIX), limit: 100 });

async function run(experiment: ExperimentId, clusterId = 'dev') {
  const stream = client.open('notes.try', { clusterId, experiment });
  await eventually(() => stream.ends.length > 0 || undefined, `${experiment} ends`, 40_000);
  return { items: stream.items, error: stream.ends[0] };
}

const checks = (items: readonly TrialItem[]) =>
  items.flatMap((item) => (item.kind === 'check' ? [[item.check, item.held]] : []));
const callsOf = (items: readonly TrialItem[]) =>
  items.flatMap((item) => (item.kind === 'sent' ? [item.method] : []));

describe.skipIf(!hasEtcd)('experiments on a local cluster', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'raftdeck-trials-'));
    app = await openApp(join(dir, 'data'));
    client = new TestClient(app);
    await client.createDev();
    await client.overviewWhere('dev', (o) => o.cluster.health === 'healthy', 'dev is healthy');
  });
  afterAll(async () => {
    await app?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it.each([
    ['watch-history', ['streamSawAll', 'oneShotMissed', 'lateSawAll']],
    ['cas-loses', ['firstWon', 'secondLost', 'loserSawWinner', 'nothingOverwritten']],
    ['lease-expiry', ['leaseKeysGone', 'otherKeyStays', 'notBeforeTtl']],
    ['lock-fencing', ['tokenGrows', 'lateRefused', 'guardedKept', 'unguardedOverwritten']],
  ] as const)('%s holds, and leaves nothing behind', async (experiment, expected) => {
    const before = await client.call('leases.grant', { clusterId: 'dev', ttl: 600 });
    const { items, error } = await run(experiment);
    expect(error).toBeUndefined();
    expect(items[0]).toMatchObject({ kind: 'begin', cluster: 'dev' });
    expect(checks(items)).toEqual(expected.map((name) => [name, true]));
    expect(items.at(-2)).toMatchObject({ kind: 'cleanup', left: 0, cluster: null });
    expect(items.at(-1)).toEqual({ kind: 'verdict', held: true });
    const sent = items.filter((item) => item.kind === 'sent').map((item) => item.call);
    const answered = items.filter((item) => item.kind === 'answer').map((item) => item.call);
    expect([...answered].sort((a, b) => a - b)).toEqual(sent);
    expect((await prefixed()).count).toBe(0);
    // The user's own lease is still there, and no lease of the experiment is.
    const stream = client.open('leases.follow', { clusterId: 'dev' });
    const leases = await eventually(() => stream.items[0]?.leases.map((row) => row.id), 'leases');
    stream.close();
    expect(leases).toEqual([before.id]);
    await client.call('leases.revoke', { clusterId: 'dev', ids: [before.id] });
  });

  it('shows what was sent and what came back, in that order', async () => {
    const { items } = await run('cas-loses');
    expect(callsOf(items)).toEqual(['Put', 'Range', 'Range', 'Txn', 'Txn', 'Range']);
    const texts = items.flatMap((item) => {
      if (item.kind === 'sent') return [`> ${item.request}`];
      return item.kind === 'answer' ? [`< ${item.response}`] : [];
    });
    expect(texts[0]).toBe('> key=stock value="10"');
    expect(texts[1]).toMatch(/^< revision=\d+$/);
    expect(texts[8]).toMatch(/^> if mod_revision\(stock\)=\d+ then put .* by B" else get stock$/);
    expect(texts[9]).toMatch(/^< succeeded=false stock="9, taken by A" mod_revision=\d+$/);
  });

  it('does not touch keys that begin alike', async () => {
    const key = bytes('raftdeck-notes');
    await client.call('keys.put', { clusterId: 'dev', key, value: bytes('mine') });
    await run('cas-loses');
    expect(await client.call('keys.get', { clusterId: 'dev', key })).not.toBeNull();
    await client.call('keys.delete', { clusterId: 'dev', keys: [key] });
  });

  it('cleans up when it is stopped half-way', async () => {
    const stream = client.open('notes.try', { clusterId: 'dev', experiment: 'lease-expiry' });
    await eventually(
      () => stream.items.some((item) => item.kind === 'say') || undefined,
      'it waits for the expiry',
    );
    expect((await prefixed()).count).toBeGreaterThan(0);
    stream.close();
    await eventually(async () => (await prefixed()).count === 0 || undefined, 'it is clean', 2_500);
  });

  it('runs only so many at once, and others afterwards', async () => {
    const streams = Array.from({ length: MAX_TRIALS + 1 }, () =>
      client.open('notes.try', { clusterId: 'dev', experiment: 'lease-expiry' }),
    );
    const last = streams.at(-1);
    await eventually(() => last?.ends.length || undefined, 'the last one is refused');
    expect(last?.ends[0]).toMatchObject({ code: 'FailedPrecondition' });
    for (const stream of streams) stream.close();
    await eventually(async () => (await prefixed()).count === 0 || undefined, 'all are clean');
    const { items } = await run('cas-loses');
    expect(items.at(-1)).toEqual({ kind: 'verdict', held: true });
  });

  it('refuses a remote cluster, and one that there is not', async () => {
    const remote = await TestEtcd.start();
    try {
      const endpoints = [remote.clientUrl];
      const { id } = await client.call('clusters.addRemote', { name: 'far', endpoints });
      for (const experiment of ['cas-loses', 'quorum-reads'] as const) {
        const { items, error } = await run(experiment, id);
        expect(items).toEqual([]);
        expect(error).toMatchObject({
          code: 'Unsupported',
          hint: expect.stringContaining('local'),
        });
      }
      const keys = await client.call('keys.count', {
        clusterId: id,
        key: bytes('\0'),
        rangeEnd: bytes('\0'),
      });
      expect(keys.count).toBe(0);
      await client.call('clusters.remove', { clusterId: id, deleteData: false });
    } finally {
      await remote.dispose();
    }
    expect((await run('cas-loses', 'none')).error).toMatchObject({ code: 'NotFound' });
  });

  it('says what it needs where members cannot be cut off, and leaves no cluster', async () => {
    const { items, error } = await run('quorum-reads');
    expect(items.map((item) => item.kind)).toEqual(['say']);
    expect(error).toMatchObject({
      code: 'Unsupported',
      message: expect.stringContaining('bundled'),
    });
    const names = (await client.call('clusters.list', {})).map((cluster) => cluster.name);
    expect(names).toEqual(['dev']);
  });

  it('tells of a cluster that does not answer, instead of a verdict', async () => {
    for (const node of ['n1', 'n2']) await client.call('nodes.kill', { clusterId: 'dev', node });
    const { items, error } = await run('cas-loses');
    expect(error).toBeDefined();
    expect(items.at(-1)).toMatchObject({ kind: 'cleanup', left: null });
    expect(items.some((item) => item.kind === 'verdict')).toBe(false);
  });
});

/** Transactions that compare nothing: what a store without compare-and-swap would do. */
class Careless extends EtcdConnection {
  override txn(...[request, options]: Parameters<EtcdConnection['txn']>) {
    return super.txn({ ...request, compare: [] }, options);
  }
}

describe.skipIf(!hasEtcd)('a claim that does not hold', () => {
  it.each([
    ['cas-loses', casLoses, ['secondLost', 'loserSawWinner', 'nothingOverwritten']],
    ['lock-fencing', lockFencing, ['lateRefused', 'guardedKept']],
  ] as const)('%s says so of a store that compares nothing', async (_, experiment, broken) => {
    const etcd = await TestEtcd.start();
    const connection = new Careless([etcd.clientUrl]);
    try {
      const items: TrialItem[] = [];
      const push = (item: TrialItem) => void items.push(item);
      const { signal } = new AbortController();
      const trial = new Trial({ etcd: connection, push, signal, clock: systemClock });
      await experiment(trial);
      expect(trial.held).toBe(false);
      const failed = checks(items).flatMap(([check, held]) => (held === false ? [check] : []));
      expect(failed).toEqual(broken);
      expect(await trial.cleanUp()).toMatchObject({ left: 0 });
    } finally {
      connection.dispose();
      await etcd.dispose();
    }
  });

  it('has no verdict in its favour where nothing was looked at', () => {
    const etcd = new EtcdConnection(['127.0.0.1:1']);
    const { signal } = new AbortController();
    expect(new Trial({ etcd, push: () => {}, signal, clock: systemClock }).held).toBe(false);
    etcd.dispose();
  });
});
