import { describe, expect, test } from 'vitest';
import { RuleForm } from './rule-form.svelte.ts';
import { loadRules, loadWatches, type Store, saveRules, saveWatches } from './saved-watches.ts';
import { Bench, target, utf8 } from './testing/bench.ts';
import { WatchForm } from './watch-form.svelte.ts';

describe('the form', () => {
  test('an empty prefix is every key, an empty key is refused', () => {
    const form = new WatchForm();
    expect(form.submit()).toEqual(target(''));
    form.scope = 'key';
    expect(form.submit()).toBeNull();
    expect([form.problem, form.tried]).toEqual(['keyEmpty', true]);
    form.key = 'a\\x00';
    expect(form.submit()?.key).toEqual(new Uint8Array([0x61, 0]));
    form.key = '\\q';
    expect(form.problem).toBe('escape');
  });

  test('a range ends after it begins, or nowhere', () => {
    const form = new WatchForm();
    form.scope = 'range';
    form.key = 'b';
    form.end = 'a';
    expect([form.submit(), form.problem]).toEqual([null, 'rangeEmpty']);
    form.end = '';
    form.kinds = 'delete';
    expect(form.submit()).toEqual(target('b', { scope: 'range', only: 'delete' }));
    form.end = 'b\\x00';
    expect(form.submit()?.rangeEnd).toEqual(new Uint8Array([0x62, 0]));
    // The end of a range that is no longer asked for does no harm.
    form.end = '\\q';
    form.scope = 'prefix';
    expect(form.submit()?.rangeEnd).toEqual(new Uint8Array());
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

describe('the form for a rule', () => {
  test('wants whole numbers within bounds; one event needs no span', () => {
    const form = new RuleForm();
    form.seconds = 'x';
    expect(form.submit()).toEqual({ prefix: utf8(''), type: 'any', threshold: 1, seconds: 1 });
    form.threshold = '5';
    expect([form.submit(), form.problem]).toEqual([null, 'seconds']);
    form.seconds = '30';
    form.prefix = '/a\\x00';
    form.type = 'delete';
    const prefix = new Uint8Array([0x2f, 0x61, 0]);
    expect(form.submit()).toEqual({ prefix, type: 'delete', threshold: 5, seconds: 30 });
    for (const threshold of ['', '0', '1.5', '100001']) {
      form.threshold = threshold;
      expect([form.submit(), form.problem]).toEqual([null, 'threshold']);
    }
    form.prefix = '\\q';
    expect(form.problem).toBe('escape');
  });
});

describe('watches come back after a reload', () => {
  test('from where they were', () => {
    const bench = new Bench();
    const before = bench.board();
    before.start(target('/a'));
    before.start(target('/b', { scope: 'key' }));
    before.start(target('/c', { scope: 'range', rangeEnd: utf8('/d'), only: 'put' }));
    before.showAlone(1);
    bench.opened[0]?.handlers.onItems([{ kind: 'opened', revision: 40, node: 'n1' }]);
    const store = new Memory();
    saveWatches(store, 'dev', before.saved());
    const after = bench.board();
    after.restore(loadWatches(store, 'dev', 8));
    expect(bench.opened.slice(3).map((stream) => stream.target)).toEqual([
      target('/a', { startRevision: 41 }),
      target('/b', { scope: 'key' }),
      target('/c', { scope: 'range', rangeEnd: utf8('/d'), only: 'put' }),
    ]);
    expect(after.shown.map((session) => session.target.key)).toEqual([utf8('/a'), utf8('/c')]);
    expect(after.active?.target.key).toEqual(utf8('/a'));
    // A view that asks for the same target gets the one that is there.
    after.show(target('/b', { scope: 'key' }));
    expect([after.sessions.length, after.activeId]).toEqual([3, 2]);
  });

  test('and what is not ours is not taken', () => {
    const store = new Memory();
    const none = { targets: [], shown: [], active: -1 };
    expect(loadWatches(store, 'dev', 8)).toEqual(none);
    for (const text of ['{', '1', '{"targets":[{"key":1}]}', '{"targets":[{"key":"zz"}]}']) {
      store.values.set('raftdeck.watches.dev', text);
      expect(loadWatches(store, 'dev', 8).targets).toEqual([]);
    }
    saveWatches(store, 'dev', none);
    expect(store.values.size).toBe(0);
  });

  test('rules stay for good', () => {
    const store = new Memory();
    const rule = { prefix: new Uint8Array([255]), type: 'put', threshold: 3, seconds: 9 } as const;
    saveRules(store, 'dev', [rule]);
    expect(loadRules(store, 'dev')).toEqual([rule]);
    expect(loadRules(store, 'other')).toEqual([]);
    store.values.set('raftdeck.watch-rules.dev', '[{"prefix":"","type":"any","threshold":0}]');
    expect(loadRules(store, 'dev')).toEqual([]);
  });
});
