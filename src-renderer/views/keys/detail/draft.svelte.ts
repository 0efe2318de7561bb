import type { KeyDetail } from '../../../../src-main/contract/views.ts';
import { equalBytes, fromBase64, toBase64, utf8Encode } from '../../../lib/bytes.ts';
import { MAX_VALUE_BYTES } from '../../../lib/limits.ts';
import { inspectContent, type LineEnding, type ViewKind } from './content.ts';
import { parseHexText, toHexText } from './hex.ts';
import { checkJson, formatJson, minifyJson } from './json-text.ts';
import { format, type Language } from './languages.ts';
import { countChanged, diffLines, splitLines } from './line-diff.ts';

/** What a value can be edited as. */
export type DraftMode = Language | 'hex' | 'base64';

export type DraftProblem =
  | { kind: 'hexDigit'; found: string; at: number }
  | { kind: 'hexOdd' }
  | { kind: 'base64' }
  | { kind: 'tooLarge'; bytes: number; maxBytes: number };

export type SaveState =
  | { kind: 'idle' }
  | { kind: 'saving' }
  /** Someone else wrote first: what is stored now, null if the key is gone. */
  | { kind: 'conflict'; theirs: KeyDetail | null }
  | { kind: 'failed'; error: unknown };

export type DraftBytes = { ok: true; bytes: Uint8Array } | { ok: false; problem: DraftProblem };

/** A draft as it is kept over a reload. */
export interface DraftRecord {
  key: Uint8Array;
  baseValue: Uint8Array;
  baseModRevision: number;
  mode: DraftMode;
  text: string;
  oneLine: boolean;
}

/** Shorter JSON on one line is edited as it stands. */
const MIN_ONE_LINE_CHARS = 60;
/** Longer JSON takes too long to bring back onto one line with every key. */
const MAX_ONE_LINE_CHARS = 256 * 1024;

const MAX_COUNTED_LINES = 5_000;

/** A value that is being edited, over the value and revision it started from. */
export class Draft {
  readonly key: Uint8Array;
  /** The editor knows line feeds only; others are put back on saving. Mixed ones keep to hex. */
  readonly lineEnding: LineEnding;
  /** The value the edit began with, and the revision a save expects. */
  baseValue = $state.raw<Uint8Array>(new Uint8Array());
  /** 0: the key is not there, and a save creates it. */
  baseModRevision = $state(0);
  save = $state.raw<SaveState>({ kind: 'idle' });
  mode = $state<DraftMode>('text');
  text = $state('');
  /** JSON that is stored on one line is edited in its usual form, and saved on one line again. */
  oneLine = $state(false);
  /** It can be: the choice is there. */
  canBeOneLine = $state(false);
  /** What is shown: the text, or what a save would change. */
  stage = $state<'edit' | 'review'>('edit');
  /** What could not be done last; typing on takes it away. */
  note = $state<'cannotShow' | 'formatRefused' | null>(null);
  /** It is too large to be kept over a reload. */
  isTooLargeToKeep = $state(false);

  constructor(detail: Pick<KeyDetail, 'key' | 'value' | 'modRevision'>, view?: ViewKind) {
    const content = inspectContent(detail.value);
    this.key = detail.key;
    this.baseValue = detail.value;
    this.baseModRevision = detail.modRevision;
    this.lineEnding = content.lineEnding;
    this.mode = editMode(content.text, content.lineEnding, view ?? content.best, content.best);
    const stored = decode(detail.value, this.mode, false) ?? '';
    this.oneLine = this.mode === 'json' && isOneLine(stored);
    this.canBeOneLine = this.oneLine;
    this.text = this.oneLine ? formatJson(stored) : stored;
  }

  static restore(record: DraftRecord): Draft {
    const draft = new Draft({
      key: record.key,
      value: record.baseValue,
      modRevision: record.baseModRevision,
    });
    draft.mode = record.mode;
    draft.oneLine = record.oneLine;
    draft.canBeOneLine ||= record.oneLine;
    draft.text = record.text;
    return draft;
  }

  readonly bytes: DraftBytes = $derived.by(() =>
    encode(this.text, this.mode, this.lineEnding, this.oneLine),
  );
  readonly isChanged: boolean = $derived(
    !this.bytes.ok || !equalBytes(this.bytes.bytes, this.baseValue),
  );
  /** The language that the text is checked, coloured and formatted in. */
  readonly language: Language = $derived(
    this.mode === 'hex' || this.mode === 'base64' ? 'text' : this.mode,
  );
  /** The stored value in the notation of the edit, to compare with; null if it cannot be. */
  readonly baseText: string | null = $derived.by(() => this.shownAs(this.baseValue));

