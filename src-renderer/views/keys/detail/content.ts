import { fromBase64, isPlainText, utf8Decode } from '../../../lib/bytes.ts';
import { checkJson } from './json-text.ts';
import { isKubernetes } from './kubernetes.ts';
import { type Packing, packingOf } from './unpack.ts';
import { looksLikeMessage } from './wire.ts';

/** The ways to show a value. */
export type ViewKind =
  | 'json'
  | 'yaml'
  | 'xml'
  | 'text'
  | 'kubernetes'
  | 'protobuf'
  | 'unpacked'
  | 'decoded'
  | 'hex'
  | 'base64';

export type LineEnding = 'lf' | 'crlf' | 'mixed';

export interface Content {
  /** The value as text, null where the bytes are not text. */
  text: string | null;
  lineEnding: LineEnding;
  packing: Packing | null;
  /** The way that suits the content best. */
  best: ViewKind;
  /** All that can show it, the best ones first. */
  kinds: readonly ViewKind[];
}

/** A text shorter than this is taken at its word, not for base64 of something else. */
const MIN_BASE64_CHARS = 16;
/** Lines that are looked at to tell whether a text is YAML. */
const MAX_YAML_LINES = 400;

/** What a value is, from its content alone. */
export function inspectContent(value: Uint8Array): Content {
  const text = isPlainText(value) ? utf8Decode(value) : null;
  const packing = text === null ? packingOf(value) : null;
  const kinds = text === null ? binaryKinds(value, packing) : textKinds(text);
  return { text, lineEnding: lineEndingOf(text ?? ''), packing, best: kinds[0] ?? 'hex', kinds };
}

function textKinds(text: string): ViewKind[] {
  const kinds: ViewKind[] = [];
  const isJson = text !== '' && checkJson(text).ok;
  // Only objects and arrays open as JSON: a bare 42 reads best as text.
  if (isJson && /^\s*[[{]/.test(text)) kinds.push('json');
  else if (looksLikeXml(text)) kinds.push('xml');
  else if (looksLikeYaml(text)) kinds.push('yaml');
  kinds.push('text');
  if (isJson && !kinds.includes('json')) kinds.push('json');
  if (isBase64(text)) kinds.push('decoded');
  kinds.push('hex', 'base64');
  return kinds;
}

function binaryKinds(value: Uint8Array, packing: Packing | null): ViewKind[] {
  const kinds: ViewKind[] = [];
  if (isKubernetes(value)) kinds.push('kubernetes');
  else if (packing !== null) kinds.push('unpacked');
  else if (looksLikeMessage(value)) kinds.push('protobuf');
  kinds.push('hex', 'base64');
  return kinds;
}

function lineEndingOf(text: string): LineEnding {
  if (!text.includes('\r')) return 'lf';
  return /(^|[^\r])\n|\r(?!\n)/.test(text) ? 'mixed' : 'crlf';
}

function looksLikeXml(text: string): boolean {
  const trimmed = text.trim();
  return (
    /^<(\?xml\s|!DOCTYPE\s|!--|[A-Za-z_][\w.:-]*[\s/>])/.test(trimmed) && trimmed.endsWith('>')
  );
}

/**
 * Every line at the margin is a name with a colon, a list item or a comment, and there are at
 * least two of them: "Error: no such file" alone is a sentence.
 */
export function looksLikeYaml(text: string): boolean {
  let names = 0;
  let hasMarker = false;
  let inBlock = false;
  for (const line of text.split('\n', MAX_YAML_LINES)) {
    const trimmed = line.trimEnd();
    if (trimmed === '' || /^\s*#/.test(trimmed)) continue;
    if (/^\s/.test(trimmed)) {
      if (/^\t/.test(trimmed) || !inBlock) return false;
      continue;
    }
    if (/^(---|\.\.\.)(\s|$)/.test(trimmed)) {
      hasMarker = true;
      inBlock = true;
      continue;
    }
    if (!/^(- |-$|(["']?)[\w./$@-][\w ./$@-]*\2:(\s|$))/.test(trimmed)) return false;
    names++;
    inBlock = true;
  }
  return names >= 2 || (names === 1 && (hasMarker || /:\s*\n\s+\S/.test(text)));
}

function isBase64(text: string): boolean {
  const trimmed = text.trim();
  if (trimmed.length < MIN_BASE64_CHARS || trimmed.length % 4 !== 0) return false;
  // A long word or a path of hex digits is more likely itself.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(trimmed) || /^[0-9a-f]+$/i.test(trimmed)) return false;
  return /\d/.test(trimmed) && /[A-Z]/.test(trimmed) && fromBase64(trimmed) !== null;
}
