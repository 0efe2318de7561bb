import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nodePaths } from './layout.ts';
import { writePidFile } from './pid-file.ts';
import { ClusterRegistry } from './registry.ts';
import { openStandalone } from './standalone.ts';
import { tempDir } from './testing/fixtures.ts';

async function openRegistry(): Promise<ClusterRegistry> {
  return ClusterRegistry.open(await tempDir());
}

describe('cluster registry', () => {
  it('makes "dev" of three nodes on the first run only', async () => {
    const registry = await openRegistry();
    const dev = await registry.createDefault();
    expect(dev?.nodes).toHaveLength(3);
    expect((await registry.list()).clusters).toEqual([dev]);
    await registry.delete('dev', { deleteData: true });
    expect(await registry.createDefault()).toBeNull();
    expect(await registry.list()).toEqual({ clusters: [], broken: [] });
  });

  it('gives clusters ids and ports of their own, though none of them runs', async () => {
    const registry = await openRegistry();
    const a = await registry.create({ name: 'My Test!', nodes: 3 });
    const b = await registry.create({ name: 'my test', nodes: 5 });
    expect([a.id, b.id]).toEqual(['my-test', 'my-test-2']);
    const ports = [...a.nodes, ...b.nodes].flatMap((n) => [n.clientPort, n.peerPort]);
    expect(new Set(ports).size).toBe(16);
    const basePort = b.nodes[0]?.clientPort ?? 0;
    await expect(registry.create({ name: 'c', nodes: 1, basePort })).rejects.toMatchObject({
      code: 'PortInUse',
    });
  });

  it('refuses bad input before anything is written', async () => {
    const registry = await openRegistry();
    for (const bad of [
      { name: ' ', nodes: 3 },
      { name: 'x', nodes: 0 },
      { name: 'x', nodes: 99 },
    ]) {
      await expect(registry.create(bad)).rejects.toMatchObject({ code: 'DefinitionInvalid' });
    }
    expect((await registry.list()).clusters).toEqual([]);
    expect(existsSync(join(registry.dataDir, 'clusters'))).toBe(false);
  });

  it('renames in place and keeps id and ports', async () => {
    const registry = await openRegistry();
    const before = await registry.create({ name: 'a', nodes: 1 });
    expect(await registry.rename('a', 'b')).toEqual({ ...before, name: 'b' });
    expect(await registry.get('a')).toEqual({ ...before, name: 'b' });
    await expect(registry.rename('a', '')).rejects.toMatchObject({ code: 'DefinitionInvalid' });
    for (const id of ['nope', '../a', '']) {
      await expect(registry.get(id)).rejects.toMatchObject({ code: 'ClusterNotFound' });
    }
  });

  it('keeps the data of a forgotten cluster unless told otherwise', async () => {
    const registry = await openRegistry();
    await registry.create({ name: 'kept', nodes: 1 });
    await registry.create({ name: 'gone', nodes: 1 });
    await registry.delete('kept', { deleteData: false });
    await registry.delete('gone', { deleteData: true });
    expect((await registry.list()).clusters).toEqual([]);
    expect(existsSync(registry.clusterDir('kept'))).toBe(true);
    expect(existsSync(registry.clusterDir('gone'))).toBe(false);
    expect((await registry.create({ name: 'kept', nodes: 1 })).id).toBe('kept-2');
  });

  it('deletes no cluster of which a node lives', async () => {
    const registry = await openRegistry();
    const { nodes } = await registry.create({ name: 'a', nodes: 1 });
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    await once(child, 'spawn');
    onTestFinished(() => void child.kill('SIGKILL'));
    if (nodes[0] === undefined || child.pid === undefined) throw new Error('one node, one child');
    const paths = nodePaths(registry.clusterDir('a'), nodes[0]);
    await mkdir(paths.nodeDir, { recursive: true });
    await writePidFile(paths.pidFile, child.pid, []);
    await expect(registry.delete('a', { deleteData: true })).rejects.toMatchObject({
      code: 'ClusterRunning',
      message: expect.stringContaining(`pid ${child.pid}`),
    });
    expect((await registry.list()).clusters).toHaveLength(1);
  });

  it('lists a corrupt definition beside the sound ones', async () => {
    const registry = await openRegistry();
    await registry.create({ name: 'sound', nodes: 1 });
    const dir = registry.clusterDir('broken');
    await mkdir(dir);
    await writeFile(join(dir, 'cluster.json'), '{');
    const { clusters, broken } = await registry.list();
    expect(clusters.map((c) => c.id)).toEqual(['sound']);
    expect(broken).toEqual([{ id: 'broken', error: expect.stringContaining(dir) }]);
    expect((await registry.create({ name: 'broken', nodes: 1 })).id).toBe('broken-2');
  });

  it('holds its folder for one process', async () => {
    const registry = await openRegistry();
    await expect(ClusterRegistry.open(registry.dataDir)).rejects.toMatchObject({
      code: 'DataDirInUse',
    });
    await registry.close();
    await (await ClusterRegistry.open(registry.dataDir)).close();
  });
});

describe('standalone cluster', () => {
  it('is made once and found again, whether or not its size is told', async () => {
    const dataDir = join(await tempDir(), 'new');
    const first = await openStandalone({ dataDir, nodes: 5 });
    await first.lock.release();
    for (const nodes of [undefined, 5]) {
      const again = await openStandalone({ dataDir, ...(nodes ? { nodes } : {}) });
      expect(again).toMatchObject({ definition: first.definition, isNew: false });
      await again.lock.release();
    }
  });

  it('is not reshaped by flags, and lets go of the folder when it refuses', async () => {
    const dataDir = await tempDir();
    const { lock, definition } = await openStandalone({ dataDir });
    await lock.release();
    const base = definition.nodes[0]?.clientPort ?? 0;
    await expect(openStandalone({ dataDir, nodes: 5 })).rejects.toThrow('3 nodes, not of 5');
    await expect(openStandalone({ dataDir, basePort: 9 })).rejects.toThrow(`base port ${base}`);
    await (await openStandalone({ dataDir })).lock.release();
  });
});
