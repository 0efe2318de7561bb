/**
 * For work on the app itself: the browser host with etcd's own binary as the nodes of new local
 * clusters.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startBrowserHost } from './main.ts';

const { values } = parseArgs({
  options: {
    etcd: { type: 'string', default: '/usr/bin/etcd' },
    'data-dir': { type: 'string' },
    port: { type: 'string', default: '0' },
  },
});
const dataDir = values['data-dir'] ?? (await mkdtemp(join(tmpdir(), 'raftdeck-dev-')));
const host = await startBrowserHost({
  port: Number(values.port),
  open: false,
  dataDir: resolve(dataDir),
  engine: { kind: 'binary', path: values.etcd },
});
process.stdout.write(`${host.url}\n`);
const stop = () => {
  void host.close().then(() => process.exit(0));
};
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
