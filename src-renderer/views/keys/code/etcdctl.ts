import { goQuote, shellQuote } from '../../../lib/etcdctl.ts';
import type { Comparison, KeyAction, KeyOperation, Transaction } from './actions.ts';

/** Linux takes no longer argument (MAX_ARG_STRLEN, 32 pages); what is quoted gets longer. */
const MAX_ARGUMENT_BYTES = 100_000;

/**
 * The command that does the same, for a POSIX shell with $'…' (bash, zsh). Keys and values that
 * cannot be an argument (a zero byte ends one, and there is a limit to its length) go through the
 * standard input of `etcdctl txn`, whose strings can hold any byte. Null: etcdctl cannot do it.
 */
export function toEtcdctl(action: KeyAction, endpoints: readonly string[]): string | null {
  const flag = endpointsFlag(endpoints);
  if (action.kind === 'txn') return `etcdctl ${flag} txn ${heredoc(action)}`;
  const args = action.kind === 'put' ? [action.key, action.value] : [action.key];
  if (args.every(fitsArgument)) {
    const dashes = args.some(startsWithDash) ? ['--'] : [];
    const words = [...wordsOf(action), ...dashes, ...args.map(shellQuote)];
    return ['etcdctl', flag, ...words].join(' ');
  }
  if (action.kind === 'watch') return null;
  return `etcdctl ${flag} txn ${heredoc({ kind: 'txn', compare: [], success: [action], failure: [] })}`;
}

/** `--endpoints=a,b`, without http://, which is the default. */
function endpointsFlag(endpoints: readonly string[]): string {
  const list = endpoints.map((endpoint) => endpoint.replace(/^http:\/\//, ''));
  return `--endpoints=${shellQuote(list.join(','))}`;
}

/** The subcommand and its flags. */
function wordsOf(action: Exclude<KeyAction, Transaction>): string[] {
  switch (action.kind) {
    case 'get': {
      const words = ['get', ...(action.prefix ? ['--prefix'] : [])];
      if (action.keysOnly) words.push('--keys-only');
      if (action.revision) words.push(`--rev=${action.revision}`);
      return words;
    }
    case 'put': {
      const words = ['put', ...(action.lease ? [`--lease=${action.lease}`] : [])];
      return action.ignoreLease ? [...words, '--ignore-lease'] : words;
    }
    case 'delete':
      return ['del', ...(action.prefix ? ['--prefix'] : [])];
    case 'watch': {
      const words = ['watch', ...(action.prefix ? ['--prefix'] : [])];
      return action.startRevision ? [...words, `--rev=${action.startRevision}`] : words;
    }
  }
}

/** Compares, then what is done on success, then on failure, each list ended by an empty line. */
function heredoc(transaction: Transaction): string {
  const lines = [
    ...transaction.compare.map(comparisonLine),
    '',
    ...transaction.success.map(operationLine),
    '',
    ...transaction.failure.map(operationLine),
    '',
  ];
  return `<<'EOF'\n${lines.join('\n')}\nEOF`;
}

function comparisonLine({ key, target, operator, value }: Comparison): string {
  const wanted = typeof value === 'number' ? `"${value}"` : goQuote(value);
  return `${target}(${goQuote(key)}) ${operator} ${wanted}`;
}

function operationLine(operation: KeyOperation): string {
  const args = operation.kind === 'put' ? [operation.key, operation.value] : [operation.key];
  const dashes = args.some(startsWithDash) ? ['--'] : [];
  return [...wordsOf(operation), ...dashes, ...args.map(goQuote)].join(' ');
}

function fitsArgument(bytes: Uint8Array): boolean {
  return bytes.length <= MAX_ARGUMENT_BYTES && !bytes.includes(0);
}

function startsWithDash(bytes: Uint8Array): boolean {
  return bytes[0] === 0x2d;
}
