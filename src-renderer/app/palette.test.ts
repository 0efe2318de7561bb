import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ContractCallError } from '../api/client.ts';
import { utf8Encode } from '../lib/bytes.ts';
import { FakeClient } from '../testing/fake-client.ts';
import {
  KeySearch,
  matchWords,
  type PaletteItem,
  scopeOf,
  search,
  withRecents,
} from './palette.svelte.ts';

function item(group: PaletteItem['group'], label: string): PaletteItem {
  return { id: `${group}-${label}`, group, label, icon: 'key', detail: '', run: () => {} };
}

const items = [
  item('actions', 'Restart n3'),
  item('actions', 'Start n1'),
  item('views', 'Go to Storage'),
  item('clusters', 'Switch to staging'),
  item('app', 'Theme: Dark'),
];
const labels = (query: string) => search(items, query).map((result) => result.item.label);

describe('search', () => {
  it('shows everything for nothing', () => expect(labels('')).toHaveLength(5));

  it('puts what was run last before all others, once', () => {
    const recents = ['app-Theme: Dark', 'gone', 'actions-Start n1'];
    const list = search(withRecents(items, recents), '');
    expect(list.map(({ item: { label, group } }) => `${group} ${label}`)).toEqual([
      'recent Theme: Dark',
      'recent Start n1',
      'actions Restart n3',
      'views Go to Storage',
      'clusters Switch to staging',
    ]);
  });

  it('puts the start of a label before the start of a word before the rest', () => {
    expect(labels('sta')).toEqual(['Start n1', 'Restart n3', 'Switch to staging']);
    expect(labels('st')).toEqual(['Start n1', 'Restart n3', 'Go to Storage', 'Switch to staging']);
  });

  it('offers keys after commands of that name, which Enter would run', () => {
    const withKey = [item('keys', 'Show keys that start with sto'), ...items];
    const list = search(withKey, 'sto').map((result) => result.item.label);
    expect(list).toEqual(['Go to Storage', 'Show keys that start with sto']);
  });

  it('wants every word, in any order', () => {
    expect(labels('n1 start')).toEqual(['Start n1']);
    expect(labels('start nope')).toEqual([]);
  });

  it('is narrowed by the first character', () => {
    expect(labels('@')).toEqual(['Switch to staging']);
    expect(labels('>dark')).toEqual(['Theme: Dark']);
    expect(labels('/x')).toEqual([]);
    expect(scopeOf('/a')).toEqual({ scope: 'keys', text: '/a' });
  });

  it('marks what matched, without overlaps', () => {
    expect(matchWords('Start n1', 'n1 sta')).toEqual([
      [0, 3],
      [6, 8],
    ]);
    expect(matchWords('aaa', 'aa a')).toEqual([[0, 2]]);
  });
});

describe('KeySearch', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('asks once after a pause, and drops what is no longer wanted', async () => {
    const fake = new FakeClient();
    const keys = new KeySearch(fake.client);
    keys.ask('c1', '/a');
    keys.ask('c1', '/ab');
    await vi.advanceTimersByTimeAsync(500);
    expect(fake.calls).toHaveLength(1);
    const first = fake.lastCall('keys.list');
    expect(first.input).toMatchObject({ prefix: utf8Encode('/ab') });
    keys.ask('c1', '/abc');
    expect(first.signal?.aborted).toBe(true);
    first.reject(new ContractCallError('Cancelled', 'cancelled'));
    await vi.advanceTimersByTimeAsync(500);
    fake.lastCall('keys.list').resolve({ rows: [{ key: utf8Encode('/abc') }] });
    await vi.advanceTimersByTimeAsync(0);
    expect(keys.keys.map((key) => key.name)).toEqual(['/abc']);
    expect(keys.error).toBeNull();
    keys.ask('c1', '');
    expect(keys.keys).toEqual([]);
  });

  it('says why there are none', async () => {
    const fake = new FakeClient();
    const keys = new KeySearch(fake.client);
    keys.ask('c1', '/a');
    await vi.advanceTimersByTimeAsync(500);
    fake.lastCall('keys.list').reject(new ContractCallError('NoLeader', 'no leader'));
    await vi.advanceTimersByTimeAsync(0);
    expect(keys.error).toBe('no leader');
  });
});
