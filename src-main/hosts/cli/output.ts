import { CodedError, errorMessage } from '../../base/errors.ts';

export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/** Where the commands write. Results go to `out`, everything said besides to `err`. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
}

export function processOutput(): Output {
  for (const stream of [process.stdout, process.stderr]) {
    // A reader that went away (`| head`) must not take the nodes down uncleanly.
    stream.on('error', () => {});
  }
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  };
}

/** One clear line, and a hint where there is one. */
export function printError(output: Output, error: unknown): void {
  output.err(`raftdeck: ${errorMessage(error).replaceAll('\n', ' ')}\n`);
  if (error instanceof CodedError && error.hint !== undefined) {
    output.err(`hint: ${error.hint}\n`);
  }
}
