import { describe, expect, it } from 'vitest';
import type { KeyDetail, KeyHistoryPage } from '../../../../src-main/contract/views.ts';
import { ContractCallError } from '../../../api/client.ts';
import { utf8Encode } from '../../../lib/bytes.ts';
import type { DraftRecord } from './draft.svelte.ts';
import { DraftJournal, MAX_JOURNAL_CHARS } from './draft-journal.ts';
import { DraftKeeper, type DraftStore, MAX_KEPT_BYTES } from './draft-store.ts';
import { type HistoryPort, KeyHistory } from './key-history.svelte.ts';
import { check, format } from './languages.ts';
import { LeaseClock } from './lease-clock.svelte.ts';
import { MergeModel } from './merge.svelte.ts';
import { linesOf, render } from './render.ts';

const bytes = utf8Encode;
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !what(); i++) await settled();
  expect(what()).toBe(true);
}

describe('a merge of two edits', () => {
  const base = 'a\nb\nc\nd\ne';
  const model = () => new MergeModel(base, 'a\nB1\nc\nd\nE', 'A\nb\nc\nd2\ne');

  it('takes by itself what only one side changed', () => {
    const merged = new MergeModel('a\nb\nc', 'a\nb\nC', 'A\nb\nc');
    expect(merged).toMatchObject({ text: 'A\nb\nC', conflicts: 0, open: 0 });
  });

  it('waits for a decision on each conflict, and shows mine until then', () => {
    const merged = new MergeModel('x\nn=1\ny', 'x\nn=2\ny', 'x\nn=3\ny');
    expect(merged).toMatchObject({ text: 'x\nn=3\ny', conflicts: 1, open: 1 });
    merged.choose(0, 'theirs');
    expect(merged).toMatchObject({ text: 'x\nn=2\ny', open: 0 });
    merged.choose(0, 'both');
    expect(merged.text).toBe('x\nn=2\nn=3\ny');
    merged.choose(0, 'base');
    expect(merged.text).toBe('x\nn=1\ny');
  });

  it('keeps the places of later decisions when an earlier one grows or shrinks', () => {
    const merged = model();
    merged.decisions.forEach((decision, i) => {
      merged.choose(i, decision.chunk.kind === 'conflict' ? 'both' : 'base');
    });
    for (const [i] of merged.decisions.entries()) merged.choose(i, 'theirs');
    expect(merged.text).toBe('a\nB1\nc\nd\nE');
    for (const [i] of merged.decisions.entries()) merged.choose(i, 'mine');
    expect(merged.text).toBe('A\nb\nc\nd2\ne');
  });

  it('can be edited by hand, and decided on after that', () => {
    const merged = new MergeModel('x\nn=1\ny', 'x\nn=2\ny', 'x\nn=3\ny');
    // "x" becomes "xx": before the conflict, which stays open.
    merged.edit('xx\nn=3\ny', [{ from: 1, to: 1, insert: 'x' }]);
    expect(merged.open).toBe(1);
    merged.choose(0, 'theirs');
    expect(merged.text).toBe('xx\nn=2\ny');
    // "n=2" becomes "n=25": within it, which decides it.
    const again = new MergeModel('x\nn=1\ny', 'x\nn=2\ny', 'x\nn=3\ny');
    again.edit('x\nn=35\ny', [{ from: 5, to: 5, insert: '5' }]);
    expect(again.open).toBe(0);
    expect(again.decisions[0]?.choice).toBe('edited');
    again.choose(0, 'theirs');
    expect(again.text).toBe('x\nn=2\ny');
  });

  it('may come to nothing and back', () => {
    const merged = new MergeModel('a', 'b', 'c');
    merged.choose(0, 'theirs');
    expect(merged.text).toBe('b');
    const gone = new MergeModel('a\nb', 'b', 'a');
    expect(gone.conflicts).toBe(1);
    gone.choose(0, 'mine');
    expect(gone.text).toBe('a');
    gone.choose(0, 'theirs');
    expect(gone.text).toBe('b');
  });
});

