import { type Token, tokens } from './json-text.ts';

/** A piece of a line that fits the width, as offsets into the text. */
export interface TextRow {
  /** 1-based number of the line; null for the continuation of a wrapped line. */
  line: number | null;
  from: number;
  to: number;
  lineFrom: number;
  lineTo: number;
}

/** Columns a tab takes; the style sheet says the same. */
export const TAB_COLUMNS = 2;
/** Beyond this a line is shown without its tokens' colours. */
const MAX_TOKEN_CHARS = 20_000;
/**
 * From here on characters are taken to be two columns wide, which is right for CJK and harmless for
 * others.
 */
const FIRST_WIDE = 0x1100;

/** Wraps a text to rows of equal height, which is what a virtual list can show. */
export function textRows(text: string, columns: number): TextRow[] {
  const width = Math.max(1, columns);
  const rows: TextRow[] = [];
  let line = 1;
  for (let lineFrom = 0; lineFrom <= text.length; line++) {
    const end = text.indexOf('\n', lineFrom);
    const lineTo = end < 0 ? text.length : end;
    let from = lineFrom;
    do {
      const to = rowEnd(text, from, lineTo, width);
      rows.push({ line: from === lineFrom ? line : null, from, to, lineFrom, lineTo });
      from = to;
    } while (from < lineTo);
    lineFrom = lineTo + 1;
  }
  return rows;
}

/** Where a row that begins at `from` ends: at least one character on. */
function rowEnd(text: string, from: number, lineTo: number, width: number): number {
  let used = 0;
  let at = from;
  while (at < lineTo) {
    const code = text.codePointAt(at) ?? 0;
    used += code === 0x09 ? TAB_COLUMNS : code >= FIRST_WIDE ? 2 : 1;
    if (used > width && at > from) return at;
    at += code > 0xffff ? 2 : 1;
  }
  return lineTo;
}

/** The tokens of a row; a row may begin within a token of its line. */
export function rowTokens(text: string, row: TextRow): Token[] {
  if (row.lineTo - row.lineFrom > MAX_TOKEN_CHARS) {
    return [{ kind: 'space', text: text.slice(row.from, row.to) }];
  }
  const out: Token[] = [];
  let at = row.lineFrom;
  for (const token of tokens(text.slice(row.lineFrom, row.lineTo))) {
    const from = Math.max(at, row.from);
    const to = Math.min(at + token.text.length, row.to);
    if (from < to) out.push({ kind: token.kind, text: text.slice(from, to) });
    at += token.text.length;
  }
  return out;
}
