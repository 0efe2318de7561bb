import { describe, expect, test } from 'vitest';
import type { SpaceReport } from '../../../src-main/contract/storage-tools.ts';
import { ContractCallError } from '../../api/client.ts';
import { utf8Encode } from '../../lib/bytes.ts';
import { FakeClient } from '../../testing/fake-client.ts';
import { CompactForm } from './compact-form.svelte.ts';
import { parseTime, revisionAt } from './compact-time.ts';
import { forecast } from './forecast.ts';
import { RestoreForm } from './restore-form.svelte.ts';
import { SnapshotRun } from './snapshot-run.svelte.ts';
import { SpaceModel } from './space-model.svelte.ts';

const samplesOf = (sizes: number[], stepMs = 10_000) =>
  sizes.map((dbSizeBytes, i) => ({ atMs: i * stepMs, dbSizeBytes, inUseBytes: 0, revision: i }));

describe('the forecast', () => {
  test('draws a line through what was measured', () => {
    const sizes = Array.from({ length: 13 }, (_, i) => 1_000 + 100 * i);
    expect(forecast(samplesOf(sizes), 3_200)).toMatchObject({ kind: 'hits', overMs: 120_000 });
    const { inMs, bytesPerHour } = forecast(samplesOf(sizes), 3_200) as {
      inMs: number;
      bytesPerHour: number;
    };
    // 1,000 bytes are left and 10 come each second.
    expect(inMs).toBeCloseTo(100_000);
    expect(bytesPerHour).toBeCloseTo(36_000);
  });

  test('says when it is too early, and for how long', () => {
    const growing = samplesOf([1, 2, 3]);
    expect(forecast(growing, 100)).toEqual({ kind: 'tooEarly', waitMs: 40_000 });
    expect(forecast([], 100)).toEqual({ kind: 'tooEarly', waitMs: 60_000 });
  });

  test('says when nothing grows, or so little that it never matters', () => {
    const flat = samplesOf(Array.from({ length: 20 }, () => 50));
    expect(forecast(flat, 100)).toEqual({ kind: 'notGrowing', overMs: 190_000 });
    const slow = samplesOf(Array.from({ length: 20 }, (_, i) => 1_000 + (i > 10 ? 1 : 0)));
    expect(forecast(slow, 2 ** 40).kind).toBe('notGrowing');
    const shrinking = samplesOf(Array.from({ length: 20 }, (_, i) => 1_000 - i));
    expect(forecast(shrinking, 2_000).kind).toBe('notGrowing');
  });

  test('begins anew where the size fell, and knows a full member and one without quota', () => {
    const fell = samplesOf([...Array.from({ length: 20 }, (_, i) => 1_000 + 100 * i), 500, 600]);
    expect(forecast(fell, 10_000).kind).toBe('tooEarly');
    expect(forecast(samplesOf([100]), 100)).toEqual({ kind: 'full' });
    expect(forecast(samplesOf([100]), null)).toEqual({ kind: 'noQuota' });
  });
});

describe('compacting to a time', () => {
  const now = new Date(2026, 10, 23, 13, 0, 0).getTime();
  const timeline = [
    { atMs: now - 600_000, revision: 10 },
    { atMs: now - 300_000, revision: 20 },
    { atMs: now, revision: 30 },
  ];

  test('reads times ago and times of day', () => {
    expect(now - parseTime('90', now)).toBe(90 * 60_000);
    expect(now - parseTime(' 30 s', now)).toBe(30_000);
    expect(now - parseTime('2h', now)).toBe(7_200_000);
    expect(parseTime('12:59:30', now)).toBe(now - 30_000);
    // Later than now is yesterday's.
    expect(parseTime('13:01', now)).toBe(now + 60_000 - 86_400_000);
    for (const text of ['', 'x', '-5', '25:00', '12:60', '5y'])
      expect(parseTime(text, now)).toBeNaN();
  });

  test('takes the newest revision seen by then, and none from before anybody looked', () => {
    expect(revisionAt(timeline, now - 200_000)?.revision).toBe(20);
    expect(revisionAt(timeline, now - 300_000)?.revision).toBe(20);
    expect(revisionAt(timeline, now - 700_000)).toBeNull();
  });

  test('becomes a plan', () => {
    const form = new CompactForm(
      () => ({ revision: 30, compactRevision: 5 }),
      () => timeline,
      () => now,
    );
    form.by = 'time';
    form.timeText = '4';
    expect(form.plan).toMatchObject({ ok: true, revision: 20, lostRevisions: 15 });
    form.timeText = '60';
    expect(form.plan).toEqual({ ok: false, problem: 'notRecorded' });
    form.timeText = 'soon';
    expect(form.plan).toEqual({ ok: false, problem: 'notATime' });
  });
});

function report(change: Partial<SpaceReport>): SpaceReport {
  const others = { groups: 0, keys: 0, bytes: 0, writes: 0 };
  const sums = { keys: 0, bytes: 0, writes: 0, totalKeys: 0, revision: 1 };
  return { groups: [], others, ...sums, isMixed: false, isDone: false, ...change };
}