describe('edits that are kept over a reload', () => {
  class Store implements DraftStore {
    kept = new Map<string, DraftRecord>();
    writes = 0;
    load = async () => [...this.kept.values()];
    write = async (_: string, changes: ReadonlyMap<string, DraftRecord | null>) => {
      this.writes++;
      for (const [name, record] of changes) {
        if (record === null) this.kept.delete(name);
        else this.kept.set(name, record);
      }
    };
  }
  class Texts extends Map<string, string> {
    getItem = (name: string) => this.get(name) ?? null;
    setItem = (name: string, text: string) => void this.set(name, text);
  }
  const journal = (texts = new Texts()) => new DraftJournal(texts, 'c');
  const record = (key: string, text: string): DraftRecord => ({
    key: bytes(key),
    baseValue: bytes('base'),
    baseModRevision: 3,
    mode: 'text',
    text,
    oneLine: false,
  });

  it('are written after a pause, once, and removed when they are done', async () => {
    const store = new Store();
    let run: (() => void) | null = null;
    const keeper = new DraftKeeper(store, journal(), 'c', (next) => {
      run = next;
      return () => {
        run = null;
      };
    });
    // Before it is known what is kept nothing is written over it.
    keeper.sync([record('a', '0')]);
    expect(run).toBeNull();
    await keeper.load();
    keeper.sync([record('a', '1')]);
    keeper.sync([record('a', '2')]);
    expect(store.writes).toBe(0);
    await keeper.flush();
    expect([...store.kept.values()].map((one) => one.text)).toEqual(['2']);
    keeper.sync([record('a', '2')]);
    await keeper.flush();
    expect(store.writes).toBe(1);
    const again = new DraftKeeper(store, journal(), 'c', () => () => {});
    expect(await again.load()).toEqual([record('a', '2')]);
    again.sync([]);
    await again.flush();
    expect(store.kept.size).toBe(0);
  });

  it('outlive a page that goes away before its database has them', async () => {
    const [store, texts] = [new Store(), new Texts()];
    const stuck: DraftStore = { load: store.load, write: () => new Promise(() => {}) };
    await store.write('c', new Map([['62', record('b', 'old')]]));
    const leaving = new DraftKeeper(stuck, journal(texts), 'c', () => () => {});
    await leaving.load();
    leaving.sync([record('a', 'late')]);
    leaving.leave();
    const next = new DraftKeeper(store, journal(texts), 'c', () => () => {});
    expect(await next.load()).toEqual([record('a', 'late')]);
    next.sync([record('a', 'late')]);
    await next.flush();
    expect([...store.kept.keys()]).toEqual(['61']);
    expect(journal(texts).read().size).toBe(0);
  });

  it('are taken from nobody else, and never too many', () => {
    const texts = new Texts([['raftdeck.drafts.c', '{"61":{"key":"!"},"62":null,"63":7}']]);
    expect([...journal(texts).read()]).toEqual([['62', null]]);
    texts.set('raftdeck.drafts.c', '{');
    expect(journal(texts).read().size).toBe(0);
    journal(texts).write(new Map([['61', record('a', 'x'.repeat(MAX_JOURNAL_CHARS))]]));
    expect(journal(texts).read().size).toBe(0);
    expect(() => new DraftJournal(null, 'c').write(new Map())).not.toThrow();
  });

  it('are bounded, and it is said which are not kept', async () => {
    const store = new Store();
    const keeper = new DraftKeeper(store, journal(), 'c', () => () => {});
    await keeper.load();
    const large = record('large', 'x'.repeat(MAX_KEPT_BYTES));
    expect(keeper.sync([record('a', '1'), large])).toEqual(new Set(['6c61726765']));
    await keeper.flush();
    expect(store.kept.size).toBe(1);
  });
});

