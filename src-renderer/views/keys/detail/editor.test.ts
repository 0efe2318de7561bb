import { describe, expect, test } from 'vitest';
import type { KeyDetail } from '../../../../src-main/contract/views.ts';
import { ContractCallError } from '../../../api/client.ts';
import { MAX_VALUE_BYTES } from '../../../lib/limits.ts';
import { Draft } from './draft.svelte.ts';
import { Editor, MAX_DRAFTS } from './editor.svelte.ts';
import { formatJson } from './json-text.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

function detail(key: string, value: string | Uint8Array, modRevision = 5): KeyDetail {
  const bytes = typeof value === 'string' ? utf8(value) : value;
  return {
    key: utf8(key),
    value: bytes,
    valueBytes: bytes.length,
    createRevision: 1,
    modRevision,
    version: 1,
    lease: null,
    leaseTtl: null,
    revision: modRevision,
  };
}

/** One key in a store that checks the expected revision as etcd does. */
class Store {
  now: KeyDetail | null;
  failure: Error | null = null;
  saved: number[] = [];

  constructor(now: KeyDetail | null) {
    this.now = now;
  }

  readonly get = async () => this.now;
  readonly put = async (key: Uint8Array, value: Uint8Array, expected: number) => {
    if (this.failure !== null) throw this.failure;
    if ((this.now?.modRevision ?? 0) !== expected) {
      throw new ContractCallError('Conflict', 'conflict');
    }
    this.now = detail(text(key), value, (this.now?.modRevision ?? 5) + 1);
    return { revision: this.now.modRevision };
  };

  editor(): Editor {
    return new Editor(this, (_, revision) => this.saved.push(revision));
  }
}

function begun(editor: Editor, of: KeyDetail): Draft {
  const draft = editor.begin(of);
  if (draft === null) throw new Error('no draft');
  return draft;
}

describe('saving', () => {
  test('swaps on the revision the edit began with, and ends the edit', async () => {
    const store = new Store(detail('a', 'one'));
    const editor = store.editor();
    const draft = begun(editor, detail('a', 'one'));
    draft.text = 'two';
    expect(await editor.save(draft)).toBe('saved');
    expect(text(store.now?.value)).toBe('two');
    expect(store.saved).toEqual([6]);
    expect(editor.drafts).toEqual([]);
  });

  test('a conflict writes nothing, shows what is stored, and overwrites only that', async () => {
    const store = new Store(detail('a', 'theirs', 9));
    const editor = store.editor();
    const draft = begun(editor, detail('a', 'one'));
    draft.text = 'mine';
    expect(await editor.save(draft)).toBe('conflict');
    expect(text(store.now?.value)).toBe('theirs');
    expect(draft.save).toMatchObject({ kind: 'conflict', theirs: { modRevision: 9 } });
    // Someone writes again before the decision: that, too, is not overwritten unseen.
    store.now = detail('a', 'again', 12);
    expect(await editor.overwrite(draft)).toBe('conflict');
    expect(draft.save).toMatchObject({ theirs: { modRevision: 12 } });
    expect(await editor.overwrite(draft)).toBe('saved');
    expect(text(store.now?.value)).toBe('mine');
  });

  test('what was merged is saved over what was shown, and over nothing newer', async () => {
    const store = new Store(detail('a', 'theirs', 9));
    const editor = store.editor();
    const draft = begun(editor, detail('a', 'one'));
    draft.text = 'mine';
    expect(await editor.saveMerged(draft, 'x')).toBe('refused');
    expect(await editor.save(draft)).toBe('conflict');
    store.now = detail('a', 'again', 12);
    expect(await editor.saveMerged(draft, 'theirs and mine')).toBe('conflict');
    expect(text(store.now?.value)).toBe('again');
    expect(await editor.saveMerged(draft, 'all three')).toBe('saved');
    expect(text(store.now?.value)).toBe('all three');
  });

  test('a key that was deleted meanwhile is created again only when asked', async () => {
    const store = new Store(null);
    const editor = store.editor();
    const draft = begun(editor, detail('a', 'one'));
    draft.text = 'mine';
    expect(await editor.save(draft)).toBe('conflict');
    expect(draft.save).toEqual({ kind: 'conflict', theirs: null });
    expect(store.now).toBeNull();
    expect(await editor.overwrite(draft)).toBe('saved');
    expect(text((store.now as KeyDetail | null)?.value)).toBe('mine');
  });

  test('an answer that was lost is recognised by the value', async () => {
    const store = new Store(detail('a', 'one'));
    const editor = store.editor();
    const draft = begun(editor, detail('a', 'one'));
    draft.text = 'two';
    store.failure = new Error('timed out');
    expect(await editor.save(draft)).toBe('failed');
    expect(draft.save).toMatchObject({ kind: 'failed', error: store.failure });
    expect(editor.drafts).toEqual([draft]);
    // The write had arrived all the same.
    store.failure = null;
    store.now = detail('a', 'two', 6);
    expect(await editor.save(draft)).toBe('saved');
    expect(store.saved).toEqual([6]);
  });

  test('what is typed while a save runs is kept over the saved value', async () => {
    const store = new Store(detail('a', 'one'));
    const editor = store.editor();
    const draft = begun(editor, detail('a', 'one'));
    draft.text = 'two';
    const saving = editor.save(draft);
    draft.text = 'two and more';
    await saving;
    expect(editor.of(utf8('a'))).toBe(draft);
    expect(draft.baseModRevision).toBe(6);
    expect(await editor.save(draft)).toBe('saved');
    expect(text(store.now?.value)).toBe('two and more');
  });
});

