import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src-main/base/prng.ts';
import type { History, KeyValue, WatchedEvent, WatchItem, WatchStream } from '../history.ts';
import { legalHistory, watchOf } from './testing/histories.ts';
import type { Store } from './testing/store.ts';
import { Truth } from './truth.ts';
import { checkWatches } from './watch.ts';

type EventsItem = Extract<WatchItem, { kind: 'events' }>;
type Spoil = (items: EventsItem[], watch: WatchStream) => void;

const shape = { seed: 5, operations: 80, keys: 3, clients: 4, unknownPercent: 0, watched: false };

function recorded(): { history: History; store: Store } {
  const { history, store } = legalHistory(shape);
  history.final = { atMs: 9_999, revision: store.revision, kvs: [], leases: [], hashes: [] };
  return { history, store };
}

function rulesFor(watch: WatchStream, history: History): string[] {
  const run = { ...history, watches: [watch] };
  return [...new Set(checkWatches(run, new Truth(history)).map(({ rule }) => rule))];
}

/** A legal watch of everything, or of `spec`, spoiled. */
function spoiled(spoil: Spoil, spec: Partial<WatchStream['spec']> = {}): string[] {
  const { history, store } = recorded();
  const watch = structuredClone(watchOf(store, spec));
  spoil(watch.items as EventsItem[], watch);
  return rulesFor(watch, history);
}

const item = (items: readonly EventsItem[], at: number) => items[at] as EventsItem;
const first = (items: readonly EventsItem[], at: number) =>
  item(items, at).events[0] as WatchedEvent;
const pair = (items: readonly EventsItem[]) => items.findIndex(({ events }) => events.length === 2);
const putAt = (items: readonly EventsItem[], holds: (event: WatchedEvent) => boolean) =>
  items.flatMap(({ events }) => events).find(holds) as WatchedEvent;

const resumed = (startRevision: number): EventsItem =>
  ({ kind: 'resumed', atMs: 1, member: 'm1', startRevision }) as unknown as EventsItem;
const progress = (revision: number): EventsItem =>
  ({ kind: 'progress', atMs: 1, revision }) as unknown as EventsItem;
const compacted = (compactRevision: number): EventsItem =>
  ({ kind: 'compacted', atMs: 1, compactRevision }) as unknown as EventsItem;
const restarted = (startRevision: number): EventsItem =>
  ({ kind: 'restarted', atMs: 1, member: 'm1', startRevision }) as unknown as EventsItem;
const next = (items: readonly EventsItem[], at: number) => item(items, at).revision + 1;

describe('a legal watch passes', () => {
  test.each<[string, Spoil]>([
    ['as it is', () => {}],
    [
      'with revisions together in a response',
      (items) => {
        item(items, 4).events.unshift(...item(items, 3).events);
        items.splice(3, 1);
      },
    ],
    [
      'in fragments',
      (items) => {
        const at = pair(items);
        const [one, two] = item(items, at).events as [WatchedEvent, WatchedEvent];
        const whole = item(items, at);
        items.splice(
          at,
          1,
          { ...whole, events: [one], fragment: true },
          { ...whole, events: [two] },
        );
      },
    ],
    [
      'broken off in a fragment and resumed',
      (items) => {
        const at = pair(items);
        const whole = item(items, at);
        const part = { ...whole, events: whole.events.slice(0, 1), fragment: true };
        items.splice(at, 0, part, resumed(whole.revision));
      },
    ],
    ['resumed', (items) => items.splice(5, 0, resumed(next(items, 4)))],
    ['with progress', (items) => items.splice(5, 0, progress(item(items, 4).revision))],
    [
      'compacted and restarted further on',
      (items) => items.splice(5, 3, compacted(item(items, 7).revision), restarted(next(items, 7))),
    ],
  ])('%s', (_, spoil) => {
    expect(spoiled(spoil)).toEqual([]);
  });

  test('with a start of now, a range and filters', () => {
    const { history, store } = recorded();
    const middle = watchOf(store, { startRevision: 12 });
    const now = { ...middle, spec: { ...middle.spec, startRevision: 0 }, createdRevision: 11 };
    expect(rulesFor(now, history)).toEqual([]);
    const narrow = watchOf(store, { key: 'k01', end: '\0', noDelete: true });
    const items = (narrow.items as EventsItem[]).flatMap((one) => {
      const events = one.events.filter(({ type }) => type === 'put');
      return events.length === 0 ? [] : [{ ...one, events }];
    });
    expect(rulesFor({ ...narrow, items }, history)).toEqual([]);
  });
});

