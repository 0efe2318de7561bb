/**
 * The CodeMirror editor of values. Loaded when the first value is shown, so that nothing of it is
 * in the first paint. It lives in a shadow root: the page's policy forbids inline style elements,
 * and there CodeMirror puts its rules into constructed style sheets instead.
 */
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { xml } from '@codemirror/lang-xml';
import { yaml } from '@codemirror/lang-yaml';
import {
  bracketMatching,
  codeFolding,
  foldGutter,
  foldKeymap,
  indentOnInput,
  indentUnit,
} from '@codemirror/language';
import { linter, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import {
  Compartment,
  EditorState,
  type Extension,
  RangeSetBuilder,
  StateEffect,
  StateField,
} from '@codemirror/state';
import {
  Decoration,
  type DecorationSet,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { codeTheme } from './code-theme.ts';
import type { Issue, Language } from './languages.ts';
import { diffLines } from './line-diff.ts';

/** A line diff against the stored value is drawn in texts of up to so many lines. */
const MAX_MARKED_LINES = 5_000;

export interface EditorSettings {
  language: Language;
  readOnly: boolean;
  wrap: boolean;
  /** Accessible name. */
  label: string;
  testid: string;
  /** Words of the search panel, by their English. */
  phrases: Readonly<Record<string, string>>;
  /** Lines that differ from this text are marked; null marks none. */
  baseline: string | null;
}

export interface Edit {
  from: number;
  to: number;
  insert: string;
}

export interface EditorEvents {
  /** Someone typed: the new text, and what changed in terms of the text before, in order. */
  onedit: (text: string, edits: readonly Edit[]) => void;
  onescape: () => void;
}

/** Marks lines that are to be decided on; see `setMarks`. */
export interface Mark {
  from: number;
  to: number;
  tone: 'conflict' | 'theirs' | 'mine';
}

const setMarksEffect = StateEffect.define<readonly Mark[]>();
const setBaseline = StateEffect.define<string | null>();

export class CodeEditorView {
  readonly #view: EditorView;
  readonly #settings = new Compartment();
  #isOurs = false;
  #current: EditorSettings;

  constructor(parent: ShadowRoot, text: string, settings: EditorSettings, events: EditorEvents) {
    this.#current = settings;
    const listener = EditorView.updateListener.of((update) => {
      if (!update.docChanged || this.#isOurs) return;
      const edits: Edit[] = [];
      update.changes.iterChanges((from, to, _fromB, _toB, insert) =>
        edits.push({ from, to, insert: insert.toString() }),
      );
      events.onedit(update.state.doc.toString(), edits);
    });
    const keys = keymap.of([
      // Esc closes the search panel first, and leaves the editor only then.
      ...searchKeymap,
      { key: 'Escape', run: () => escaped(events) },
      ...historyKeymap,
      ...foldKeymap,
      indentWithTab,
      ...defaultKeymap,
    ]);
    this.#view = new EditorView({
      parent,
      root: parent,
      state: EditorState.create({
        doc: text,
        extensions: [
          keys,
          history(),
          lineNumbers(),
          codeFolding(),
          drawSelection(),
          indentOnInput(),
          indentUnit.of('  '),
          bracketMatching(),
          highlightSelectionMatches({ minSelectionLength: 2 }),
          search({ top: true }),
          linter(null),
          codeTheme,
          changedLines,
          marks,
          listener,
          typedOver,
          this.#settings.of(extensionsOf(settings)),
        ],
      }),
    });
    this.#view.dispatch({ effects: setBaseline.of(settings.baseline) });
  }

  /** Replaces what differs, so that the cursor and the undo history stay. */
  setText(text: string): void {
    const now = this.#view.state.doc.toString();
    if (now === text) return;
    let from = 0;
    const shorter = Math.min(now.length, text.length);
    while (from < shorter && now.charCodeAt(from) === text.charCodeAt(from)) from++;
    let tail = 0;
    while (
      tail < shorter - from &&
      now.charCodeAt(now.length - 1 - tail) === text.charCodeAt(text.length - 1 - tail)
    ) {
      tail++;
    }
    this.#isOurs = true;
    const insert = text.slice(from, text.length - tail);
    this.#view.dispatch({ changes: { from, to: now.length - tail, insert } });
    this.#isOurs = false;
  }

  configure(settings: EditorSettings): void {
    const before = this.#current;
    this.#current = settings;
    const effects: StateEffect<unknown>[] = [this.#settings.reconfigure(extensionsOf(settings))];
    if (before.baseline !== settings.baseline) effects.push(setBaseline.of(settings.baseline));
    this.#view.dispatch({ effects });
  }

  setIssue(issue: Issue | null): void {
    const { doc } = this.#view.state;
    const at = Math.min(issue?.at ?? 0, doc.length);
    const line = doc.lineAt(at);
    const diagnostics =
      issue === null
        ? []
        : [
            {
              from: at,
              to: Math.max(at, line.to),
              severity: 'error' as const,
              message: issue.message,
            },
          ];
    this.#view.dispatch(setDiagnostics(this.#view.state, diagnostics));
  }

  setMarks(list: readonly Mark[]): void {
    this.#view.dispatch({ effects: setMarksEffect.of(list) });
  }

  /** Brings a place of the text into view. */
  reveal(at: number): void {
    const place = Math.min(at, this.#view.state.doc.length);
    this.#view.dispatch({ effects: EditorView.scrollIntoView(place, { y: 'center' }) });
  }

  focus(): void {
    this.#view.focus();
  }

  dispose(): void {
    this.#view.destroy();
  }
}

function extensionsOf(settings: EditorSettings): Extension[] {
  const { language, readOnly, wrap, label, testid, phrases } = settings;
  return [
    languageOf(language),
    // Only these have a structure to fold; else the gutter would be an empty stripe.
    language === 'text' ? [] : foldGutter({ markerDOM: foldMarker }),
    EditorState.readOnly.of(readOnly),
    readOnly ? [] : highlightActiveLine(),
    wrap ? EditorView.lineWrapping : [],
    EditorState.phrases.of(phrases),
    EditorState.tabSize.of(2),
    EditorView.contentAttributes.of({
      'aria-label': label,
      'data-testid': testid,
      ...(readOnly ? { 'aria-readonly': 'true' } : {}),
    }),
  ];
}

function languageOf(language: Language): Extension {
  if (language === 'json') return json();
  if (language === 'yaml') return yaml();
  return language === 'xml' ? xml() : [];
}

function foldMarker(open: boolean): HTMLElement {
  const marker = document.createElement('span');
  marker.className = open ? 'fold open' : 'fold';
  return marker;
}

const changedLine = Decoration.line({ class: 'cm-changed' });

/** Lines that differ from the baseline, as the editor's text stands now. */
const changedLines = StateField.define<{ baseline: readonly string[] | null; set: DecorationSet }>({
  create: () => ({ baseline: null, set: Decoration.none }),
  update(value, transaction) {
    let { baseline } = value;
    let isNew = false;
    for (const effect of transaction.effects) {
      if (!effect.is(setBaseline)) continue;
      baseline = effect.value === null ? null : effect.value.split('\n');
      isNew = true;
    }
    if (!isNew && !transaction.docChanged) return value;
    return { baseline, set: changedSet(baseline, transaction.state) };
  },
  provide: (field) => EditorView.decorations.from(field, (value) => value.set),
});

function changedSet(baseline: readonly string[] | null, state: EditorState): DecorationSet {
  const { doc } = state;
  if (baseline === null || Math.max(doc.lines, baseline.length) > MAX_MARKED_LINES) {
    return Decoration.none;
  }
  const builder = new RangeSetBuilder<Decoration>();
  for (const hunk of diffLines(baseline, doc.toString().split('\n'))) {
    for (let i = hunk.bFrom; i < hunk.bTo; i++) {
      const { from } = doc.line(i + 1);
      builder.add(from, from, changedLine);
    }
  }
  return builder.finish();
}

/** Marks move with the text until they are set anew. */
const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(value, transaction) {
    let set = value.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (effect.is(setMarksEffect)) set = markSet(effect.value, transaction.state);
    }
    return set;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function markSet(list: readonly Mark[], state: EditorState): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  for (const mark of list) {
    // A mark over no text, which is a place where lines went away, has no line of its own.
    if (mark.to <= mark.from) continue;
    const line = Decoration.line({ class: `cm-mark-${mark.tone}` });
    let at = mark.from;
    while (at < mark.to) {
      const { from, to } = state.doc.lineAt(at);
      builder.add(from, from, line);
      at = to + 1;
    }
  }
  return builder.finish();
}

function escaped(events: EditorEvents): boolean {
  events.onescape();
  return true;
}

/**
 * Text that is typed over a selection is put in here: left to itself the browser would keep the
 * selection's look by inline styles, which the page's policy forbids, and complain.
 */
const typedOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { state } = view;
    const isTyped = event.inputType === 'insertText' && !event.isComposing && event.data !== null;
    if (!isTyped || state.readOnly) return false;
    const { from, to } = selectedNow(view);
    if (from === to) return false;
    event.preventDefault();
    const insert = state.toText(event.data ?? '');
    view.dispatch({
      changes: { from, to, insert },
      selection: { anchor: from + insert.length },
      userEvent: 'input.type',
      scrollIntoView: true,
    });
    return true;
  },
});

/**
 * What typing takes the place of now. The editor hears of a selection that it has not made itself
 * (an input method, a screen reader) only later, and may still have an older one.
 */
function selectedNow(view: EditorView): { from: number; to: number } {
  const { contentDOM, root } = view;
  // Only Chromium's shadow roots have a selection of their own; elsewhere the document's tells it.
  const { getSelection } = root as { getSelection?: () => Selection | null };
  const selection = getSelection?.call(root) ?? document.getSelection();
  const { anchorNode, anchorOffset = 0, focusNode, focusOffset = 0 } = selection ?? {};
  if (!anchorNode || !focusNode) return view.state.selection.main;
  if (!contentDOM.contains(anchorNode) || !contentDOM.contains(focusNode)) {
    return view.state.selection.main;
  }
  const anchor = view.posAtDOM(anchorNode, anchorOffset);
  const head = view.posAtDOM(focusNode, focusOffset);
  return { from: Math.min(anchor, head), to: Math.max(anchor, head) };
}
