import type { KeyDetail } from '../../../../src-main/contract/views.ts';
import { equalBytes, utf8Encode } from '../../../lib/bytes.ts';
import { MAX_VALUE_BYTES } from '../../../lib/limits.ts';
import { parseHexText, toHexText } from './hex.ts';
import { checkJson, formatJson, type JsonCheck } from './json-text.ts';
import { inspectValue, type LineEnding } from './value-kind.ts';

export type DraftMode = 'text' | 'hex';

export type DraftProblem =
  | { kind: 'hexDigit'; found: string; at: number }
  | { kind: 'hexOdd' }
  | { kind: 'tooLarge'; bytes: number; maxBytes: number };

export type SaveState =
  | { kind: 'idle' }
  | { kind: 'saving' }
  /** Someone else wrote first: what is stored now, null if the key is gone. */
  | { kind: 'conflict'; theirs: KeyDetail | null }
  | { kind: 'failed'; error: unknown };

export type DraftBytes = { ok: true; bytes: Uint8Array } | { ok: false; problem: DraftProblem };

/** A value that is being edited, over the value and revision it started from. */
export class Draft {
  readonly key: Uint8Array;
  /** What a textarea does to line ends is undone on saving; mixed ones can only be kept in hex. */
  readonly lineEnding: LineEnding;
  /** The value was JSON when the edit began: it is then checked as JSON. */
  readonly wasJson: boolean;
  /** The value the edit began with, and the revision a save expects. */
  baseValue = $state.raw<Uint8Array>(new Uint8Array());
  /** 0: the key is not there, and a save creates it. */
  baseModRevision = $state(0);
  save = $state.raw<SaveState>({ kind: 'idle' });
  mode = $state<DraftMode>('text');
  text = $state('');

  constructor(detail: KeyDetail) {
    const facts = inspectValue(detail.value);
    this.key = detail.key;
    this.baseValue = detail.value;
    this.baseModRevision = detail.modRevision;
    this.lineEnding = facts.lineEnding;
    this.wasJson = facts.isJson && facts.mode === 'json';
    const asText = facts.text !== null && facts.lineEnding !== 'mixed';
    this.mode = asText ? 'text' : 'hex';
    this.text = asText ? normalLines(facts.text ?? '') : toHexText(detail.value);
  }

  readonly bytes: DraftBytes = $derived.by(() => encode(this.text, this.mode, this.lineEnding));
  readonly isChanged: boolean = $derived(
    !this.bytes.ok || !equalBytes(this.bytes.bytes, this.baseValue),
  );
  /** Null where JSON is not asked for. */
  readonly json: JsonCheck | null = $derived.by(() =>
    this.mode === 'text' && this.wasJson ? checkJson(this.text) : null,
  );
  readonly canFormat: boolean = $derived(
    this.mode === 'text' && /^\s*[[{]/.test(this.text) && checkJson(this.text).ok,
  );

  format(): void {
    this.text = formatJson(this.text);
  }

  /** Shows the same bytes in the other notation; refused while they cannot be shown in it. */
  setMode(mode: DraftMode): boolean {
    if (mode === this.mode) return true;
    const current = this.bytes;
    if (!current.ok) return false;
    if (mode === 'hex') {
      this.text = toHexText(current.bytes);
    } else {
      const { text } = inspectValue(current.bytes);
      if (text === null) return false;
      const back = encode(normalLines(text), mode, this.lineEnding);
      if (!back.ok || !equalBytes(back.bytes, current.bytes)) return false;
      this.text = normalLines(text);
    }
    this.mode = mode;
    return true;
  }
}

/** A textarea gives line feeds only. */
function normalLines(text: string): string {
  return text.replaceAll('\r\n', '\n');
}

function encode(text: string, mode: DraftMode, lineEnding: LineEnding): DraftBytes {
  let bytes: Uint8Array;
  if (mode === 'hex') {
    const parsed = parseHexText(text);
    if (!parsed.ok) {
      const { reason } = parsed;
      if (reason === 'odd') return { ok: false, problem: { kind: 'hexOdd' } };
      return { ok: false, problem: { kind: 'hexDigit', found: parsed.found, at: parsed.at } };
    }
    bytes = parsed.bytes;
  } else {
    bytes = utf8Encode(lineEnding === 'crlf' ? text.replaceAll('\n', '\r\n') : text);
  }
  if (bytes.length <= MAX_VALUE_BYTES) return { ok: true, bytes };
  const problem = { kind: 'tooLarge', bytes: bytes.length, maxBytes: MAX_VALUE_BYTES } as const;
  return { ok: false, problem };
}
