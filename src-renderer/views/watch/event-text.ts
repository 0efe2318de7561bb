import { displayBytes, isPlainText, utf8Decode, utf8Encode } from '../../lib/bytes.ts';

const NEWLINE = 0x0a;
/** Bytes of a value that a row of the list shows. */
const PREVIEW_BYTES = 160;
/** Bytes of a value that the detail shows and compares; more would stall the view. */
export const MAX_DETAIL_BYTES = 64 * 1024;

/** A value on one line, where line breaks and what indents after them are one blank; null if it is binary. */
export function preview(value: Uint8Array): string | null {
  // A cut can fall within a character: its bytes are left out, not taken for binary.
  const cut = value.length > PREVIEW_BYTES ? wholeCharacters(value, PREVIEW_BYTES) : value;
  if (!isPlainText(cut)) return null;
  if (!cut.includes(NEWLINE)) return displayBytes(cut);
  return displayBytes(utf8Encode((utf8Decode(cut) ?? '').replace(/\s*\n\s*/g, ' ')));
}

export interface DetailText {
  /** null: binary. */
  text: string | null;
  isCut: boolean;
}

export function detailText(value: Uint8Array): DetailText {
  const isCut = value.length > MAX_DETAIL_BYTES;
  const cut = isCut ? wholeCharacters(value, MAX_DETAIL_BYTES) : value;
  return { text: isPlainText(cut) ? utf8Decode(cut) : null, isCut };
}

/** The first bytes, without those of a UTF-8 character that the cut goes through. */
function wholeCharacters(value: Uint8Array, max: number): Uint8Array {
  let end = max;
  while (end > max - 4 && ((value[end] ?? 0) & 0xc0) === 0x80) end--;
  return value.subarray(0, end);
}
