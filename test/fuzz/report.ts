import type { Failure } from './runner.ts';

/** Digits of an input that are printed; the file has all of them. */
const MAX_SHOWN_DIGITS = 2_000;

export function describeFailure(target: string, failure: Failure): string {
  const { seed, execution, input, reason, error } = failure;
  const hex = input.toString('hex');
  const shown = hex.length > MAX_SHOWN_DIGITS ? `${hex.slice(0, MAX_SHOWN_DIGITS)}...` : hex;
  return [
    `${target}: ${reason}`,
    `  seed ${seed}, input ${execution}, ${input.length} bytes after shrinking: ${shown}`,
    `  ${error instanceof Error ? error.stack : String(error)}`,
  ].join('\n');
}
