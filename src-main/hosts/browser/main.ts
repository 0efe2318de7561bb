/**
 * The app behind a loopback web server: for dev containers, remote boxes, and tests in a real
 * browser.
 *
 * How a page talks to it. The address has a token (`/?token=…`), which the first request trades for
 * an HttpOnly cookie; the page then opens `new WebSocket(new URL('ws', location.href))` (with ws:
 * for http:) with binaryType 'arraybuffer'. Each binary message is one ClientFrame or ServerFrame
 * of contract/wire.ts in MessagePack (`encode(frame, { ignoreUndefined: true })`, `decode(new
 * Uint8Array(data))`). Bytes are Uint8Array, ids are the client's own numbers, calls and streams
 * share them. A stream sends one `items` frame per credit. The policy in ../security/policy.ts
 * allows no inline script and no `style="…"` in templates (Svelte's `style:name` directives are
 * fine), no data from elsewhere, and Trusted Types through Svelte's policy alone.
 *
 * To look at a view with real data: `npm run build`, then `bin/raftdeck serve --no-open`; or, with
 * Debian's etcd as the nodes of new local clusters, `node dist/main/hosts/browser/dev.js --etcd
 * /usr/bin/etcd`.
 */
import { join } from 'node:path';
import { createApp } from '../../services/app.ts';
import { packageRoot } from '../../services/package-root.ts';
import type { Engine } from '../../supervisor/definition.ts';
import { lineLogger } from '../security/logger.ts';
import { StaticFiles } from '../security/static-files.ts';
import { openUrl } from './open-url.ts';
import { BrowserServer } from './server.ts';

export interface BrowserHostOptions {
  /** Absent or 0: a free one. */
  port?: number;
  /** Open the default browser; the caller knows whether there is a display. */
  open: boolean;
  /** Absolute. */
  dataDir: string;
  /** What new local clusters run; the bundled node if absent. */
  engine?: Engine;
  /** The built renderer; dist/renderer if absent. */
  rendererDir?: string;
}

export interface BrowserHost {
  /** With the token. */
  url: string;
  /** Ends the sessions and stops the local nodes. */
  close(): Promise<void>;
}

/**
 * Serves the app on 127.0.0.1 and starts the clusters that should run, on the first run a cluster
 * `dev` of three nodes. Resolves as soon as the page can be opened. Throws PortInUse,
 * DataDirForeign, DataDirUnwritable, DataDirInUse.
 */
export async function startBrowserHost(options: BrowserHostOptions): Promise<BrowserHost> {
  const { dataDir, engine } = options;
  const logger = lineLogger('warn', (line) => process.stderr.write(line));
  const app = await createApp({
    dataDir,
    hostKind: 'browser',
    logger,
    ...(engine === undefined ? {} : { engine }),
  });
  const rendererDir = options.rendererDir ?? join(packageRoot(), 'dist', 'renderer');
  const server = new BrowserServer(app, new StaticFiles(rendererDir), logger);
  let url: string;
  try {
    url = await server.listen(options.port ?? 0);
  } catch (error) {
    await app.close();
    throw error;
  }
  const started = app.startDefault().catch((error: unknown) => {
    logger.error('the local clusters did not start', { error: String(error) });
  });
  if (options.open) openUrl(url);
  return {
    url,
    async close() {
      await server.close();
      // Half-started nodes are stopped once they are known.
      await started;
      await app.close();
    },
  };
}
