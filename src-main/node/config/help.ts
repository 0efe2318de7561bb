import { FLAGS, type Flag } from './flags.ts';

const WIDTH = 100;
const INDENT = 8;

/** The text of `raftdeck node --help`. */
export function helpText(): string {
  const lines = [
    'Usage: raftdeck node [flags]',
    '',
    "Run one store node in the foreground. Takes etcd's flags of the same names, and their",
    'environment variables: --initial-cluster is ETCD_INITIAL_CLUSTER. A flag wins over its variable.',
    'Durations are written as 500ms, 30s, 1h30m.',
    '',
  ];
  for (const [name, { takes, fallback, help }] of Object.entries<Flag<unknown>>(FLAGS)) {
    lines.push(`  --${name}${takes === undefined ? '' : ` ${takes}`}`);
    lines.push(...wrap(fallback === undefined ? help : `${help} (default: ${fallback})`));
  }
  lines.push('  --help, --version');
  return `${lines.join('\n')}\n`;
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && INDENT + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line].map((one) => ' '.repeat(INDENT) + one);
}
