import { expect, test } from 'vitest';
import type { KeyLevel, KeyLevelEntry } from '../../../../src-main/contract/keys-level.ts';
import { KeyTree, type LevelRequest, type TreeRow } from './key-tree.svelte.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const SLASH = encode('/');

/** A sorted set of keys, served in levels, `cut` entries at a time. */
class Store {
  keys: string[];
  cut = Number.POSITIVE_INFINITY;
  failure: Error | null = null;
  requests: LevelRequest[] = [];

  constructor(keys: readonly string[]) {
    this.keys = keys.toSorted();
  }

  readonly fetch = async (request: LevelRequest): Promise<KeyLevel> => {
    this.requests.push(request);
    await Promise.resolve();
    if (this.failure !== null) throw this.failure;
    const prefix = decode(request.prefix);
    const names = new Set<string>();
    for (const key of this.keys) {
      if (!key.startsWith(prefix)) continue;
      const at = key.indexOf('/', prefix.length);
      names.add(at < 0 ? key : key.slice(0, at + 1));
    }
    const from = request.from === undefined ? '' : decode(request.from);
    const rest = [...names].filter((name) => name >= from);
    const page = rest.slice(0, Math.min(this.cut, request.limit));
    const next = rest[page.length];
    return {
      entries: page.map(toEntry),
      revision: request.revision ?? 7,
      next: next === undefined ? null : encode(next),
    };
  };
}

function toEntry(name: string): KeyLevelEntry {
  if (name.endsWith('/')) return { kind: 'folder', prefix: encode(name) };
  const numbers = { createRevision: 1, modRevision: 1, version: 1 };
  return {
    kind: 'key',
    row: { key: encode(name), ...numbers, lease: null, valueBytes: null },
  };
}

function drawn(tree: KeyTree): string[] {
  return tree.rows.map(nameOf);
}
function nameOf(row: TreeRow): string {
  if (row.kind === 'key') return decode(row.row.key);
  if (row.kind === 'folder') return `${row.folder.isOpen ? '-' : '+'}${decode(row.folder.prefix)}`;
  return row.parent.problem === null ? '…' : '!';
}

test('reads the folders that are opened, and no other', async () => {
  const store = new Store(['a/1', 'a/b/2', 'c', 'd/3']);
  const tree = new KeyTree(store.fetch);
  await tree.show(encode(''), SLASH, 7);
  expect(drawn(tree)).toEqual(['+a/', 'c', '+d/']);
  expect(store.requests).toHaveLength(1);
  await tree.toggle(0);
  expect(drawn(tree)).toEqual(['-a/', 'a/1', '+a/b/', 'c', '+d/']);
  await tree.toggle(0);
  await tree.toggle(0);
  expect(drawn(tree)).toEqual(['-a/', 'a/1', '+a/b/', 'c', '+d/']);
  expect(store.requests).toHaveLength(2);
  expect(store.requests.every((request) => request.revision === 7)).toBe(true);
});

test('opens a lone folder at once', async () => {
  const tree = new KeyTree(new Store(['/a', '/b/c']).fetch);
  await tree.show(encode(''), SLASH, 7);
  expect(drawn(tree)).toEqual(['-/', '/a', '+/b/']);
});

test('reads on where the end of what is there comes into view', async () => {
  const store = new Store(Array.from({ length: 9 }, (_, i) => `k${i}`));
  store.cut = 4;
  const tree = new KeyTree(store.fetch);
  await tree.show(encode(''), SLASH, 7);
  expect(drawn(tree)).toEqual(['k0', 'k1', 'k2', 'k3', '…']);
  await tree.inView(0, 2);
  expect(store.requests).toHaveLength(1);
  await tree.inView(2, 4);
  await tree.inView(6, 8);
  expect(drawn(tree)).toEqual(store.keys);
});

test('moves in and out by the keyboard, and stays on its row as rows come', async () => {
  const tree = new KeyTree(new Store(['a/1', 'a/2', 'b/1', 'c']).fetch);
  await tree.show(encode(''), SLASH, 7);
  tree.cursor = 1;
  await tree.toggle(0);
  expect(nameOf(tree.rows[tree.cursor] as TreeRow)).toBe('+b/');
  await tree.right();
  expect(nameOf(tree.rows[tree.cursor] as TreeRow)).toBe('-b/');
  await tree.right();
  expect(nameOf(tree.rows[tree.cursor] as TreeRow)).toBe('b/1');
  await tree.left();
  await tree.left();
  expect(nameOf(tree.rows[tree.cursor] as TreeRow)).toBe('+b/');
});

test('a newer revision keeps open what was open, and the cursor', async () => {
  const store = new Store(['a/1', 'b/x/1', 'c']);
  const tree = new KeyTree(store.fetch);
  await tree.show(encode(''), SLASH, 7);
  await tree.toggle(1);
  await tree.toggle(2);
  tree.cursor = 3;
  store.keys = ['a/1', 'a0', 'b/x/0', 'b/x/1', 'c'];
  const showing = tree.show(encode(''), SLASH, 9);
  expect(drawn(tree)).toEqual(['+a/', '-b/', '-b/x/', 'b/x/1', 'c']);
  await showing;
  expect(drawn(tree)).toEqual(['+a/', 'a0', '-b/', '-b/x/', 'b/x/0', 'b/x/1', 'c']);
  expect(nameOf(tree.rows[tree.cursor] as TreeRow)).toBe('b/x/1');
  expect(store.requests.at(-1)?.revision).toBe(9);
});

test('what fails is shown where it failed, and tried again when asked', async () => {
  const store = new Store(['a/1', 'b']);
  const tree = new KeyTree(store.fetch);
  await tree.show(encode(''), SLASH, 7);
  store.failure = new Error('away');
  await tree.toggle(0);
  expect(drawn(tree)).toEqual(['-a/', '!', 'b']);
  const asked = store.requests.length;
  await tree.inView(0, 2);
  expect(store.requests).toHaveLength(asked);
  store.failure = null;
  const row = tree.rows[1];
  if (row?.kind === 'more') await tree.retry(row.parent);
  expect(drawn(tree)).toEqual(['-a/', 'a/1', 'b']);
});

test('a late answer for another prefix is not taken', async () => {
  const store = new Store(['a/1', 'b/1']);
  const tree = new KeyTree(store.fetch);
  const first = tree.show(encode('a/'), SLASH, 7);
  await tree.show(encode('b/'), SLASH, 7);
  await first;
  expect(drawn(tree)).toEqual(['b/1']);
});
