import { expect, test } from 'vitest';
import type { KeyPage } from '../../../src-main/contract/views.ts';
import {
  KeyPages,
  MAX_CACHED_PAGES,
  PAGE_ROWS,
  type PageRequest,
  WALK_ROWS,
} from './key-pages.svelte.ts';

const name = (i: number) => `k${String(i).padStart(7, '0')}`;
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/**
 * A store of `size` keys named by their number, at revision 100, that may cut its answers short.
 */
class Store {
  size: number;
  revision = 100;
  cut = Number.POSITIVE_INFINITY;
  failure: Error | null = null;
  requests: PageRequest[] = [];

  constructor(size: number) {
    this.size = size;
  }

  readonly fetch = async (request: PageRequest): Promise<KeyPage> => {
    this.requests.push(request);
    await Promise.resolve();
    if (this.failure !== null) throw this.failure;
    const first = request.after === undefined ? 0 : Number(decode(request.after).slice(1)) + 1;
    const end = Math.min(this.size, first + Math.min(request.limit, this.cut));
    const rows = Array.from({ length: Math.max(0, end - first) }, (_, i) => ({
      key: encode(name(first + i)),
      createRevision: 1,
      modRevision: 1,
      version: 1,
      lease: null,
      valueBytes: null,
    }));
    const last = rows.at(-1);
    return {
      rows,
      count: this.size,
      revision: request.revision ?? this.revision,
      next: end < this.size && last !== undefined ? last.key : null,
    };
  };
}

async function settled(pages: KeyPages): Promise<void> {
  for (let i = 0; i < 10_000 && pages.loading; i++) await Promise.resolve();
  expect(pages.loading).toBe(false);
}

const keyAt = (pages: KeyPages, index: number) => {
  const row = pages.row(index);
  return row === undefined ? undefined : decode(row.key);
};

test('loads what is in view and one page more, at one revision', async () => {
  const store = new Store(10_000);
  const pages = new KeyPages(store.fetch);
  await pages.open(encode('k'));
  expect([pages.count, pages.revision, pages.loaded]).toEqual([10_000, 100, true]);
  store.revision = 105;
  pages.show(0, 40);
  await settled(pages);
  expect(keyAt(pages, 0)).toBe(name(0));
  expect(keyAt(pages, 999)).toBe(name(999));
  expect(pages.row(1_000)).toBeUndefined();
  expect(store.requests.slice(1).every((request) => request.revision === 100)).toBe(true);
});

test('walks to the last of a million keys in large steps and keeps a bounded number of rows', async () => {
  const store = new Store(1_000_000);
  const pages = new KeyPages(store.fetch);
  await pages.open(encode('k'));
  pages.show(999_960, 999_999);
  await settled(pages);
  expect(keyAt(pages, 999_999)).toBe(name(999_999));
  expect(store.requests.length).toBeLessThan(1_000_000 / WALK_ROWS + 5);
  // The way back needs no second walk.
  const before = store.requests.length;
  pages.show(500_000, 500_040);
  await settled(pages);
  expect(keyAt(pages, 500_020)).toBe(name(500_020));
  expect(store.requests.length - before).toBeLessThanOrEqual(2);
  let cached = 0;
  for (let page = 0; page < 2_000; page++) if (pages.row(page * PAGE_ROWS)) cached++;
  expect(cached).toBeLessThanOrEqual(MAX_CACHED_PAGES);
});

test('fills its pages when the server cuts them short', async () => {
  const store = new Store(1_234);
  store.cut = 130;
  const pages = new KeyPages(store.fetch);
  await pages.open(encode('k'));
  pages.show(1_200, 1_233);
  await settled(pages);
  expect(keyAt(pages, 500)).toBe(name(500));
  expect(keyAt(pages, 1_233)).toBe(name(1_233));
  expect(pages.row(1_234)).toBeUndefined();
  expect(pages.count).toBe(1_234);
});

test('a new prefix cancels the old one, whose late answer is not taken', async () => {
  const store = new Store(10);
  const signals: AbortSignal[] = [];
  const pages = new KeyPages((request, signal) => {
    signals.push(signal);
    return store.fetch(request);
  });
  const first = pages.open(encode('old'));
  const second = pages.open(encode('new'));
  await Promise.all([first, second]);
  expect(signals.map((signal) => signal.aborted)).toEqual([true, false]);
  expect(decode(pages.prefix)).toBe('new');
  expect(pages.count).toBe(10);
});

test('a refresh keeps the rows until the new ones are there', async () => {
  const store = new Store(10);
  const pages = new KeyPages(store.fetch);
  await pages.open(encode('k'));
  store.size = 12;
  store.revision = 107;
  const refresh = pages.refresh();
  expect(keyAt(pages, 9)).toBe(name(9));
  expect(pages.loaded).toBe(true);
  await refresh;
  expect([pages.count, pages.revision]).toEqual([12, 107]);
  expect(keyAt(pages, 11)).toBe(name(11));
});

test('a failure keeps the rows, stops asking, and goes on when told to', async () => {
  const store = new Store(2_000);
  const pages = new KeyPages(store.fetch);
  await pages.open(encode('k'));
  store.failure = new Error('no leader');
  pages.show(1_500, 1_540);
  await settled(pages);
  expect(pages.problem).toBe(store.failure);
  expect(keyAt(pages, 0)).toBe(name(0));
  const asked = store.requests.length;
  pages.show(1_600, 1_640);
  expect(store.requests.length).toBe(asked);
  store.failure = null;
  await pages.retry();
  await settled(pages);
  expect(keyAt(pages, 1_600)).toBe(name(1_600));
});

test('a refresh that failed is taken up at the newest revision', async () => {
  const store = new Store(10);
  const pages = new KeyPages(store.fetch);
  await pages.open(encode('k'));
  store.failure = new Error('no leader');
  await pages.refresh();
  expect([pages.problem, pages.loaded, keyAt(pages, 9)]).toEqual([store.failure, true, name(9)]);
  store.failure = null;
  store.revision = 200;
  store.size = 11;
  const retry = pages.retry();
  // The notice stays until there is an answer.
  expect(pages.problem).not.toBeNull();
  await retry;
  expect([pages.problem, pages.revision, pages.count]).toEqual([null, 200, 11]);
});

test('no keys at all', async () => {
  const pages = new KeyPages(new Store(0).fetch);
  await pages.open(new Uint8Array());
  expect([pages.loaded, pages.count, pages.loading]).toEqual([true, 0, false]);
});