describe('the history of a key', () => {
  const at = (revision: number, version: number) => ({
    modRevision: revision,
    createRevision: revision - version + 1,
    version,
    lease: null,
  });
  const value = (revision: number) => `line\nvalue ${revision}`;

  /** Lives: 2-4, deleted at 5; 8-9. */
  class Port implements HistoryPort {
    calls: (number | undefined)[] = [];
    puts: [string, number][] = [];
    compactedAt = 0;
    pages = new Map<number | undefined, KeyHistoryPage>([
      [undefined, { versions: [at(9, 2), at(8, 1)], end: 'created', next: null }],
      [5, { versions: [at(4, 3), at(3, 2)], end: 'more', next: 3 }],
      [3, { versions: [at(2, 1)], end: 'created', next: null }],
    ]);
    history = async (_: Uint8Array, before: number | undefined) => {
      this.calls.push(before);
      const page = this.pages.get(before);
      if (page === undefined) throw new ContractCallError('Unavailable', 'away');
      return page;
    };
    deletions = async () => ({ revisions: [5], compactedAt: this.compactedAt, isComplete: true });
    getAt = async (key: Uint8Array, revision: number): Promise<KeyDetail> => ({
      ...at(revision, 1),
      key,
      value: bytes(value(revision)),
      valueBytes: 1,
      leaseTtl: null,
      revision,
    });
    put = async (_: Uint8Array, content: Uint8Array, expected: number) => {
      this.puts.push([new TextDecoder().decode(content), expected]);
      if (expected !== 9) throw new ContractCallError('Conflict', 'moved');
      return { revision: 10 };
    };
  }
  const revisions = (history: KeyHistory) => history.entries.map((entry) => entry.revision);

  it('shows the newest version against the one before', async () => {
    const history = new KeyHistory(bytes('k'), new Port());
    await history.start('text');
    expect(revisions(history)).toEqual([9, 8]);
    expect(history.end).toBe('created');
    await until(() => history.comparison.kind === 'ready');
    expect(history.comparison).toMatchObject({ from: 8, to: 9, added: 1, removed: 1 });
    history.select(1);
    await until(() => history.comparison.kind === 'ready' && history.comparison.to === 8);
    expect(history.comparison).toMatchObject({ from: null, added: 2, removed: 0 });
  });

  it('goes on behind a deletion when asked, page by page', async () => {
    const port = new Port();
    const history = new KeyHistory(bytes('k'), port);
    await history.start('text');
    expect(port.calls).toEqual([undefined]);
    await history.searchBefore();
    expect(revisions(history)).toEqual([9, 8, 5, 4, 3]);
    expect(history.entries[2]?.kind).toBe('delete');
    expect(history.end).toBe('more');
    await history.loadMore();
    expect(revisions(history)).toEqual([9, 8, 5, 4, 3, 2]);
    // It is known by now that there is no deletion before that.
    expect(history.end).toBe('nothing');
  });

  it('compares any two, and a deletion with nothing', async () => {
    const history = new KeyHistory(bytes('k'), new Port());
    await history.start('text');
    await history.searchBefore();
    history.pin(4);
    await until(() => history.comparison.kind === 'ready' && history.comparison.from === 4);
    history.select(2);
    await until(() => history.comparison.kind === 'ready' && history.comparison.to === 5);
    expect(history.comparison).toMatchObject({ from: 4, added: 0, removed: 2 });
    history.pin(4);
    expect(history.pinned).toBeNull();
  });

  it('of a key that is gone begins with its deletion', async () => {
    const port = new Port();
    port.pages.set(undefined, { versions: [], end: 'absent', next: null });
    port.compactedAt = 2;
    const history = new KeyHistory(bytes('k'), port);
    await history.start('text');
    expect(history.entries[0]).toEqual({ kind: 'delete', revision: 5 });
    await history.loadMore();
    expect(history).toMatchObject({ end: 'compacted', compactedAt: 2 });
  });

  it('says what failed, and tries again', async () => {
    const port = new Port();
    const first = port.pages.get(undefined);
    port.pages.delete(undefined);
    const history = new KeyHistory(bytes('k'), port);
    await history.start('text');
    expect(history.error).toMatchObject({ code: 'Unavailable' });
    port.pages.set(undefined, first as KeyHistoryPage);
    await history.loadMore();
    expect(history.error).toBeNull();
    expect(revisions(history)).toEqual([9, 8]);
  });

  it('restores by a swap on the revision that was looked at', async () => {
    const port = new Port();
    const history = new KeyHistory(bytes('k'), port);
    await history.start('text');
    expect(await history.restore(8, 9)).toBe(10);
    expect(port.puts).toEqual([[value(8), 9]]);
    await expect(history.restore(8, 4)).rejects.toMatchObject({ code: 'Conflict' });
    expect(history.restoring).toBe(false);
  });
});

