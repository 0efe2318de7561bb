import { expect, test } from 'vitest';
import type { KeyDetail, KeyRow } from '../../../src-main/contract/views.ts';
import { KeyBrowser, MAX_MARKED } from './key-browser.svelte.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const plain = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Keys k0..kN with prefix search, and timers that the test runs. */
class Bench {
  size = 2_000;
  searches: string[] = [];
  reads: string[] = [];
  timers: (() => void)[] = [];

  readonly browser = new KeyBrowser({
    listPage: async ({ prefix, limit, after }) => {
      this.searches.push(plain(prefix));
      const first = after === undefined ? 0 : Number(plain(after).slice(1)) + 1;
      const end = Math.min(this.size, first + limit);
      const rows = Array.from({ length: end - first }, (_, i) => this.row(first + i));
      const next = end < this.size ? (rows.at(-1)?.key ?? null) : null;
      return { rows, count: this.size, revision: 10, next };
    },
    get: async (key): Promise<KeyDetail> => {
      this.reads.push(plain(key));
      const row = this.row(Number(plain(key).slice(1)));
      return { ...row, value: utf8('v'), valueBytes: 1, leaseTtl: null, revision: 10 };
    },
    put: async () => ({ revision: 11 }),
    delay: (run) => {
      this.timers.push(run);
      return () => {
        this.timers = this.timers.filter((timer) => timer !== run);
      };
    },
    encodePrefix: utf8,
    nameOf: plain,
  });

  row(i: number): KeyRow {
    return {
      key: utf8(`k${i}`),
      createRevision: 1,
      modRevision: 5,
      version: 1,
      lease: null,
      valueBytes: null,
    };
  }

  async fire(): Promise<void> {
    const timers = this.timers;
    this.timers = [];
    for (const timer of timers) timer();
    await this.settled();
  }

  async settled(): Promise<void> {
    for (let i = 0; i < 50; i++) await Promise.resolve();
  }
}

test('typing searches once, after a pause', async () => {
  const bench = new Bench();
  await bench.browser.start('');
  for (const text of ['a', 'ab', 'abc']) bench.browser.type(text);
  expect(bench.searches.at(-1)).toBe('');
  await bench.fire();
  expect(bench.searches.filter((text) => text !== '')).toEqual(['abc', 'abc']);
});

test('moving reads only the row it stops at, and stays within the list', async () => {
  const bench = new Bench();
  await bench.browser.start('');
  for (let i = 0; i < 10; i++) bench.browser.moveTo(i);
  await bench.fire();
  expect(bench.reads).toEqual(['k9']);
  bench.browser.moveTo(99_999);
  expect(bench.browser.cursor).toBe(1_999);
  bench.browser.moveTo(-5, true);
  await bench.settled();
  expect(bench.reads.at(-1)).toBe('k0');
});

test('marks are bounded, and go when they are out of sight', async () => {
  const bench = new Bench();
  await bench.browser.start('');
  bench.browser.pages.show(0, 1_999);
  await bench.settled();
  bench.browser.moveTo(0);
  expect(bench.browser.markTo(4)).toBe(true);
  expect(bench.browser.marked.size).toBe(5);
  expect(bench.browser.toggleMark(2)).toBe(true);
  expect(bench.browser.marked.size).toBe(4);
  expect(bench.browser.markTo(1_900)).toBe(false);
  expect(bench.browser.marked.size).toBe(MAX_MARKED);
  bench.browser.type('x');
  await bench.fire();
  expect(bench.browser.marked.size).toBe(0);
});

test('a save reads list and key again and keeps the place', async () => {
  const bench = new Bench();
  await bench.browser.start('');
  bench.browser.moveTo(3, true);
  await bench.settled();
  const detail = bench.browser.opened.detail;
  const draft = detail && bench.browser.editor.begin(detail);
  if (!draft) throw new Error('no draft');
  draft.text = 'w';
  const listed = bench.searches.length;
  expect(await bench.browser.editor.save(draft)).toBe('saved');
  await bench.settled();
  expect(bench.searches.length).toBeGreaterThan(listed);
  expect(bench.reads).toEqual(['k3', 'k3']);
  expect([bench.browser.cursor, bench.browser.savedRevision]).toEqual([3, 11]);
});

test('a row that is not loaded yet is opened when it arrives', async () => {
  const bench = new Bench();
  await bench.browser.start('');
  bench.browser.moveTo(1_800, true);
  expect(bench.reads).toEqual([]);
  bench.browser.pages.show(1_790, 1_810);
  await bench.settled();
  bench.browser.rowsArrived();
  await bench.settled();
  expect(bench.reads).toEqual(['k1800']);
  // Once opened it is not opened again by rows that arrive later.
  bench.browser.openKey(utf8('k5'));
  bench.browser.rowsArrived();
  await bench.settled();
  expect(bench.reads).toEqual(['k1800', 'k5']);
});

test('after a delete the row in its place is opened; a key deleted elsewhere stays in view', async () => {
  const bench = new Bench();
  await bench.browser.start('');
  bench.browser.moveTo(7, true);
  await bench.settled();
  await bench.browser.deleted((key) => plain(key) === 'k7', 12);
  await bench.settled();
  // The bench lists the same keys again, so the place has the same name.
  expect(bench.browser.cursor).toBe(7);
  expect(bench.reads).toEqual(['k7', 'k7']);
  bench.size = 5;
  await bench.browser.refresh();
  expect(bench.browser.cursor).toBe(-1);
  expect(plain(bench.browser.opened.key ?? new Uint8Array())).toBe('k7');
});

test('an edit of one key stays while another is open', async () => {
  const bench = new Bench();
  await bench.browser.start('');
  bench.browser.moveTo(3, true);
  await bench.settled();
  const detail = bench.browser.opened.detail;
  const draft = detail && bench.browser.editor.begin(detail);
  if (!draft) throw new Error('no draft');
  draft.text = 'edited';
  bench.browser.moveTo(4, true);
  await bench.settled();
  expect(bench.browser.editor.of(utf8('k4'))).toBeNull();
  expect(bench.browser.editor.of(utf8('k3'))?.text).toBe('edited');
});
