import { defaultDataDir } from '../../supervisor/data-dir.ts';
import { hasDisplay } from './display.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './output.ts';
import { Shutdown } from './shutdown.ts';

export interface ServeOptions {
  port?: number;
  /** Open the address in a browser. */
  open: boolean;
  /** Absolute. */
  dataDir?: string;
}

/** `raftdeck serve`: the app for a browser, until a signal ends it. Resolves with the exit code. */
export async function runServe(options: ServeOptions, output: Output): Promise<number> {
  const shutdown = new Shutdown();
  try {
    const { startBrowserHost } = await import('../browser/main.ts');
    const host = await startBrowserHost({
      // Without a screen a text browser would take over the terminal.
      open: options.open && hasDisplay(process.platform, process.env),
      dataDir: options.dataDir ?? defaultDataDir(),
      ...(options.port === undefined ? {} : { port: options.port }),
    });
    output.out(`Raftdeck is at ${host.url}\n`);
    output.err('Ctrl-C stops it.\n');
    await shutdown.asked;
    const closed = host.close().then(() => true);
    const isClosed = await Promise.race([closed, shutdown.forced.then(() => false)]);
    return isClosed ? EXIT_OK : EXIT_FAILURE;
  } finally {
    shutdown.dispose();
  }
}
