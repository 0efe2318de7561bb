import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LeaseRow } from '../../../src-main/contract/views.ts';
import { ContractCallError } from '../../api/client.ts';
import { FakeClient } from '../../testing/fake-client.ts';
import { LeasesModel, REOPEN_MS } from './leases-model.svelte.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const utf8 = (text: string) => new TextEncoder().encode(text);

function row(id: string, keyCount = 0): LeaseRow {
  return { id, ttl: 30, grantedTtl: 60, keyCount, keys: [], keepAlive: false };
}

function list(...leases: LeaseRow[]) {
  return { leases, total: leases.length, readAtMs: 0 };
}

function following(): { fake: FakeClient; model: LeasesModel } {
  const fake = new FakeClient();
  const model = new LeasesModel(fake.client, 'c1', () => 1_000);
  model.follow();
  return { fake, model };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

test('keeps what it has when the stream ends, and opens it again', () => {
  const { fake, model } = following();
  fake.lastStream('leases.follow').push(list(row('a')));
  expect([model.table.total, model.readAtMs, model.problem]).toEqual([1, 1_000, null]);
  const failure = new ContractCallError('Unavailable', 'connection refused');
  fake.lastStream('leases.follow').end(failure);
  expect([model.problem, model.table.total]).toEqual([failure, 1]);
  vi.advanceTimersByTime(REOPEN_MS);
  expect(fake.streams).toHaveLength(2);
  fake.lastStream('leases.follow').push(list(row('a'), row('b')));
  expect([model.problem, model.table.total]).toEqual([null, 2]);
  model.dispose();
  expect(fake.lastStream('leases.follow').closed).toBe(true);
});

test('does not open again once it is disposed of', () => {
  const { fake, model } = following();
  fake.lastStream('leases.follow').end(null);
  model.dispose();
  vi.advanceTimersByTime(10 * REOPEN_MS);
  expect(fake.streams).toHaveLength(1);
});

test('reads the keys of the open lease, and again when their number changes', async () => {
  const { fake, model } = following();
  fake.lastStream('leases.follow').push(list(row('a', 1), row('b')));
  model.open('a');
  expect(model.keys.kind).toBe('loading');
  fake.lastCall('leases.keys').resolve({ ttl: 30, grantedTtl: 60, keys: [utf8('x')] });
  await settle();
  expect(model.keys).toEqual({ kind: 'ready', keys: [utf8('x')] });
  fake.lastStream('leases.follow').push(list(row('a', 1), row('b')));
  expect(fake.calls).toHaveLength(1);
  fake.lastStream('leases.follow').push(list(row('a', 2), row('b')));
  expect(fake.calls).toHaveLength(2);
  // Another lease is opened meanwhile: the late answer is not shown for it.
  const late = fake.lastCall('leases.keys');
  model.open('b');
  expect(late.signal?.aborted).toBe(true);
  late.resolve({ ttl: 1, grantedTtl: 1, keys: [utf8('x'), utf8('y')] });
  await settle();
  expect(model.keys.kind).toBe('loading');
  const failure = new ContractCallError('NotFound', 'gone');
  fake.lastCall('leases.keys').reject(failure);
  await settle();
  expect(model.keys).toEqual({ kind: 'failed', error: failure });
});

test('marks a lease as busy while an action runs, also when that fails', async () => {
  const { fake, model } = following();
  const renewal = model.renew('a');
  expect(model.busy.has('a')).toBe(true);
  fake.lastCall('leases.renew').resolve({ ttl: 60 });
  expect(await renewal).toBe(60);
  expect(model.busy.size).toBe(0);
  const keeping = model.keepAlive('a', true);
  expect(fake.lastCall('leases.keepAlive').input).toEqual({ clusterId: 'c1', id: 'a', on: true });
  fake.lastCall('leases.keepAlive').reject(new ContractCallError('NotFound', 'gone'));
  await expect(keeping).rejects.toThrow('gone');
  expect(model.busy.size).toBe(0);
});

test('renews several, each whatever happens to the others', async () => {
  const { fake, model } = following();
  const all = model.renewAll(['a', 'b', 'c']);
  const [first, ...others] = fake.calls;
  first?.reject(new ContractCallError('NotFound', 'a is gone'));
  for (const call of others) call.resolve({ ttl: 1 });
  await expect(all).rejects.toThrow('a is gone');
  expect(fake.calls.map((call) => call.input)).toEqual(
    ['a', 'b', 'c'].map((id) => ({ clusterId: 'c1', id })),
  );
});

test('grants with and without an id', async () => {
  const { fake, model } = following();
  void model.grant(60, '');
  expect(fake.lastCall('leases.grant').input).toEqual({ clusterId: 'c1', ttl: 60 });
  void model.grant(60, 'ff');
  expect(fake.lastCall('leases.grant').input).toEqual({ clusterId: 'c1', ttl: 60, id: 'ff' });
});