describe('the time left on a lease', () => {
  it('counts down between readings, which do not make it jump', async () => {
    let now = 100_000;
    let ttl = 41;
    const clock = new LeaseClock(
      '1f',
      async () => ({ ttl, grantedTtl: 60 }),
      () => now,
    );
    clock.begin(42);
    expect(clock.secondsLeft(now)).toBe(42);
    await clock.read();
    expect(clock).toMatchObject({ grantedTtl: 60 });
    expect(clock.secondsLeft(now)).toBe(42);
    now += 10_000;
    expect(clock.secondsLeft(now)).toBe(32);
    // Someone renewed it.
    ttl = 60;
    await clock.read();
    expect(clock.secondsLeft(now)).toBe(60);
    now += 61_000;
    expect(clock.secondsLeft(now)).toBe(0);
  });

  it('knows when it has ended, and passes over a cluster that is away', async () => {
    let answer: () => Promise<{ ttl: number; grantedTtl: number } | null> = async () => null;
    const clock = new LeaseClock(
      '1f',
      () => answer(),
      () => 0,
    );
    clock.begin(5);
    answer = () => Promise.reject(new Error('away'));
    await clock.read();
    expect(clock.hasEnded).toBe(false);
    answer = async () => null;
    await clock.read();
    expect(clock.hasEnded).toBe(true);
    expect(clock.secondsLeft(0)).toBeNull();
  });
});

describe('languages', () => {
  it.each([
    ['json', '{"a": 1}', null],
    ['json', '{"a": 1\n"b": 2}', 2],
    ['json', '{\n"a": 1,\n"b": }', 3],
    ['yaml', 'a: 1\nb:\n  - x', null],
    ['yaml', 'a: 1\nb: [1, 2\nc: 3', 3],
    ['xml', '<a><b x="1"/></a>', null],
    ['xml', '<a>\n<b></c>\n</a>', 2],
    ['xml', '<a>\n<b>', 2],
    ['text', '{', null],
  ] as const)('%s %j: wrong in line %s', async (language, text, line) => {
    expect((await check(language, text))?.line ?? null).toBe(line);
  });

  it('says what is wrong without repeating the text', async () => {
    expect((await check('json', '{"a": }'))?.message).toBe("Unexpected token '}'");
  });

  it('formats what it says the same of', async () => {
    expect(await format('yaml', '# top\na:   1\nb:\n    - x\n    - 0x1f  # hex\n')).toBe(
      '# top\na: 1\nb:\n- x\n- 0x1f # hex\n',
    );
    expect(await format('yaml', 'id: 12345678901234567890\n')).toBe('id: 12345678901234567890\n');
    expect(await format('yaml', 'a: [')).toBeNull();
    expect(await format('xml', '<a><b>x</b><c/></a>')).toBe('<a>\n  <b>x</b>\n  <c/>\n</a>');
    expect(await format('xml', '<a><b></a>')).toBeNull();
    expect(await format('json', '{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  });
});

describe('rendering', () => {
  async function gzip(content: Uint8Array): Promise<Uint8Array> {
    const stream = new Blob([content as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new CompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  it('takes layers off, and says which', async () => {
    const packed = await gzip(bytes('{"a":1}'));
    expect(await render(packed, 'unpacked')).toMatchObject({
      kind: 'text',
      language: 'json',
      text: '{\n  "a": 1\n}',
      facts: [{ kind: 'unpacked', from: 'gzip', bytes: 7, as: 'json' }],
    });
    const twice = await render(await gzip(packed), 'unpacked');
    expect(twice).toMatchObject({ facts: [{ as: 'unpacked' }, { as: 'json' }] });
  });

  it('refuses a bomb in its view', async () => {
    const bomb = await gzip(new Uint8Array(17 * 1024 * 1024));
    expect(await render(bomb, 'unpacked')).toMatchObject({ kind: 'problem', reason: 'tooLarge' });
    // Compared it is shown as the bytes that it is.
    expect((await linesOf(bomb, 'unpacked'))[0]).toMatch(/^1f 8b/);
  });

  it('compares in the view, or in one that fits', async () => {
    expect(await linesOf(bytes('{"a":1}'), 'json')).toEqual(['{', '  "a": 1', '}']);
    expect(await linesOf(Uint8Array.of(255, 0), 'json')).toEqual(['ff 00']);
  });
});
