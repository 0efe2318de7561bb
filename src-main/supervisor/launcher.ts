import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CodedError, errorMessage } from '../base/errors.ts';
import type { SupervisorErrorCode } from './errors.ts';

/**
 * What to start. An entry is a JavaScript file that the host's own Node runs; a binary runs as it
 * is.
 */
export interface LaunchSpec {
  program: { kind: 'entry'; path: string } | { kind: 'binary'; path: string };
  args: string[];
  env: Record<string, string>;
  /** Both of the child's outputs are appended here; its folder exists. */
  stderrFile: string;
}

export interface ChildExit {
  /** null when a signal ended it, or when nobody can know (an adopted process). */
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** One running process. */
export interface ChildHandle {
  readonly pid: number;
  /** Called once, also when the process is gone already. */
  onExit(listener: (exit: ChildExit) => void): void;
  /** Asks it to stop (SIGTERM, or what the host has). */
  terminate(): void;
  /** Ends it at once (SIGKILL). */
  kill(): void;
}

/**
 * How this host starts processes. Hosts that can only run entries pass binaries on to
 * ChildProcessLauncher.
 */
export interface Launcher {
  /** Resolves once the process runs. Throws SpawnFailed. */
  launch(spec: LaunchSpec): Promise<ChildHandle>;
}

/** dist/main/node/main.js, as seen from this file once it is built. */
export const BUNDLED_NODE_ENTRY = fileURLToPath(new URL('../node/main.js', import.meta.url));

export class ChildProcessLauncher implements Launcher {
  readonly #nodePath: string;

  constructor(nodePath: string = process.execPath) {
    this.#nodePath = nodePath;
  }

  launch(spec: LaunchSpec): Promise<ChildHandle> {
    const isEntry = spec.program.kind === 'entry';
    const command = isEntry ? this.#nodePath : spec.program.path;
    const args = isEntry ? [spec.program.path, ...spec.args] : spec.args;
    return new Promise((resolve, reject) => {
      const failed = (error: unknown) =>
        reject(
          new CodedError<SupervisorErrorCode>(
            'SpawnFailed',
            `cannot start ${spec.program.path}: ${errorMessage(error)}`,
            { cause: error },
          ),
        );
      let output: number;
      try {
        output = openSync(spec.stderrFile, 'a', 0o600);
      } catch (error) {
        failed(error);
        return;
      }
      try {
        // A process group of its own: Ctrl-C in a terminal reaches the supervisor alone, which then
        // stops its nodes in order. A file instead of a pipe: a node outlives its supervisor
        // without a broken pipe.
        const child = spawn(command, args, {
          env: spec.env,
          stdio: ['ignore', output, output],
          detached: true,
          windowsHide: true,
        });
        let exit: ChildExit | null = null;
        const listeners: ((exit: ChildExit) => void)[] = [];
        child.once('exit', (code, signal) => {
          exit = { code, signal };
          for (const listener of listeners.splice(0)) listener(exit);
        });
        child.once('error', failed);
        child.once('spawn', () => {
          const { pid } = child;
          if (pid === undefined) return;
          resolve({
            pid,
            onExit(listener) {
              if (exit === null) listeners.push(listener);
              else listener(exit);
            },
            terminate: () => void child.kill('SIGTERM'),
            kill: () => void child.kill('SIGKILL'),
          });
        });
      } catch (error) {
        failed(error);
      } finally {
        closeSync(output);
      }
    });
  }
}
