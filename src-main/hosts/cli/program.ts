import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { DEFAULT_NODES, MAX_NODES } from '../../supervisor/limits.ts';
import type { Output } from './output.ts';
import { packageVersion } from './version.ts';

const DATA_DIR_HELP =
  'data folder (default: $RAFTDECK_DATA_DIR, else where your system keeps data)';

const EXAMPLES = `
Examples:
  raftdeck                          open the app
  raftdeck serve --port 8123        the app in a browser, also on a machine without a screen
  raftdeck up                       a cluster of three nodes, without the app
  raftdeck up --json                the same, for scripts
  raftdeck node --name n1           one node, with etcd's flags

Exit codes: 0 success, 1 failure, 2 wrong usage.`;

const APP_EXAMPLES = `
Opens the Electron window if Electron and a display are there, else a browser.
The first run makes a local cluster "dev" of three nodes.

Examples:
  raftdeck
  raftdeck app --data-dir ~/raftdeck-test`;

const SERVE_EXAMPLES = `
Listens on 127.0.0.1 only and prints an address with a secret token: who has it has the app.

Examples:
  raftdeck serve
  raftdeck serve --port 8123 --no-open      behind: ssh -L 8123:127.0.0.1:8123 host`;

const UP_EXAMPLES = `
Node i (from 0) serves clients on port N+2i and its peers on N+2i+1 of 127.0.0.1. Once a leader
is elected the endpoints are printed. Ctrl-C stops all nodes and keeps their data; run again on
the same data folder, the same cluster comes back. A second Ctrl-C kills the nodes.

Examples:
  raftdeck up
  raftdeck up --nodes 5 --data-dir ./five --base-port 24000
  raftdeck up --json | jq -r '.endpoints | join(",")'`;

/**
 * The command line. An unknown first word is a misspelt command; actions report their exit code.
 */
export function buildProgram(
  args: string[],
  output: Output,
  report: (exitCode: number) => void,
): Command {
  const program = new Command('raftdeck')
    .description(
      "Local Raft key-value clusters that speak etcd's v3 API, and a window onto any etcd.",
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: output.out,
      writeErr: output.err,
      outputError: (text, write) => write(usageError(text, helpFor(args[0]))),
    })
    .addHelpText('after', EXAMPLES);
  const first = args[0];
  addApp(program, output, report, first === undefined || first.startsWith('-'));
  addServe(program, output, report);
  addUp(program, output, report);
  // Runs before this program is built; here for the help alone.
  program
    .command('node')
    .description("run one store node in the foreground; takes etcd's flags (raftdeck node --help)");
  return program;
}

function addApp(
  program: Command,
  output: Output,
  report: (exitCode: number) => void,
  isDefault: boolean,
): void {
  program
    .command('app', { isDefault })
    .description('open the app (default)')
    .option('--data-dir <dir>', DATA_DIR_HELP, folder)
    .allowExcessArguments(false)
    .addHelpText('after', APP_EXAMPLES)
    .action(async (options: { dataDir?: string }) => {
      const { runApp } = await import('./app.ts');
      report(await runApp(options, output));
    });
}

function addServe(program: Command, output: Output, report: (exitCode: number) => void): void {
  program
    .command('serve')
    .description('serve the app to a browser on this machine')
    .option('--port <port>', 'port to listen on (default: a free one)', integer(0, 65_535))
    .option('--no-open', 'only print the address; open no browser')
    .option('--data-dir <dir>', DATA_DIR_HELP, folder)
    .allowExcessArguments(false)
    .addHelpText('after', SERVE_EXAMPLES)
    .action(async (options: { port?: number; open: boolean; dataDir?: string }) => {
      const { runServe } = await import('./serve.ts');
      report(await runServe(options, output));
    });
}

function addUp(program: Command, output: Output, report: (exitCode: number) => void): void {
  const upDataDir = `${DATA_DIR_HELP.replace(')', ', below it "up")')}`;
  program
    .command('up')
    .description('run a local cluster in the foreground, without the app')
    .option(
      '--nodes <n>',
      `nodes of a new cluster (default: ${DEFAULT_NODES})`,
      integer(1, MAX_NODES),
    )
    .option('--data-dir <dir>', upDataDir, folder)
    .option(
      '--base-port <port>',
      'first port of a new cluster (default: the first free ones)',
      integer(1, 65_535),
    )
    .option('--json', 'print one line of JSON instead of a table')
    .allowExcessArguments(false)
    .addHelpText('after', UP_EXAMPLES)
    .action(
      async (options: { nodes?: number; dataDir?: string; basePort?: number; json?: true }) => {
        const { runUp } = await import('./up.ts');
        report(await runUp({ ...options, json: options.json === true }, output));
      },
    );
}

function folder(value: string): string {
  if (value === '') throw new InvalidArgumentError('It must not be empty.');
  return resolve(value);
}

function integer(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return number;
  };
}

const COMMANDS = ['app', 'serve', 'up'];

function helpFor(first: string | undefined): string {
  return first !== undefined && COMMANDS.includes(first)
    ? `raftdeck ${first} --help`
    : 'raftdeck --help';
}

/** Commander's "error: …\n(Did you mean --x?)" as our line and hint. */
function usageError(text: string, help: string): string {
  const [message = '', ...rest] = text
    .trim()
    .replace(/^error: /, '')
    .split('\n');
  const suggestion = /^\(Did you mean (.+)\?\)$/.exec(rest.join(' '))?.[1];
  const hint = suggestion === undefined ? `see ${help}` : `did you mean ${suggestion}?`;
  return `raftdeck: ${message}\nhint: ${hint}\n`;
}
