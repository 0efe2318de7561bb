import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StorageView } from '../../../src-main/contract/views.ts';
import { ContractCallError } from '../../api/client.ts';
import { FakeClient } from '../../testing/fake-client.ts';
import { REOPEN_MS, StorageModel } from './storage-model.svelte.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function view(change: Partial<StorageView> = {}): StorageView {
  return {
    members: ['n1', 'n2'].map((name, i) => ({
      name,
      memberId: `id-${name}`,
      role: i === 0 ? 'leader' : 'follower',
      dbSizeBytes: 100,
      dbSizeInUseBytes: 10,
    })),
    quotaBytes: 100,
    revision: 50,
    compactRevision: null,
    keyCount: 1,
    alarms: ['n1', 'n2'].map((name) => ({ memberId: `id-${name}`, name, type: 'NOSPACE' })),
    samples: [],
    unreachable: [],
    atMs: 0,
    ...change,
  };
}

function following(): { fake: FakeClient; model: StorageModel } {
  const fake = new FakeClient();
  const model = new StorageModel(fake.client, 'c1', () => 1_000);
  model.follow();
  fake.lastStream('storage.follow').push(view());
  return { fake, model };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

const states = (model: StorageModel) => model.steps?.map((step) => step.state);

test('the way out of NOSPACE, from the calls that are made', async () => {
  const { fake, model } = following();
  expect(states(model)).toEqual(['done', 'next', 'later', 'later']);
  const compacting = model.compact(45, true);
  expect(fake.lastCall('storage.compact').input).toEqual({
    clusterId: 'c1',
    revision: 45,
    physical: true,
  });
  expect(states(model)).toEqual(['done', 'next', 'later', 'later']);
  fake.lastCall('storage.compact').resolve({ revision: 45 });
  await compacting;
  expect(states(model)).toEqual(['done', 'done', 'next', 'later']);

  model.prepareDefrag();
  const running = model.startDefrag();
  for (const node of ['n2', 'n1']) {
    const call = fake.lastCall('storage.defragment');
    expect(call.input).toEqual({ clusterId: 'c1', node });
    call.resolve({ beforeBytes: 100, afterBytes: 20 });
    await settle();
  }
  await running;
  expect(states(model)).toEqual(['done', 'done', 'done', 'next']);

  const disarming = model.disarm();
  expect(model.disarming).toBe(true);
  for (const memberId of ['id-n1', 'id-n2']) {
    const call = fake.lastCall('storage.disarm');
    expect(call.input).toEqual({ clusterId: 'c1', memberId, type: 'NOSPACE' });
    call.resolve({});
    await settle();
  }
  expect(await disarming).toBe(true);
  fake.lastStream('storage.follow').push(view({ alarms: [] }));
  expect(model.steps).toBeNull();
  // The next alarm begins anew: what was done for this one made room for nothing.
  fake.lastStream('storage.follow').push(view());
  expect(states(model)).toEqual(['done', 'next', 'later', 'later']);
});

test('a compaction that fails does not count', async () => {
  const { fake, model } = following();
  const compacting = model.compact(45, false);
  fake.lastCall('storage.compact').reject(new ContractCallError('NoLeader', 'no leader'));
  await expect(compacting).rejects.toThrow('no leader');
  expect(states(model)?.[1]).toBe('next');
});

test('a disarm that fails says so and leaves the step open', async () => {
  const { fake, model } = following();
  const disarming = model.disarm();
  const failure = new ContractCallError('NoLeader', 'no leader');
  fake.lastCall('storage.disarm').reject(failure);
  expect(await disarming).toBe(false);
  expect([model.disarmError, model.disarming]).toEqual([failure, false]);
});

test('keeps the last reading when the stream ends, and opens it again', () => {
  const { fake, model } = following();
  const failure = new ContractCallError('Unavailable', 'connection refused');
  fake.lastStream('storage.follow').end(failure);
  expect([model.problem, model.view?.revision]).toEqual([failure, 50]);
  vi.advanceTimersByTime(REOPEN_MS);
  fake.lastStream('storage.follow').push(view({ revision: 51 }));
  expect([model.problem, model.view?.revision]).toEqual([null, 51]);
  model.dispose();
  fake.lastStream('storage.follow').end(null);
  vi.advanceTimersByTime(10 * REOPEN_MS);
  expect(fake.streams).toHaveLength(2);
});
