/**
 * Keys and values are bytes. This is how they become text for people and back, without losing any.
 */

const NEWLINE = 0x0a;
const SIMPLE_ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x5c, '\\\\'],
]);
const FROM_SIMPLE: ReadonlyMap<string, number> = new Map([
  ['t', 0x09],
  ['n', 0x0a],
  ['r', 0x0d],
  ['\\', 0x5c],
  ['0', 0x00],
]);
/**
 * Characters that do not show, or that reorder what stands around them: a key must not be able to
 * look like another. Controls, zero-width and bidirectional marks, line separators, the byte order
 * mark, private and unassigned ones.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/u;

/** Printable ASCII but the backslash: nearly every key, and told so at once. */
const NEEDS_NO_ESCAPE = /^[\x20-\x5b\x5d-\x7e]*$/;

export function utf8Encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text, or null if the bytes are not valid UTF-8. */
export function utf8Decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/**
 * Bytes as one line of text that names them without doubt: printable UTF-8 as it is, a backslash
 * doubled, anything else as \n, \t, \r or \xNN (byte by byte). `parseEscapes` is its inverse.
 */
export function displayBytes(bytes: Uint8Array): string {
  const text = utf8Decode(bytes);
  return text === null ? escapeInvalid(bytes) : escapeText(text);
}

/** Shortened in the middle for a narrow place; the ends tell keys apart best. */
export function displayShort(bytes: Uint8Array, maxChars: number): string {
  const chars = [...displayBytes(bytes.length > 4 * maxChars ? joinEnds(bytes, maxChars) : bytes)];
  if (chars.length <= maxChars) return chars.join('');
  const head = Math.ceil((maxChars - 1) / 2);
  const tail = maxChars - 1 - head;
  return `${chars.slice(0, head).join('')}…${chars.slice(chars.length - tail).join('')}`;
}

function joinEnds(bytes: Uint8Array, maxChars: number): Uint8Array {
  const joined = new Uint8Array(4 * maxChars);
  joined.set(bytes.subarray(0, 2 * maxChars), 0);
  joined.set(bytes.subarray(bytes.length - 2 * maxChars), 2 * maxChars);
  return joined;
}

function escapeText(text: string): string {
  if (NEEDS_NO_ESCAPE.test(text)) return text;
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const simple = SIMPLE_ESCAPES.get(code);
    if (simple !== undefined) out += simple;
    else if (HIDDEN.test(char)) out += hexEscapes(utf8Encode(char));
    else out += char;
  }
  return out;
}

/** What is valid stays readable: only the broken bytes are escaped. */
function escapeInvalid(bytes: Uint8Array): string {
  let out = '';
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes[at] ?? 0);
    const text = length === 0 ? null : utf8Decode(bytes.subarray(at, at + length));
    if (text === null || at + length > bytes.length) {
      out += hexEscapes(bytes.subarray(at, at + 1));
      at += 1;
    } else {
      out += escapeText(text);
      at += length;
    }
  }
  return out;
}

/** Bytes of the UTF-8 sequence that starts with `lead`; 0 if none does. */
function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

function hexEscapes(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += `\\x${byte.toString(16).padStart(2, '0')}`;
  return out;
}

export type ParsedBytes = { ok: true; bytes: Uint8Array } | { ok: false; at: number };

/**
 * Text with \n, \t, \r, \0, \\ and \xNN as bytes; `at` is the index of an escape that is none of
 * these.
 */
export function parseEscapes(text: string): ParsedBytes {
  const out: number[] = [];
  let plainFrom = 0;
  for (let i = text.indexOf('\\'); i !== -1; i = text.indexOf('\\', plainFrom)) {
    out.push(...utf8Encode(text.slice(plainFrom, i)));
    const next = text[i + 1] ?? '';
    const simple = FROM_SIMPLE.get(next);
    if (simple !== undefined) {
      out.push(simple);
      plainFrom = i + 2;
      continue;
    }
    const hex = next === 'x' ? /^[0-9a-fA-F]{2}/.exec(text.slice(i + 2, i + 4)) : null;
    if (hex === null) return { ok: false, at: i };
    out.push(Number.parseInt(hex[0], 16));
    plainFrom = i + 4;
  }
  out.push(...utf8Encode(text.slice(plainFrom)));
  return { ok: true, bytes: Uint8Array.from(out) };
}

export function toHex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += byte.toString(16).padStart(2, '0');
  return out;
}

/** Hex digits, blanks between them allowed; null if it is anything else. */
export function fromHex(text: string): Uint8Array | null {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) return null;
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  }
  return bytes;
}

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  // fromCharCode takes its characters as arguments, of which there may not be millions.
  for (let i = 0; i < bytes.length; i += 8_192) {
    binary += String.fromCharCode(...bytes.subarray(i, i + 8_192));
  }
  return btoa(binary);
}

/** null if it is not base64. */
export function fromBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(text.trim()), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}

/** Byte order, as etcd sorts keys. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/**
 * The end of the half-open range of all keys with this prefix, as etcd's clients compute it: the
 * last byte that is not 0xff plus one; a single zero byte (to the end of the key space) if there is
 * none.
 */
export function prefixRangeEnd(prefix: Uint8Array): Uint8Array {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0xff;
    if (byte === 0xff) continue;
    const end = prefix.slice(0, i + 1);
    end[i] = byte + 1;
    return end;
  }
  return Uint8Array.of(0);
}

/**
 * Whether a text editor shows these bytes as they are: valid UTF-8 without controls but line breaks
 * and tabs.
 */
export function isPlainText(bytes: Uint8Array): boolean {
  const text = utf8Decode(bytes);
  if (text === null) return false;
  for (const byte of bytes) {
    if (byte < 0x20 && byte !== NEWLINE && byte !== 0x09 && byte !== 0x0d) return false;
    if (byte === 0x7f) return false;
  }
  return true;
}
