/** What is known of each language a value is edited in: whether it is valid, and its usual form. */
import { checkJson, formatJson } from './json-text.ts';

export type Language = 'json' | 'yaml' | 'xml' | 'text';

export interface Issue {
  message: string;
  /** 1-based. */
  line: number;
  /** Offset into the text. */
  at: number;
}

/** YAML and XML beyond this are neither checked nor formatted: it would stop the window. */
export const MAX_CHECKED_CHARS = 512 * 1024;

/** What is wrong with a text first, or null. */
export async function check(language: Language, text: string): Promise<Issue | null> {
  if (language === 'text' || text.length > MAX_CHECKED_CHARS) return null;
  if (language === 'json') return checkJsonText(text);
  const { checkXml, checkYaml } = await import('./parsers.ts');
  return language === 'yaml' ? checkYaml(text) : checkXml(text);
}

/** V8 quotes the text in its message, and names the place only now and then. */
async function checkJsonText(text: string): Promise<Issue | null> {
  const result = checkJson(text);
  if (result.ok) return null;
  const message = result.message
    .replace(/, (\.\.\.)?".*"(\.\.\.)? is not valid JSON$/s, '')
    .replace(/ in JSON at position .*$/s, '');
  if (result.line !== null) {
    return { message, line: result.line, at: offsetOfLine(text, result.line) };
  }
  const { jsonErrorAt } = await import('./parsers.ts');
  const at = jsonErrorAt(text);
  return { message, line: lineOfOffset(text, at), at };
}

/** The text in its usual form, or null if it has none or would say something else. */
export async function format(language: Language, text: string): Promise<string | null> {
  if (language === 'text' || text.length > MAX_CHECKED_CHARS) return null;
  if (language === 'json') return checkJson(text).ok ? formatJson(text) : null;
  const { formatXml, formatYaml } = await import('./parsers.ts');
  return language === 'yaml' ? formatYaml(text) : formatXml(text);
}

export function offsetOfLine(text: string, line: number): number {
  let at = 0;
  for (let i = 1; i < line; i++) {
    const next = text.indexOf('\n', at);
    if (next < 0) return at;
    at = next + 1;
  }
  return at;
}

export function lineOfOffset(text: string, at: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < at; i = text.indexOf('\n', i + 1)) line++;
  return line;
}
