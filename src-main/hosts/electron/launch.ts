/**
 * Opens the desktop app from plain Node: for the command line, which must not load Electron itself.
 */
import { spawn } from 'node:child_process';
import { packageRoot } from '../../services/package-root.ts';

export interface LaunchOptions {
  /** Electron's executable. */
  electronPath: string;
  /** Absolute. */
  dataDir: string;
}

/**
 * A terminal sends these to Electron, too, as a member of its process group. Passed on they would
 * arrive twice, and Chromium takes a second one as the wish to be ended at once.
 */
const SHARED_SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGHUP'];
/**
 * As shells count it: 128 and the signal's number; Electron is never ended by another than these.
 */
const SIGNAL_EXIT_CODE = 130;

/**
 * Runs until the window is closed. Resolves with Electron's exit code; 1 if it could not be run at
 * all.
 */
export function startApp(options: LaunchOptions): Promise<number> {
  const child = spawn(options.electronPath, [packageRoot()], {
    env: windowEnvironment(process.env, options.dataDir),
    stdio: 'inherit',
  });
  // The app stops its nodes in its own time, and its end is awaited.
  const ignore = () => {};
  const passOn = () => void child.kill('SIGTERM');
  for (const signal of SHARED_SIGNALS) process.on(signal, ignore);
  process.on('SIGTERM', passOn);
  return new Promise<number>((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', (code) => resolve(code ?? SIGNAL_EXIT_CODE));
  }).finally(() => {
    for (const signal of SHARED_SIGNALS) process.off(signal, ignore);
    process.off('SIGTERM', passOn);
  });
}

/** With ELECTRON_RUN_AS_NODE, as some editors' terminals set it, Electron would open no window. */
export function windowEnvironment(env: NodeJS.ProcessEnv, dataDir: string): NodeJS.ProcessEnv {
  const { ELECTRON_RUN_AS_NODE: _, ...rest } = env;
  return { ...rest, RAFTDECK_DATA_DIR: dataDir };
}