describe('ordered', () => {
  test.each<[string, Spoil]>([
    ['two responses swapped', (items) => items.splice(3, 2, item(items, 4), item(items, 3))],
    [
      'two revisions swapped in one response',
      (items) => {
        item(items, 3).events.push(...item(items, 2).events);
        items.splice(2, 1);
      },
    ],
    ['a header below its events', (items) => item(items, 3).revision--],
    ['events from before the start', (_, watch) => (watch.spec.startRevision = 6)],
  ])('%s', (_, spoil) => expect(spoiled(spoil)).toContain('ordered'));
});

describe('unique', () => {
  test.each<[string, Spoil]>([
    ['a response twice', (items) => items.splice(3, 0, item(items, 3))],
    ['an event twice in a response', (items) => item(items, 3).events.push(first(items, 3))],
    ['a response again later', (items) => items.push(item(items, 3))],
  ])('%s', (_, spoil) => expect(spoiled(spoil)).toContain('unique'));
});

describe('atomic', () => {
  test.each<[string, Spoil]>([
    [
      'a revision in two responses',
      (items) => {
        const at = pair(items);
        const [one, two] = item(items, at).events as [WatchedEvent, WatchedEvent];
        const whole = item(items, at);
        items.splice(at, 1, { ...whole, events: [one] }, { ...whole, events: [two] });
      },
    ],
    ['one event of a revision is missing', (items) => item(items, pair(items)).events.pop()],
  ])('%s', (_, spoil) => expect(spoiled(spoil)).toContain('atomic'));
});

describe('reliable', () => {
  test.each<[string, Spoil]>([
    ['a revision is missing', (items) => items.splice(3, 1)],
    ['the first is missing', (items) => items.shift()],
    ['the last never comes', (items) => items.pop()],
    ['another value', (items) => (first(items, 3).kv.value = 'other')],
    ['put for delete', (items) => (first(items, 3).type = 'delete')],
    ['ended for a compaction that it was past', (items) => items.push(compacted(5))],
    [
      'an event that never was',
      (items) => item(items, 3).events.push({ ...first(items, 3), kv: kvOf('k99', items) }),
    ],
  ])('%s', (_, spoil) => expect(spoiled(spoil)).toContain('reliable'));

  test('a last revision that has not come is only missed once the watch had time', () => {
    const pop: Spoil = (items, watch) => {
      items.pop();
      watch.settled = false;
    };
    expect(spoiled(pop)).toEqual([]);
  });
});

function kvOf(key: string, items: readonly EventsItem[]): KeyValue {
  return { ...first(items, 3).kv, key };
}

describe('resumable', () => {
  test.each<[string, Spoil]>([
    ['an event lost in between', (items) => items.splice(5, 1, resumed(next(items, 4)))],
    [
      'events from before where it resumed',
      (items) => items.splice(5, 0, resumed(next(items, 4)), item(items, 4)),
    ],
  ])('%s', (_, spoil) => expect(spoiled(spoil)).toContain('resumable'));
});

