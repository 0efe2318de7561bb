/** A command of a scenario with what it printed. */
export interface Step {
  /** Comments and blank lines before it, kept as they are. */
  before: string[];
  command: string;
  expected: string[];
  /** Where the command stands, counted from 1. */
  line: number;
}

export interface Script {
  steps: Step[];
  /** Comments after the last command. */
  after: string[];
}

const SEPARATOR = '----';

/**
 * Reads a scenario: a command on a line, a line of four dashes, what the command prints up to the next blank line.
 * Lines that begin with # are comments. A command without dashes below is one whose output is not known yet.
 */
export function parseScript(text: string): Script {
  const lines = text.split('\n');
  const steps: Step[] = [];
  let before: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    if (line.trim() === '' || line.startsWith('#')) {
      before.push(line);
      continue;
    }
    const step: Step = { before, command: line.trim(), expected: [], line: at + 1 };
    before = [];
    if (lines[at + 1] === SEPARATOR) {
      at += 2;
      while (at < lines.length && lines[at] !== '') step.expected.push(lines[at++] as string);
      at--;
    }
    steps.push(step);
  }
  return { steps, after: before };
}

/** The script with what the commands print now. */
export function formatScript({ steps, after }: Script, outputs: readonly string[][]): string {
  const lines = steps.flatMap(({ before, command }, i) => {
    const output = outputs[i] ?? [];
    return [...before, command, SEPARATOR, ...output];
  });
  return [...lines, ...after].join('\n');
}

/** "add=4 text 1>2" as words in order and settings by name. */
export function parseCommand(command: string): {
  name: string;
  words: string[];
  settings: Map<string, string>;
} {
  const [name = '', ...rest] = command.split(/\s+/);
  const settings = new Map<string, string>();
  const words: string[] = [];
  for (const part of rest) {
    const at = part.indexOf('=');
    if (at > 0) settings.set(part.slice(0, at), part.slice(at + 1));
    else words.push(part);
  }
  return { name, words, settings };
}
