import { defaultDataDir } from '../../supervisor/data-dir.ts';
import { findElectron, whyNoWindow } from './electron-binary.ts';
import { EXIT_OK, type Output } from './output.ts';
import { runServe } from './serve.ts';
import { Shutdown } from './shutdown.ts';

/**
 * An Electron that ends with an error this soon could not open its window (missing libraries, no
 * GPU).
 */
const STILLBORN_MS = 5_000;

export interface AppOptions {
  /** Absolute. */
  dataDir?: string;
}

/**
 * `raftdeck app`: the window where there can be one, else the browser host and one line that says
 * why.
 */
export async function runApp(options: AppOptions, output: Output): Promise<number> {
  const dataDir = options.dataDir ?? defaultDataDir();
  let why = whyNoWindow(process.platform, process.env, process.getuid?.() === 0);
  if (why === null) {
    const electron = await findElectron(process.env, output);
    if ('missing' in electron) {
      why = electron.missing;
    } else {
      const { exitCode, isStillborn } = await runWindow(electron.path, dataDir);
      if (!isStillborn) return exitCode;
      why = `Electron ended at once with exit code ${exitCode}`;
    }
  }
  output.err(`No Electron window: ${why}. Serving the app to a browser instead.\n`);
  return runServe({ open: true, dataDir }, output);
}

async function runWindow(
  electronPath: string,
  dataDir: string,
): Promise<{ exitCode: number; isStillborn: boolean }> {
  const shutdown = new Shutdown();
  const startedAtMs = performance.now();
  try {
    const { startApp } = await import('../electron/launch.ts');
    const exitCode = await startApp({ electronPath, dataDir });
    const isQuick = performance.now() - startedAtMs < STILLBORN_MS;
    // Who presses Ctrl-C wants no browser instead.
    return { exitCode, isStillborn: exitCode !== EXIT_OK && isQuick && !shutdown.isAsked };
  } finally {
    shutdown.dispose();
  }
}
