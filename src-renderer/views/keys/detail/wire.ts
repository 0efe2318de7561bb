/**
 * Protocol buffers without a schema: what the wire format alone tells (protobuf.dev, "Encoding").
 * A length-delimited field may be text, a message or bytes; what it is here is a guess from its
 * content, and `bytes` always holds what is really there.
 */
import { isPlainText, toHex, utf8Decode } from '../../../lib/bytes.ts';

export type WireField =
  | { number: number; kind: 'varint'; value: bigint }
  | { number: number; kind: 'fixed64' | 'fixed32'; bytes: Uint8Array }
  | { number: number; kind: 'length'; bytes: Uint8Array };

export type Guess =
  | { kind: 'message'; fields: WireField[] }
  | { kind: 'text'; text: string }
  | { kind: 'bytes' };

/** Fields of one message, and lines of one printed value: more is not for reading. */
export const MAX_FIELDS = 50_000;
export const MAX_DEPTH = 32;
/** Bytes that are shown of a field that is neither text nor a message. */
const MAX_SHOWN_BYTES = 64;
const MAX_FIELD_NUMBER = 2 ** 29 - 1;
const MAX_VARINT_BYTES = 10;
const LINE_FEED = 0x0a;

/** The fields of a message, or null if the bytes are none. */
export function decodeWire(bytes: Uint8Array): WireField[] | null {
  const fields: WireField[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at);
    if (tag === null || fields.length >= MAX_FIELDS) return null;
    at = tag.end;
    const number = Number(tag.value >> 3n);
    if (number < 1 || number > MAX_FIELD_NUMBER) return null;
    const read = readField(bytes, at, number, Number(tag.value & 7n));
    if (read === null) return null;
    fields.push(read.field);
    at = read.end;
  }
  return fields;
}

function readField(
  bytes: Uint8Array,
  at: number,
  number: number,
  wireType: number,
): { field: WireField; end: number } | null {
  if (wireType === 0) {
    const read = readVarint(bytes, at);
    if (read === null) return null;
    return { field: { number, kind: 'varint', value: read.value }, end: read.end };
  }
  if (wireType === 1 || wireType === 5) {
    const end = at + (wireType === 1 ? 8 : 4);
    if (end > bytes.length) return null;
    const kind = wireType === 1 ? 'fixed64' : 'fixed32';
    return { field: { number, kind, bytes: bytes.subarray(at, end) }, end };
  }
  // Groups (3 and 4) went out of use before there were values like these.
  if (wireType !== 2) return null;
  const length = readVarint(bytes, at);
  if (length === null || length.value > BigInt(bytes.length - length.end)) return null;
  const end = length.end + Number(length.value);
  return { field: { number, kind: 'length', bytes: bytes.subarray(length.end, end) }, end };
}

function readVarint(bytes: Uint8Array, start: number): { value: bigint; end: number } | null {
  let value = 0n;
  for (let i = 0; i < MAX_VARINT_BYTES; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return null;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return value < 1n << 64n ? { value, end: start + i + 1 } : null;
  }
  return null;
}

/** What a length-delimited field most likely is. */
export function guessOf(bytes: Uint8Array, depth = 0): Guess {
  if (bytes.length === 0) return { kind: 'text', text: '' };
  const isText = isPlainText(bytes);
  // Tags of low fields are control characters, so a message is hardly ever plain text; one that
  // begins with field 1 begins with a line feed, which a text seldom does.
  if (!isText || bytes[0] === LINE_FEED) {
    const fields = depth < MAX_DEPTH ? decodeWire(bytes) : null;
    if (fields !== null) return { kind: 'message', fields };
  }
  return isText ? { kind: 'text', text: utf8Decode(bytes) ?? '' } : { kind: 'bytes' };
}

/** Whether a whole value is to be taken for a message when nobody says what it is. */
export function looksLikeMessage(bytes: Uint8Array): boolean {
  const fields = decodeWire(bytes);
  if (fields === null || fields.length === 0) return false;
  // Random bytes now and then form a field or two, but with numbers that no one would choose.
  return fields.every((field) => field.number <= 4_096);
}

/** The message as lines in the manner of `protoc --decode_raw`. */
export function printWire(fields: readonly WireField[]): string {
  const lines: string[] = [];
  printFields(fields, 0, lines);
  return lines.join('\n');
}

function printFields(fields: readonly WireField[], depth: number, lines: string[]): void {
  const indent = '  '.repeat(depth);
  for (const field of fields) {
    if (lines.length >= MAX_FIELDS) {
      lines.push(`${indent}# …`);
      return;
    }
    if (field.kind !== 'length') {
      lines.push(`${indent}${field.number}: ${printScalar(field)}`);
      continue;
    }
    const guess = guessOf(field.bytes, depth + 1);
    if (guess.kind === 'message') {
      lines.push(`${indent}${field.number} {`);
      printFields(guess.fields, depth + 1, lines);
      lines.push(`${indent}}`);
    } else {
      const value = guess.kind === 'text' ? JSON.stringify(guess.text) : printBytes(field.bytes);
      lines.push(`${indent}${field.number}: ${value}`);
    }
  }
}

/** A number as it may have been meant: unsigned first, then what else the same bits can be. */
export function printScalar(field: WireField): string {
  if (field.kind === 'varint') {
    const signed = BigInt.asIntN(64, field.value);
    return signed < 0n ? `${field.value}  # ${signed}` : String(field.value);
  }
  if (field.kind === 'length') return printBytes(field.bytes);
  const view = new DataView(field.bytes.buffer, field.bytes.byteOffset, field.bytes.length);
  if (field.kind === 'fixed64') {
    return `0x${hexBigEndian(field.bytes)}  # ${view.getFloat64(0, true)}`;
  }
  return `0x${hexBigEndian(field.bytes)}  # ${view.getFloat32(0, true)}`;
}

function hexBigEndian(bytes: Uint8Array): string {
  return toHex(bytes.toReversed());
}

/** Up to 64 bytes in hex, and how many there are. */
export function printBytes(bytes: Uint8Array): string {
  const shown = toHex(bytes.subarray(0, MAX_SHOWN_BYTES));
  const rest = bytes.length > MAX_SHOWN_BYTES ? '…' : '';
  return `0x${shown}${rest}  # ${bytes.length} B`;
}