describe('a draft', () => {
  test('survives looking at other keys, and is bounded in number', () => {
    const editor = new Store(null).editor();
    const first = begun(editor, detail('k0', 'v'));
    first.text = 'w';
    for (let i = 1; i < MAX_DRAFTS; i++) begun(editor, detail(`k${i}`, 'v')).text = 'w';
    expect(editor.of(utf8('k0'))).toBe(first);
    expect(editor.begin(detail('more', 'v'))).toBeNull();
    // One that is back at its value makes room.
    first.text = 'v';
    expect(editor.begin(detail('more', 'v'))).not.toBeNull();
    expect(editor.of(utf8('k0'))).toBeNull();
  });

  test('keeps line ends that a text box would change', () => {
    const crlf = new Draft(detail('a', 'x\r\ny\r\n'));
    expect(crlf.text).toBe('x\ny\n');
    expect(crlf.isChanged).toBe(false);
    crlf.text = 'x\nz\n';
    expect(crlf.bytes).toEqual({ ok: true, bytes: utf8('x\r\nz\r\n') });
    const mixed = new Draft(detail('a', 'x\r\ny\nz'));
    expect(mixed.mode).toBe('hex');
    expect(mixed.setMode('text')).toBe(false);
  });

  test('goes between text and hex without changing a byte', () => {
    const draft = new Draft(detail('a', 'é1'));
    expect(draft.setMode('hex')).toBe(true);
    expect(draft.text).toBe('c3 a9 31');
    draft.text = 'c3';
    expect(draft.setMode('text')).toBe(false);
    draft.text = 'c3 a';
    expect(draft.bytes).toEqual({ ok: false, problem: { kind: 'hexOdd' } });
    expect(draft.isChanged).toBe(true);
    draft.text = 'c3 a9 32';
    expect(draft.setMode('text')).toBe(true);
    expect(draft.text).toBe('é2');
  });

  test('of JSON on one line is edited indented, and saved on one line', () => {
    const stored = '{"service":"checkout","limits":[1,2,3],"owner":"payments@example.com"}';
    const draft = new Draft(detail('a', stored));
    expect(draft.oneLine).toBe(true);
    expect(draft.text).toContain('\n  "service": "checkout"');
    expect(draft.isChanged).toBe(false);
    expect(draft.baseText).toBe(draft.text);
    draft.text = draft.text.replace('checkout', 'search');
    expect(draft.bytes).toEqual({ ok: true, bytes: utf8(stored.replace('checkout', 'search')) });
    draft.oneLine = false;
    expect(draft.bytes).toEqual({ ok: true, bytes: utf8(draft.text) });
    // Short JSON and JSON that is laid out stay as they are.
    expect(new Draft(detail('b', '{"a":1}')).oneLine).toBe(false);
    expect(new Draft(detail('c', formatJson(stored))).oneLine).toBe(false);
  });

  test('begins in the view that is looked at, where that can be edited', () => {
    expect(new Draft(detail('a', 'a: 1\nb: 2')).mode).toBe('yaml');
    expect(new Draft(detail('a', 'a: 1\nb: 2'), 'base64').mode).toBe('base64');
    expect(new Draft(detail('a', 'a: 1\nb: 2'), 'text').mode).toBe('text');
    expect(new Draft(detail('a', Uint8Array.of(0, 1)), 'protobuf').mode).toBe('hex');
  });

  test('is read from base64, and says when it is none', () => {
    const draft = new Draft(detail('a', Uint8Array.of(0, 255)), 'base64');
    expect(draft.text).toBe('AP8=');
    draft.text = 'AP8A';
    expect(draft.bytes).toEqual({ ok: true, bytes: Uint8Array.of(0, 255, 0) });
    draft.text = 'A*';
    expect(draft.bytes).toEqual({ ok: false, problem: { kind: 'base64' } });
  });

  test('comes back from its record as it was', () => {
    const draft = new Draft(detail('a', 'one\r\ntwo', 7));
    draft.text = 'one\nthree';
    const again = Draft.restore(draft.record());
    expect(again.text).toBe('one\nthree');
    expect(again.baseModRevision).toBe(7);
    expect(again.bytes).toEqual({ ok: true, bytes: utf8('one\r\nthree') });
    const editor = new Store(null).editor();
    const open = begun(editor, detail('a', 'newer'));
    open.text = 'typed since';
    editor.restore([draft.record(), { ...draft.record(), key: utf8('b') }]);
    expect(editor.of(utf8('a'))).toBe(open);
    expect(editor.of(utf8('b'))?.text).toBe('one\nthree');
  });

  test('refuses what the store would refuse', async () => {
    const store = new Store(detail('a', 'v'));
    const editor = store.editor();
    const draft = begun(editor, detail('a', 'v'));
    draft.text = 'x'.repeat(MAX_VALUE_BYTES + 1);
    expect(draft.bytes).toMatchObject({ ok: false, problem: { kind: 'tooLarge' } });
    expect(await editor.save(draft)).toBe('refused');
    expect(text(store.now?.value)).toBe('v');
  });
});
