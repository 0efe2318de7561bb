import { isPlainText, utf8Decode } from '../../../lib/bytes.ts';
import { checkJson } from './json-text.ts';

export type ValueMode = 'text' | 'json' | 'hex';
export type LineEnding = 'lf' | 'crlf' | 'mixed';

export interface ValueFacts {
  /** The value as text, null where the bytes are not text. */
  text: string | null;
  isJson: boolean;
  /** The mode to open the value in. */
  mode: ValueMode;
  lineEnding: LineEnding;
}

function lineEndingOf(text: string): LineEnding {
  if (!text.includes('\r')) return 'lf';
  return /(^|[^\r])\n|\r(?!\n)/.test(text) ? 'mixed' : 'crlf';
}

/**
 * What a value is, from its content. Only objects and arrays open as JSON: a bare 42 reads best as
 * text.
 */
export function inspectValue(value: Uint8Array): ValueFacts {
  const text = isPlainText(value) ? utf8Decode(value) : null;
  if (text === null) return { text, isJson: false, mode: 'hex', lineEnding: 'lf' };
  const isJson = value.length > 0 && checkJson(text).ok;
  const mode = isJson && /^\s*[[{]/.test(text) ? 'json' : 'text';
  return { text, isJson, mode, lineEnding: lineEndingOf(text) };
}
