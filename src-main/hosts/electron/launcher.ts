import { createWriteStream } from 'node:fs';
import { utilityProcess } from 'electron';
import { CodedError } from '../../base/errors.ts';
import type { SupervisorErrorCode } from '../../supervisor/errors.ts';
import {
  type ChildExit,
  type ChildHandle,
  ChildProcessLauncher,
  type Launcher,
  type LaunchSpec,
} from '../../supervisor/launcher.ts';

/**
 * Starts the bundled node as a utility process: the packaged app's fuses forbid its executable to
 * run as plain Node. Foreign binaries are started as anywhere else.
 */
export class UtilityLauncher implements Launcher {
  readonly #binaries = new ChildProcessLauncher();

  launch(spec: LaunchSpec): Promise<ChildHandle> {
    if (spec.program.kind === 'binary') return this.#binaries.launch(spec);
    return new Promise((resolve, reject) => {
      const output = createWriteStream(spec.stderrFile, { flags: 'a', mode: 0o600 });
      const child = utilityProcess.fork(spec.program.path, spec.args, {
        env: spec.env,
        stdio: ['ignore', 'pipe', 'pipe'],
        serviceName: 'Raftdeck node',
      });
      child.stdout?.pipe(output, { end: false });
      child.stderr?.pipe(output, { end: false });
      let exit: ChildExit | null = null;
      let killed = false;
      const listeners: ((exit: ChildExit) => void)[] = [];
      child.once('exit', (code) => {
        output.end();
        exit = killed ? { code: null, signal: 'SIGKILL' } : { code, signal: null };
        for (const listener of listeners.splice(0)) listener(exit);
        // After the spawn this changes nothing.
        const message = `cannot start ${spec.program.path}: it exited with code ${code}`;
        reject(new CodedError<SupervisorErrorCode>('SpawnFailed', message));
      });
      child.once('spawn', () => {
        const { pid } = child;
        if (pid === undefined) return;
        resolve({
          pid,
          onExit(listener) {
            if (exit === null) listeners.push(listener);
            else listener(exit);
          },
          terminate: () => void child.kill(),
          kill() {
            killed = true;
            if (exit === null) process.kill(pid, 'SIGKILL');
          },
        });
      });
    });
  }
}
