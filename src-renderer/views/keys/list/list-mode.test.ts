import { expect, test } from 'vitest';
import { ListMode } from './list-mode.svelte.ts';

function memory() {
  const items = new Map<string, string>();
  return {
    items,
    getItem: (name: string) => items.get(name) ?? null,
    setItem: (name: string, text: string) => void items.set(name, text),
  };
}

test('is remembered for each cluster', () => {
  const store = memory();
  const mode = new ListMode(store, 'a');
  expect([mode.kind, mode.separator]).toEqual(['flat', '/']);
  mode.setKind('tree');
  mode.setSeparator('::');
  mode.setSeparator('');
  const again = new ListMode(store, 'a');
  expect([again.kind, again.separator]).toEqual(['tree', '::']);
  expect(new ListMode(store, 'b').kind).toBe('flat');
});

test('does without a store, and without sense in it', () => {
  const store = memory();
  store.items.set('raftdeck.keys-list.a', '{"kind":4,"separator":""');
  expect(new ListMode(store, 'a').kind).toBe('flat');
  store.items.set('raftdeck.keys-list.a', '{"kind":"tree","separator":""}');
  expect(new ListMode(store, 'a').separator).toBe('/');
  const without = new ListMode(null, 'a');
  without.setKind('tree');
  expect(without.kind).toBe('tree');
});
