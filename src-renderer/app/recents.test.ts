import { expect, test } from 'vitest';
import { loadRecents, MAX_RECENTS, noteRecent } from './recents.ts';

function memory() {
  const values = new Map<string, string>();
  return {
    values,
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
  };
}

test('the newest comes first, each once, a few in all, and never a key', () => {
  const store = memory();
  for (const id of ['a', 'b', 'a', 'key-/secret', 'c', 'd', 'e', 'f']) noteRecent(store, id);
  expect(loadRecents(store)).toEqual(['f', 'e', 'd', 'c', 'a']);
  expect(loadRecents(store)).toHaveLength(MAX_RECENTS);
});

test('what is not ours is no list', () => {
  const store = memory();
  for (const text of ['{', '{}', '7']) {
    store.values.set('raftdeck.palette', text);
    expect(loadRecents(store)).toEqual([]);
  }
  store.values.set('raftdeck.palette', '[1,"a"]');
  expect(loadRecents(store)).toEqual(['a']);
});
