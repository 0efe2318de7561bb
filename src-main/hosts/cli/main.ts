import { CommanderError } from 'commander';
import {
  EXIT_FAILURE,
  EXIT_OK,
  EXIT_USAGE,
  type Output,
  printError,
  processOutput,
} from './output.ts';
import { buildProgram } from './program.ts';

/**
 * Runs one command line, without the program's own name. Resolves with the exit code; never throws.
 */
export async function run(args: string[], output: Output = processOutput()): Promise<number> {
  try {
    // A node parses its own flags, which are etcd's, and starts without the rest of this program.
    if (args[0] === 'node') {
      const { runNode } = await import('../../node/main.ts');
      return await runNode(args.slice(1));
    }
    let exitCode = EXIT_OK;
    const program = buildProgram(args, output, (code) => {
      exitCode = code;
    });
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed its message already; its only success is help or the version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    printError(output, error);
    return EXIT_FAILURE;
  }
}
