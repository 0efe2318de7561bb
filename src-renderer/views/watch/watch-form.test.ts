import { describe, expect, test } from 'vitest';
import { loadWatches, type Store, saveWatches } from './saved-watches.ts';
import { WatchBoard } from './watch-board.svelte.ts';
import { WatchForm } from './watch-form.svelte.ts';
import type { WatchHandlers, WatchTarget } from './watch-session.svelte.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

describe('the form', () => {
  test('an empty prefix is every key, an empty key is refused', () => {
    const form = new WatchForm();
    expect(form.submit()).toEqual({ key: utf8(''), prefix: true, startRevision: 0 });
    form.scope = 'key';
    expect(form.submit()).toBeNull();
    expect([form.problem, form.tried]).toEqual(['keyEmpty', true]);
    form.key = 'a\\x00';
    expect(form.submit()?.key).toEqual(new Uint8Array([0x61, 0]));
    form.key = '\\q';
    expect(form.problem).toBe('escape');
  });

  test('a start revision is a whole number from 1', () => {
    const form = new WatchForm();
    form.from = 'revision';
    for (const text of ['', '0', '-1', '1.5', 'x']) {
      form.revision = text;
      expect(form.submit()).toBeNull();
    }
    form.revision = '48,211';
    expect(form.submit()?.startRevision).toBe(48_211);
    form.from = 'now';
    expect(form.submit()?.startRevision).toBe(0);
  });
});

class Memory implements Store {
  readonly values = new Map<string, string>();
  getItem = (key: string) => this.values.get(key) ?? null;
  setItem = (key: string, value: string) => void this.values.set(key, value);
  removeItem = (key: string) => void this.values.delete(key);
}

describe('watches come back with their view', () => {
  function board(streams: { target: WatchTarget; handlers: WatchHandlers }[]): WatchBoard {
    return new WatchBoard(
      (target, handlers) => {
        streams.push({ target, handlers });
        return () => {};
      },
      (run) => {
        run();
        return () => {};
      },
      () => 0,
    );
  }

  test('from where they were', () => {
    const streams: { target: WatchTarget; handlers: WatchHandlers }[] = [];
    const before = board(streams);
    before.start({ key: utf8('/a'), prefix: true, startRevision: 0 });
    before.start({ key: utf8('/b'), prefix: false, startRevision: 0 });
    before.activeId = 1;
    streams[0]?.handlers.onItems([{ kind: 'opened', revision: 40, node: 'n1' }]);
    const store = new Memory();
    saveWatches(store, 'dev', before.saved());
    const after = board(streams);
    after.restore(loadWatches(store, 'dev', 8));
    expect(streams.slice(2).map((stream) => stream.target)).toEqual([
      { key: utf8('/a'), prefix: true, startRevision: 41 },
      { key: utf8('/b'), prefix: false, startRevision: 0 },
    ]);
    expect(after.active?.target.key).toEqual(utf8('/a'));
    // A view that asks for the same target gets the one that is there.
    after.show({ key: utf8('/b'), prefix: false, startRevision: 0 });
    expect([after.sessions.length, after.activeId]).toEqual([2, 2]);
  });

  test('and what is not ours is not taken', () => {
    const store = new Memory();
    const none = { targets: [], active: -1 };
    expect(loadWatches(store, 'dev', 8)).toEqual(none);
    for (const text of ['{', '1', '{"targets":[{"key":1}]}', '{"targets":[{"key":"zz"}]}']) {
      store.values.set('raftdeck.watches.dev', text);
      expect(loadWatches(store, 'dev', 8).targets).toEqual([]);
    }
    saveWatches(store, 'dev', none);
    expect(store.values.size).toBe(0);
  });
});
