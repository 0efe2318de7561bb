import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkDefinition,
  composeDefinition,
  LOCAL_TIMING,
  readDefinition,
  writeDefinition,
} from './definition.ts';
import { nodePaths } from './layout.ts';
import { nodeArgs, nodeEnvironment } from './node-args.ts';
import { tempDir } from './testing/fixtures.ts';

const sample = () => composeDefinition({ id: 'dev', name: 'dev', nodes: 3, basePort: 24_000 });

describe('cluster definition', () => {
  it('comes back as it was written, and leaves no temporary file', async () => {
    const dir = await tempDir();
    const definition = sample();
    await writeDefinition(dir, definition);
    expect(await readDefinition(dir)).toEqual(definition);
    expect(await readdir(dir)).toEqual(['cluster.json']);
  });

  it('lays out ports as base + 2i and base + 2i + 1', () => {
    const ports = sample().nodes.map((node) => [node.clientPort, node.peerPort]);
    expect(ports).toEqual([
      [24_000, 24_001],
      [24_002, 24_003],
      [24_004, 24_005],
    ]);
    expect(sample().timing).toEqual(LOCAL_TIMING);
  });

  it('is null where there is no file', async () => {
    expect(await readDefinition(await tempDir())).toBeNull();
  });

  it.each([
    ['half a file', '{"schemaVersion":1,"id":"d', 'not valid JSON'],
    ['foreign JSON', '{"name":"my-package","version":"1.0.0"}', 'schemaVersion'],
    ['an unknown field', JSON.stringify({ ...sample(), tls: true }), 'tls'],
  ])('refuses %s, names the file and leaves it alone', async (_, text, why) => {
    const dir = await tempDir();
    const file = join(dir, 'cluster.json');
    await writeFile(file, text);
    const error = await readDefinition(dir).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'DefinitionCorrupt' });
    expect(String(error)).toContain(file);
    expect(String(error)).toContain(why);
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('refuses a newer schema with a message that says so', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'cluster.json'), '{"schemaVersion":9}');
    await expect(readDefinition(dir)).rejects.toMatchObject({ code: 'DefinitionVersion' });
  });

  it('refuses a cluster.json that is a folder', async () => {
    const dir = await tempDir();
    await mkdir(join(dir, 'cluster.json'));
    await expect(readDefinition(dir)).rejects.toMatchObject({ code: 'DefinitionCorrupt' });
  });

  it.each([
    ['a data folder outside', { dataDir: '../elsewhere' }, 'inside the cluster folder'],
    ['an absolute data folder', { dataDir: '/etc' }, 'inside the cluster folder'],
    ['a port used twice', { peerPort: 24_002 }, 'port 24002 is used twice'],
    ['a name used twice', { name: 'n2' }, 'node name n2 is used twice'],
    ['a name with a slash', { name: '../n1' }, 'nodes.0.name'],
  ])('refuses %s', (_, change, message) => {
    const { nodes, ...rest } = sample();
    const changed = { ...rest, nodes: nodes.map((n, i) => (i === 0 ? { ...n, ...change } : n)) };
    expect(() => checkDefinition(changed)).toThrow(message);
  });

  it('refuses an election time-out below five heartbeats, as etcd does', () => {
    const timing = { heartbeatMs: 100, electionMs: 499 };
    expect(() => checkDefinition({ ...sample(), timing })).toThrow('5 times');
  });

  it('refuses ports past 65535', () => {
    const compose = () => composeDefinition({ id: 'x', name: 'x', nodes: 3, basePort: 65_533 });
    expect(compose).toThrow('nodes.1');
  });
});

describe('node flags', () => {
  it("give every member, the node's own URLs and etcd's names", () => {
    const definition = sample();
    const node = definition.nodes[1];
    if (node === undefined) throw new Error('three nodes');
    const args = nodeArgs(definition, node, nodePaths('/c', node));
    const flag = (name: string) => args[args.indexOf(name) + 1];
    expect(flag('--name')).toBe('n2');
    expect(flag('--data-dir')).toBe(join('/c', 'nodes', 'n2', 'data'));
    expect(flag('--listen-client-urls')).toBe('http://127.0.0.1:24002');
    expect(flag('--initial-cluster')).toBe(
      'n1=http://127.0.0.1:24001,n2=http://127.0.0.1:24003,n3=http://127.0.0.1:24005',
    );
    expect(flag('--log-outputs')).toBe(join('/c', 'logs', 'n2.log'));
    expect(args).not.toContain('--logger');
    expect(args).not.toContain('--auto-compaction-mode');
  });

  it("leave etcd's variables out of the environment, but not the architecture override", () => {
    const env = {
      PATH: '/bin',
      ETCD_NAME: 'other',
      ETCD_UNSUPPORTED_ARCH: 'arm64',
      NONE: undefined,
    };
    expect(nodeEnvironment(env)).toEqual({ PATH: '/bin', ETCD_UNSUPPORTED_ARCH: 'arm64' });
  });
});