describe('the space by prefix', () => {
  const group = (key: string, bytes: number, keys: number, writes: number) => ({
    key: utf8Encode(key),
    isFolder: true,
    bytes,
    keys,
    writes,
  });

  test('runs when asked, sorts by what is asked for, and ends', () => {
    const fake = new FakeClient();
    const model = new SpaceModel(fake.client, 'c1');
    expect(model.state).toBe('idle');
    model.scan(new Uint8Array());
    expect(model.state).toBe('running');
    const groups = [group('/a/', 10, 1, 9), group('/b/', 5, 3, 3)];
    fake.lastStream('storage.space').push(report({ groups, keys: 2, totalKeys: 4 }));
    expect(model.progress).toBe(0.5);
    expect(model.rows.map(({ keys }) => keys)).toEqual([1, 3]);
    model.sortBy = 'keys';
    expect(model.rows.map(({ keys }) => keys)).toEqual([3, 1]);
    fake.lastStream('storage.space').push(report({ groups, keys: 4, totalKeys: 4, isDone: true }));
    fake.lastStream('storage.space').end(null);
    expect(model.state).toBe('done');
  });

  test('cancelling keeps what was read and says that it is not all', () => {
    const fake = new FakeClient();
    const model = new SpaceModel(fake.client, 'c1');
    model.scan(utf8Encode('/a/'));
    const stream = fake.lastStream('storage.space');
    stream.push(report({ keys: 1, totalKeys: 9 }));
    model.cancel();
    expect(stream.closed).toBe(true);
    expect(model.state).toBe('cancelled');
    expect(model.report?.keys).toBe(1);
  });

  test('goes into folders and out again, and a failure is kept', () => {
    const fake = new FakeClient();
    const model = new SpaceModel(fake.client, 'c1');
    model.scan(new Uint8Array());
    model.enter(group('/a/', 1, 1, 1));
    model.enter(group('/a/b/', 1, 1, 1));
    expect(model.trail.map((part) => part.label)).toEqual(['/a/', 'b/']);
    model.scan(model.trail[0]?.prefix ?? new Uint8Array());
    expect(fake.lastStream('storage.space').input).toMatchObject({ prefix: utf8Encode('/a/') });
    const error = new ContractCallError('Unavailable', 'gone');
    fake.lastStream('storage.space').end(error);
    expect(model.state).toBe('failed');
    expect(model.error).toBe(error);
  });
});

describe('a snapshot', () => {
  const setUp = () => {
    const fake = new FakeClient();
    const saved: { name: string; blob: Blob }[] = [];
    const run = new SnapshotRun(fake.client, 'c1', (name, blob) => saved.push({ name, blob }));
    run.start('dev', 0);
    return { fake, saved, run, stream: fake.lastStream('storage.snapshot') };
  };

  test('is saved once its digest was verified', async () => {
    const { saved, run, stream } = setUp();
    stream.push({ kind: 'opened', node: 'n2', totalBytes: 4, version: null });
    stream.push({ kind: 'chunk', bytes: new Uint8Array([1, 2]) });
    expect(run).toMatchObject({ state: 'running', node: 'n2', gotBytes: 2 });
    stream.push({ kind: 'chunk', bytes: new Uint8Array([3, 4, 5]) });
    stream.push({ kind: 'done', totalBytes: 5, sha256: 'ab', isVerified: true });
    stream.end(null);
    expect(run).toMatchObject({ state: 'done', sha256: 'ab' });
    expect(saved.map(({ name }) => name)).toEqual([run.fileName]);
    const { blob } = saved[0] as { blob: Blob };
    expect(new Uint8Array(await blob.arrayBuffer())).toEqual(new Uint8Array([1, 2, 3, 4, 5]));
  });

  test('is not saved if it is damaged, cut short or cancelled', () => {
    const damaged = setUp();
    damaged.stream.push({ kind: 'chunk', bytes: new Uint8Array([1]) });
    damaged.stream.push({ kind: 'done', totalBytes: 1, sha256: 'ab', isVerified: false });
    expect(damaged.run.state).toBe('damaged');
    const cut = setUp();
    cut.stream.push({ kind: 'chunk', bytes: new Uint8Array([1]) });
    cut.stream.end(new ContractCallError('Unavailable', 'gone'));
    expect(cut.run.state).toBe('failed');
    const cancelled = setUp();
    cancelled.run.cancel();
    expect(cancelled.stream.closed).toBe(true);
    expect(cancelled.run.state).toBe('idle');
    expect([...damaged.saved, ...cut.saved, ...cancelled.saved]).toEqual([]);
  });
});

describe('restoring', () => {
  test('wants a name and a whole path, and says why a file was refused', async () => {
    const fake = new FakeClient();
    const form = new RestoreForm(fake.client, 'dev');
    expect(form).toMatchObject({ name: 'dev-restored', problem: 'restoreNoFile' });
    form.file = 'saved.db';
    expect(form.problem).toBe('restoreRelative');
    expect(await form.submit()).toBeNull();
    expect(fake.calls).toEqual([]);
    form.file = '/tmp/saved.db ';
    form.nodes = '1';
    expect(form.problem).toBeNull();
    const first = form.submit();
    const made = fake.lastCall('clusters.createLocal');
    expect(made.input).toEqual({ name: 'dev-restored', nodes: 1, restoreFrom: '/tmp/saved.db' });
    const error = new ContractCallError('InvalidArgument', 'damaged');
    made.reject(error);
    expect(await first).toBeNull();
    expect(form).toMatchObject({ running: false, error });
    form.name = ' ';
    expect(form.problem).toBe('restoreNoName');
  });
});