describe('bookmarkable', () => {
  test.each<[string, Spoil]>([
    ['progress ahead of events', (items) => items.splice(5, 0, progress(next(items, 4)))],
    ['progress that goes back', (items) => items.splice(5, 0, progress(item(items, 2).revision))],
    ['progress ahead of all', (items) => items.unshift(progress(next(items, 9)))],
    [
      'progress amid fragments',
      (items) => {
        const whole = item(items, 5);
        items.splice(5, 0, { ...whole, events: [], fragment: true }, progress(next(items, 3)));
        item(items, 5).events.push(...whole.events);
        item(items, 7).events = [];
      },
    ],
  ])('%s', (_, spoil) => expect(spoiled(spoil)).toContain('bookmarkable'));
});

describe('prev_kv', () => {
  test.each<[string, Spoil, Partial<WatchStream['spec']>]>([
    ['missing', (items) => (putAt(items, (e) => e.prevKv !== undefined).prevKv = undefined), {}],
    [
      'wrong value',
      (items) => ((putAt(items, (e) => e.prevKv !== undefined).prevKv as KeyValue).value = 'z'),
      {},
    ],
    [
      'older revision',
      (items) => ((putAt(items, (e) => e.prevKv !== undefined).prevKv as KeyValue).modRevision = 1),
      {},
    ],
    ['where there was none', (items) => (first(items, 0).prevKv = kvOf('k00', items)), {}],
    ['not asked for', () => {}, { prevKv: false }],
  ])('%s', (_, spoil, spec) => expect(spoiled(spoil, spec)).toContain('prev_kv'));

  test('may be missing once it is compacted', () => {
    const { history, store } = recorded();
    const watch = structuredClone(watchOf(store));
    putAt(watch.items as EventsItem[], (e) => e.prevKv !== undefined).prevKv = undefined;
    expect(rulesFor(watch, history)).toEqual(['prev_kv']);
    history.operations.push({
      ...{ id: 99, kind: 'compact', client: 0, member: 'm0', key: '', invokedMs: 0 },
      ...{ returnedMs: 1, input: { revision: store.revision, physical: false } },
      outcome: { ok: true, output: { revision: store.revision } },
    });
    expect(
      rulesFor({ ...watch, items: watch.items.map((i) => ({ ...i, atMs: 5 })) }, history),
    ).toEqual([]);
    // Where it is known what was compacted when, asking for it is no excuse.
    const late = { ...history, compactions: [{ atMs: 6, revision: store.revision }] };
    const items = watch.items.map((i) => ({ ...i, atMs: 5 }));
    expect(rulesFor({ ...watch, items }, late)).toEqual(['prev_kv']);
    const inTime = { ...history, compactions: [{ atMs: 5, revision: store.revision }] };
    expect(rulesFor({ ...watch, items }, inTime)).toEqual([]);
  });
});

describe('is-create', () => {
  test.each<[string, Spoil]>([
    ['a creation with version 2', (items) => (first(items, 0).kv.version = 2)],
    [
      'a creation revision of later',
      (items) => {
        const { kv } = putAt(items, ({ kv }) => kv.version > 1);
        kv.createRevision = kv.modRevision;
      },
    ],
    [
      'a version that is not counted',
      (items) => putAt(items, (e) => e.kv.version > 1).kv.version++,
    ],
    [
      'a deletion with a version',
      (items) => {
        putAt(items, ({ type }) => type === 'delete').kv.version = 1;
      },
    ],
  ])('%s', (_, spoil) => expect(spoiled(spoil)).toContain('is-create'));
});

describe('filter', () => {
  test.each<[string, Partial<WatchStream['spec']>]>([
    ['puts', { noPut: true }],
    ['deletes', { noDelete: true }],
    ['another key', { key: 'k00', end: '' }],
  ])('%s come that were not asked for', (_, spec) =>
    expect(spoiled(() => {}, spec)).toContain('filter'),
  );
});

test('every response left out of a random watch is missed', () => {
  const random = seededRandom(3);
  for (let run = 0; run < 50; run++) {
    const lose: Spoil = (items) => items.splice(random.below(items.length), 1);
    expect(spoiled(lose)).toEqual(['reliable']);
  }
});