  /** Lines that a save changes; null where there are too many lines to compare as one types. */
  readonly changedLines: number | null = $derived.by(() => {
    if (this.baseText === null) return null;
    const from = splitLines(this.baseText);
    const to = splitLines(this.text);
    if (Math.max(from.length, to.length) > MAX_COUNTED_LINES) return null;
    const { added, removed } = countChanged(diffLines(from, to));
    return Math.max(added, removed);
  });

  /** Bytes in the notation of this edit; null if they cannot be shown in it. */
  shownAs(bytes: Uint8Array): string | null {
    return decode(bytes, this.mode, this.oneLine);
  }

  record(): DraftRecord {
    const { key, baseValue, baseModRevision, mode, text, oneLine } = this;
    return { key, baseValue, baseModRevision, mode, text, oneLine };
  }

  type(text: string): void {
    this.text = text;
    this.note = null;
  }

  /** Brings the text into its language's usual form, if it says the same after that. */
  async reformat(): Promise<void> {
    const { language, text } = this;
    if (language === 'text') return;
    const formatted = await format(language, text);
    if (this.text !== text) return;
    this.note = formatted === null ? 'formatRefused' : null;
    if (formatted !== null) this.text = formatted;
  }

  /** Shows the same bytes in another notation; refused while they cannot be shown in it. */
  setMode(mode: DraftMode): boolean {
    const done = this.#setMode(mode);
    this.note = done ? null : 'cannotShow';
    return done;
  }

  #setMode(mode: DraftMode): boolean {
    if (mode === this.mode) return true;
    const current = this.bytes;
    if (isLanguage(mode) && isLanguage(this.mode)) {
      // Text stays as it was typed, valid or not; only what one line would be is no longer known.
      if (this.oneLine && current.ok) this.text = decode(current.bytes, 'text', false) ?? this.text;
      this.oneLine = false;
      this.canBeOneLine = false;
      this.mode = mode;
      return true;
    }
    if (!current.ok) return false;
    const text = decode(current.bytes, mode, false);
    if (text === null) return false;
    const back = encode(text, mode, this.lineEnding, false);
    if (!back.ok || !equalBytes(back.bytes, current.bytes)) return false;
    this.text = text;
    this.oneLine = false;
    this.canBeOneLine = false;
    this.mode = mode;
    return true;
  }
}

function isLanguage(mode: DraftMode): mode is Language {
  return mode !== 'hex' && mode !== 'base64';
}

/** The notation an edit begins in: the one that is looked at, if it can be edited. */
function editMode(
  text: string | null,
  lineEnding: LineEnding,
  view: ViewKind,
  best: ViewKind,
): DraftMode {
  if (view === 'hex' || view === 'base64') return view;
  if (text === null || lineEnding === 'mixed') return 'hex';
  const wanted = view === 'decoded' ? best : view;
  return wanted === 'json' || wanted === 'yaml' || wanted === 'xml' ? wanted : 'text';
}

function isOneLine(text: string): boolean {
  const { length } = text;
  if (length < MIN_ONE_LINE_CHARS || length > MAX_ONE_LINE_CHARS) return false;
  return minifyJson(text) === text && checkJson(text).ok;
}

/** The editor gives line feeds only. */
function decode(bytes: Uint8Array, mode: DraftMode, oneLine: boolean): string | null {
  if (mode === 'hex') return toHexText(bytes);
  if (mode === 'base64') return toBase64(bytes);
  const { text } = inspectContent(bytes);
  if (text === null) return null;
  const lines = text.replaceAll('\r\n', '\n');
  return oneLine ? formatJson(lines) : lines;
}

function encode(
  text: string,
  mode: DraftMode,
  lineEnding: LineEnding,
  oneLine: boolean,
): DraftBytes {
  let bytes: Uint8Array;
  if (mode === 'hex') {
    const parsed = parseHexText(text);
    if (!parsed.ok) {
      const { reason } = parsed;
      if (reason === 'odd') return { ok: false, problem: { kind: 'hexOdd' } };
      return { ok: false, problem: { kind: 'hexDigit', found: parsed.found, at: parsed.at } };
    }
    bytes = parsed.bytes;
  } else if (mode === 'base64') {
    const parsed = fromBase64(text.replace(/\s+/g, ''));
    if (parsed === null) return { ok: false, problem: { kind: 'base64' } };
    bytes = parsed;
  } else {
    const lines = oneLine && checkJson(text).ok ? minifyJson(text) : text;
    bytes = utf8Encode(lineEnding === 'crlf' ? lines.replaceAll('\n', '\r\n') : lines);
  }
  if (bytes.length <= MAX_VALUE_BYTES) return { ok: true, bytes };
  const problem = { kind: 'tooLarge', bytes: bytes.length, maxBytes: MAX_VALUE_BYTES } as const;
  return { ok: false, problem };
}
