import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ContractCallError } from '../api/client.ts';
import { FakeClient, node, overview, summary } from '../testing/fake-client.ts';
import { ClustersStore } from './clusters.svelte.ts';
import { ConnectionStore } from './connection.svelte.ts';
import { COUNT_KEYS_MS, OverviewStore } from './overview.svelte.ts';
import { SettingsStore } from './settings.svelte.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class Memory {
  readonly map = new Map<string, string>();
  getItem(key: string): string | null {
    return this.map.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.map.set(key, value);
  }
}

describe('ClustersStore', () => {
  it('has the newest list, local and remote apart, and follows again after an error', () => {
    const fake = new FakeClient();
    const store = new ClustersStore(fake.client);
    expect(store.loaded).toBe(false);
    const remote = summary({ id: 'c2', kind: 'remote' });
    fake.lastStream('clusters.follow').push([remote, summary()]);
    expect(store.loaded).toBe(true);
    expect(store.locals.map((c) => c.id)).toEqual(['c1']);
    expect(store.remotes.map((c) => c.id)).toEqual(['c2']);
    expect(store.byId('c2')).toEqual(remote);
    expect(store.byId('nope')).toBeNull();
    fake.lastStream('clusters.follow').end(new ContractCallError('Internal', 'broke'));
    expect(store.error?.message).toBe('broke');
    vi.advanceTimersByTime(5_000);
    expect(fake.streams).toHaveLength(2);
    fake.lastStream('clusters.follow').push([]);
    expect(store.error).toBeNull();
    expect(store.list).toEqual([]);
    store.dispose();
  });
});

describe('OverviewStore', () => {
  const led = () => overview([node('n1', { role: 'leader' }), node('n2'), node('n3')]);

  it('follows one cluster at a time', () => {
    const fake = new FakeClient();
    const store = new OverviewStore(fake.client);
    store.follow('c1');
    store.follow('c1');
    expect(fake.streams).toHaveLength(1);
    fake.lastStream('cluster.overview').push(led());
    expect(store.current?.leader).toBe('n1');
    const first = fake.streams[0];
    store.follow('c2');
    expect(first?.closed).toBe(true);
    expect(store.current).toBeNull();
    store.follow(null);
    expect(fake.streams.every((stream) => stream.closed)).toBe(true);
  });

  it('counts keys at once, and then only after a new revision and not too often', async () => {
    const fake = new FakeClient();
    const store = new OverviewStore(fake.client);
    store.follow('c1');
    const stream = fake.lastStream('cluster.overview');
    stream.push(led());
    await vi.advanceTimersByTimeAsync(0);
    fake.lastCall('keys.count').resolve({ count: 5, revision: 48 });
    await vi.advanceTimersByTimeAsync(0);
    expect(store.keyCount).toBe(5);
    stream.push(led());
    await vi.advanceTimersByTimeAsync(2 * COUNT_KEYS_MS);
    expect(fake.calls).toHaveLength(1);
    stream.push({ ...led(), revision: 49 });
    stream.push({ ...led(), revision: 50 });
    await vi.advanceTimersByTimeAsync(COUNT_KEYS_MS);
    expect(fake.calls).toHaveLength(2);
    store.dispose();
  });

  it('does not count while there is no leader, and keeps no count of another cluster', async () => {
    const fake = new FakeClient();
    const store = new OverviewStore(fake.client);
    store.follow('c1');
    fake.lastStream('cluster.overview').push({ ...led(), leader: null });
    await vi.advanceTimersByTimeAsync(COUNT_KEYS_MS);
    expect(fake.calls).toEqual([]);
    fake.lastStream('cluster.overview').push(led());
    await vi.advanceTimersByTimeAsync(COUNT_KEYS_MS);
    const call = fake.lastCall('keys.count');
    store.follow('c2');
    expect(call.signal?.aborted).toBe(true);
    call.resolve({ count: 9, revision: 48 });
    await vi.advanceTimersByTimeAsync(0);
    expect(store.keyCount).toBeNull();
    store.dispose();
  });

  it('goes on after a failed count', async () => {
    const fake = new FakeClient();
    const store = new OverviewStore(fake.client);
    store.follow('c1');
    const stream = fake.lastStream('cluster.overview');
    stream.push(led());
    await vi.advanceTimersByTimeAsync(0);
    fake.lastCall('keys.count').reject(new ContractCallError('Timeout', 'slow'));
    await vi.advanceTimersByTimeAsync(0);
    stream.push({ ...led(), revision: 60 });
    await vi.advanceTimersByTimeAsync(COUNT_KEYS_MS);
    expect(fake.calls).toHaveLength(2);
    store.dispose();
  });

  it('opens its stream again after an error, but not for a cluster that is gone', () => {
    const fake = new FakeClient();
    const store = new OverviewStore(fake.client);
    store.follow('c1');
    fake.lastStream('cluster.overview').end(new ContractCallError('Internal', 'broke'));
    vi.advanceTimersByTime(5_000);
    expect(fake.streams).toHaveLength(2);
    fake.lastStream('cluster.overview').end(new ContractCallError('NotFound', 'gone'));
    vi.advanceTimersByTime(60_000);
    expect(fake.streams).toHaveLength(2);
  });
});

describe('SettingsStore', () => {
  const dark = { theme: 'dark', language: 'zh', density: 'comfortable' } as const;

  it('starts with the copy of last time, whatever is in it', () => {
    const memory = new Memory();
    memory.setItem('raftdeck.settings', JSON.stringify(dark));
    expect(new SettingsStore(new FakeClient().client, memory).current).toEqual(dark);
    memory.setItem('raftdeck.settings', '{"theme":7}');
    expect(new SettingsStore(new FakeClient().client, memory).current.theme).toBe('system');
    memory.setItem('raftdeck.settings', 'not json');
    expect(new SettingsStore(new FakeClient().client, memory).current.theme).toBe('system');
  });

  it('shows a change at once and takes it back if main refuses it', async () => {
    const fake = new FakeClient();
    const memory = new Memory();
    const store = new SettingsStore(fake.client, memory);
    const kept = store.set({ theme: 'dark' });
    expect(store.current.theme).toBe('dark');
    fake.lastCall('settings.set').resolve({ ...dark, language: 'system' });
    await kept;
    expect(memory.getItem('raftdeck.settings')).toContain('dark');
    const refused = store.set({ theme: 'light' });
    fake.lastCall('settings.set').reject(new ContractCallError('DataDir', 'disk full'));
    await refused;
    expect(store.current.theme).toBe('dark');
    expect(store.error).toMatchObject({ code: 'DataDir' });
  });
});

describe('ConnectionStore', () => {
  it('knows since when main is gone', () => {
    let report: (state: 'connecting' | 'open' | 'closed') => void = () => {};
    const client = {
      onState: (listener: typeof report) => {
        report = listener;
        return () => {};
      },
    };
    let now = 1_000;
    const store = new ConnectionStore(client as never, () => now);
    report('connecting');
    expect(store.lostSinceMs).toBeNull();
    report('open');
    report('closed');
    now = 5_000;
    report('connecting');
    report('closed');
    expect(store.lostSinceMs).toBe(1_000);
    report('open');
    expect(store.lostSinceMs).toBeNull();
  });
});
