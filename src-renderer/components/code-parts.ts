export interface CodePart {
  text: string;
  /** Stays on one line as long as it fits there. */
  isWord: boolean;
}

/** A longer text is no command to be read; it breaks wherever a line is full. */
const MAX_PARTED_CHARS = 4_000;

/**
 * A command in the parts between which a line may break: words, and within one the items of a list
 * and the value of a flag. Left to itself a browser breaks after the dashes of `--flag`.
 */
export function codeParts(code: string): CodePart[] {
  if (code.length > MAX_PARTED_CHARS) return [{ text: code, isWord: false }];
  return code
    .split(/(\s+)/)
    .flatMap((text) => (/^\s*$/.test(text) ? [{ text, isWord: false }] : wordParts(text)))
    .filter(({ text }) => text !== '');
}

function wordParts(word: string): CodePart[] {
  const pieces = word.startsWith('--') ? word.split(/(?<=[,=])/) : [word];
  return pieces.map((text) => ({ text, isWord: true }));
}
