import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { raftdeck, requireBuild, tempDir } from './raftdeck.ts';

beforeAll(requireBuild);

describe('the command line', () => {
  it.each([
    [['--help'], ['app', 'serve', 'up', 'node', 'Exit codes']],
    [
      ['app', '--help'],
      ['--data-dir', 'Examples'],
    ],
    [
      ['serve', '--help'],
      ['--port', '--no-open', '--data-dir', 'token'],
    ],
    [
      ['up', '--help'],
      ['--nodes', '--base-port', '--json', 'N+2i+1'],
    ],
    [
      ['node', '--help'],
      ['--listen-client-urls', '--initial-cluster', '--quota-backend-bytes'],
    ],
  ])('explains itself: %s', async (args, words) => {
    const { code, stdout } = await raftdeck(args).exit;
    expect(code).toBe(0);
    for (const word of words) expect(stdout).toContain(word);
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(
      await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
    ) as { version: string };
    expect(await raftdeck(['--version']).exit).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  it.each([
    [['up', '--nodess', '3'], "unknown option '--nodess'", 'did you mean --nodes?'],
    [['servr'], "unknown command 'servr'", 'did you mean serve?'],
    [['up', '--nodes', '0'], "'--nodes <n>'", 'see raftdeck up --help'],
    [['up', '--nodes', 'three'], 'whole number', 'see raftdeck up --help'],
    [['up', '--base-port', '70000'], 'from 1 to 65535', 'see raftdeck up --help'],
    [['up', 'extra'], 'too many arguments', 'see raftdeck up --help'],
    [['serve', '--port'], 'argument missing', 'see raftdeck serve --help'],
    [['--bogus'], "unknown option '--bogus'", 'see raftdeck --help'],
  ])('refuses %s as wrong usage', async (args, message, hint) => {
    const { code, stdout, stderr } = await raftdeck(args).exit;
    expect(code).toBe(2);
    expect(stdout).toBe('');
    const [first, second, ...rest] = stderr.split('\n');
    expect(first).toMatch(/^raftdeck: /);
    expect(first).toContain(message);
    expect(second).toContain(`hint: ${hint}`);
    expect(rest).toEqual(['']);
  });

  it('refuses an unknown flag of a node', async () => {
    const { code, stderr } = await raftdeck(['node', '--nam', 'x']).exit;
    expect(code).toBe(2);
    expect(stderr).toBe('raftdeck node: unknown flag --nam\n  Did you mean --name?\n');
  });
});

describe('bad folders and ports', () => {
  it('a folder of something else is refused and left alone', async () => {
    const dir = await tempDir();
    await writeFile(join(dir, 'thesis.txt'), 'precious');
    const { code, stderr, stdout } = await raftdeck(['up', '--data-dir', dir]).exit;
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain(`raftdeck: ${dir} is not a Raftdeck data folder`);
    expect(await readdir(dir)).toEqual(['thesis.txt']);
  });

  it.runIf(process.platform === 'linux')('a folder that nobody can write to is named', async () => {
    const { code, stderr } = await raftdeck(['up', '--data-dir', '/proc/raftdeck']).exit;
    expect(code).toBe(1);
    expect(stderr).toContain('cannot use /proc/raftdeck as data folder');
  });

  it('a corrupt definition is named and left alone', async () => {
    const dir = join(await tempDir(), 'up');
    await mkdir(dir);
    await writeFile(join(dir, 'raftdeck.json'), '{"raftdeck":1,"kind":"up"}');
    await writeFile(join(dir, 'cluster.json'), '{"schemaVersion":1,');
    const { code, stderr } = await raftdeck(['up', '--data-dir', dir]).exit;
    expect(code).toBe(1);
    expect(stderr).toContain(`raftdeck: ${join(dir, 'cluster.json')} is not a cluster definition`);
    expect(await readFile(join(dir, 'cluster.json'), 'utf8')).toBe('{"schemaVersion":1,');
  });

  it('a port that somebody has is named with the node, and nothing is started', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    const { port } = server.address() as { port: number };
    const dir = await tempDir();
    const args = ['up', '--data-dir', dir, '--nodes', '1', '--base-port', String(port - 1)];
    const { code, stderr, stdout } = await raftdeck(args).exit;
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain(`raftdeck: peer port ${port} of node n1 is in use`);
    if (process.platform === 'linux') expect(stderr).toContain(`pid ${process.pid}`);
    expect(server.listening).toBe(true);
    expect(await readdir(dir)).not.toContain('nodes');
  });
});
