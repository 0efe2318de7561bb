import { fromHex } from '../../../lib/bytes.ts';

/** Bytes in one row of a hex dump. */
export const HEX_ROW_BYTES = 16;

export interface HexRow {
  offset: string;
  /** Sixteen two-digit groups with a wider gap after the eighth, padded to the full width. */
  hex: string;
  ascii: string;
}

export type HexParse =
  | { ok: true; bytes: Uint8Array }
  | { ok: false; reason: 'digit'; at: number; found: string }
  | { ok: false; reason: 'odd' };

export function hexRowCount(length: number): number {
  return Math.ceil(length / HEX_ROW_BYTES);
}

/**
 * One row of the dump: rows are made as they scroll into view, so that a large value costs nothing.
 */
export function hexRow(bytes: Uint8Array, row: number): HexRow {
  const start = row * HEX_ROW_BYTES;
  let hex = '';
  let ascii = '';
  for (let i = 0; i < HEX_ROW_BYTES; i++) {
    const byte = bytes[start + i];
    if (i > 0) hex += i === HEX_ROW_BYTES / 2 ? '  ' : ' ';
    hex += byte === undefined ? '  ' : byte.toString(16).padStart(2, '0');
    if (byte !== undefined) ascii += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
  }
  return { offset: start.toString(16).padStart(8, '0'), hex, ascii };
}

/** The bytes as editable text: sixteen to a line. */
export function toHexText(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let start = 0; start < bytes.length; start += HEX_ROW_BYTES) {
    const row = Array.from(bytes.subarray(start, start + HEX_ROW_BYTES), (byte) =>
      byte.toString(16).padStart(2, '0'),
    );
    lines.push(row.join(' '));
  }
  return lines.join('\n');
}

/** Reads what a person typed or pasted: hex digits, white space between them as they like. */
export function parseHexText(text: string): HexParse {
  const bytes = fromHex(text);
  if (bytes !== null) return { ok: true, bytes };
  const at = text.search(/[^0-9a-fA-F\s]/);
  return at < 0
    ? { ok: false, reason: 'odd' }
    : { ok: false, reason: 'digit', at, found: text.charAt(at) };
}
