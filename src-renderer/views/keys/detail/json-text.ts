/**
 * JSON as text. Formatting moves white space only and keeps every number and string as it was
 * written: going through JSON.parse would round 64-bit ids and drop duplicate names, and a viewer
 * must not show what is not stored.
 */
export type JsonCheck = { ok: true } | { ok: false; message: string; line: number | null };

const INDENT = '  ';
const LEXEME = /\s+|"(?:[^"\\]|\\.)*"?|-?\d[\d.eE+-]*|[A-Za-z]+|[\s\S]/g;

/** Whether it is JSON, and if not, why and in which line. */
export function checkJson(text: string): JsonCheck {
  try {
    JSON.parse(text);
    return { ok: true };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, message, line: errorLine(message, text) };
  }
}

function errorLine(message: string, text: string): number | null {
  const named = /line (\d+)/.exec(message)?.[1];
  if (named !== undefined) return Number(named);
  const position = /position (\d+)/.exec(message)?.[1];
  if (position === undefined) return null;
  return text.slice(0, Number(position)).split('\n').length;
}

/** Indents valid JSON by two spaces. Text that is not JSON comes back as it is. */
export function formatJson(text: string): string {
  if (!checkJson(text).ok) return text;
  const lexemes = (text.match(LEXEME) ?? []).filter((lexeme) => !/^\s/.test(lexeme));
  let depth = 0;
  const out: string[] = [];
  const breakLine = () => out.push('\n', INDENT.repeat(depth));
  for (let i = 0; i < lexemes.length; i++) {
    const lexeme = lexemes[i] as string;
    if (lexeme === '{' || lexeme === '[') {
      const closing = lexemes[i + 1];
      if (closing === '}' || closing === ']') {
        out.push(lexeme, closing);
        i++;
        continue;
      }
      depth++;
      out.push(lexeme);
      breakLine();
    } else if (lexeme === '}' || lexeme === ']') {
      depth--;
      breakLine();
      out.push(lexeme);
    } else if (lexeme === ',') {
      out.push(lexeme);
      breakLine();
    } else {
      out.push(lexeme === ':' ? ': ' : lexeme);
    }
  }
  return out.join('');
}

/** Valid JSON without the white space between its parts; other text comes back as it is. */
export function minifyJson(text: string): string {
  if (!checkJson(text).ok) return text;
  return (text.match(LEXEME) ?? []).filter((lexeme) => !/^\s/.test(lexeme)).join('');
}
