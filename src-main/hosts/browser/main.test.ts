import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode } from '@msgpack/msgpack';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { ClusterSummary } from '../../contract/views.ts';
import type { ServerFrame } from '../../contract/wire.ts';
import { processInfo } from '../../supervisor/process-info.ts';
import { startBrowserHost } from './main.ts';

const ETCD = process.env.ETCD_PATH ?? '/usr/bin/etcd';
const hasEtcd = existsSync(ETCD);
if (!hasEtcd) console.warn(`SKIPPED: the browser host over a real etcd. There is none at ${ETCD}.`);

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-host-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** The clusters as a page is told them, until one list holds. */
async function clustersWhere(
  url: URL,
  holds: (clusters: ClusterSummary[]) => boolean,
): Promise<ClusterSummary[]> {
  const entered = await fetch(url);
  const cookie = (entered.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const socket = new WebSocket(`ws://${url.host}/ws`, { headers: { cookie, origin: url.origin } });
  try {
    return await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('closed')));
      socket.on('open', () => {
        socket.send(encode({ t: 'open', id: 1, name: 'clusters.follow', input: {}, credits: 500 }));
      });
      socket.on('message', (data: Buffer) => {
        const frame = decode(data) as ServerFrame;
        if (frame.t !== 'items') return;
        const found = (frame.items as ClusterSummary[][]).find(holds);
        if (found !== undefined) resolve(found);
      });
    });
  } finally {
    socket.removeAllListeners('close');
    socket.close();
  }
}

/** Of the nodes below a data folder that have a process. */
async function nodePids(dataDir: string): Promise<number[]> {
  const names = await readdir(dataDir, { recursive: true });
  const files = names.filter((name) => name.endsWith('node.pid'));
  const read = async (name: string) => await readFile(join(dataDir, name), 'utf8');
  return Promise.all(files.map(async (name) => JSON.parse(await read(name)).pid as number));
}

describe('startBrowserHost', () => {
  it.skipIf(!hasEtcd)(
    'creates and starts the default cluster on the first run, and stops it when closed',
    async () => {
      const dataDir = join(dir, 'data');
      const engine = { kind: 'binary', path: ETCD } as const;
      const host = await startBrowserHost({ open: false, dataDir, engine });
      const up = await clustersWhere(new URL(host.url), ([dev]) => dev?.health === 'healthy');
      expect(up).toMatchObject([
        { id: 'dev', name: 'dev', kind: 'local', nodeCount: 3, upCount: 3 },
      ]);
      const pids = await nodePids(dataDir);
      expect(pids).toHaveLength(3);
      await host.close();
      // Not by their ports: another cluster may have taken them by now.
      expect(await Promise.all(pids.map(processInfo))).toEqual([null, null, null]);
      await expect(fetch(host.url)).rejects.toThrow();
    },
  );

  it('leaves a foreign folder as it is', async () => {
    await writeFile(join(dir, 'thesis.tex'), 'x');
    await expect(startBrowserHost({ open: false, dataDir: dir })).rejects.toMatchObject({
      code: 'DataDirForeign',
    });
  });

  it('gives the data folder back when its port is taken', async () => {
    const [first, second] = [join(dir, 'first'), join(dir, 'second')];
    const engine = { kind: 'binary', path: join(dir, 'no-etcd') } as const;
    const host = await startBrowserHost({ open: false, dataDir: first, engine });
    const port = Number(new URL(host.url).port);
    const clash = startBrowserHost({ open: false, dataDir: second, engine, port });
    await expect(clash).rejects.toMatchObject({ code: 'PortInUse' });
    const again = await startBrowserHost({ open: false, dataDir: second, engine });
    await again.close();
    await host.close();
  });
});
