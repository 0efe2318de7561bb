import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { TestClient } from '../support/client.ts';
import { etcdctl, freeBasePort } from '../support/cluster.ts';
import { NodeProcess, url } from '../support/members.ts';
import { raftdeck, requireBuild, tempDir } from './raftdeck.ts';

requireBuild();

function node(flags: string[], env: NodeJS.ProcessEnv = {}): NodeProcess {
  const started = new NodeProcess(flags, env);
  onTestFinished(async () => {
    await started.kill();
  });
  return started;
}

function connect(port: number): TestClient {
  const client = new TestClient(url(port));
  onTestFinished(() => client.close());
  return client;
}

test.each([
  [['--no-such-flag'], {}, 'unknown flag --no-such-flag', 'See raftdeck node --help.'],
  [['--max-txn-op=1'], {}, 'unknown flag --max-txn-op', 'Did you mean --max-txn-ops?'],
  [['--cert-file=x'], {}, 'unknown flag --cert-file', "It is etcd's. TLS is not supported here."],
  [[], { ETCD_NO_SUCH: 'x' }, 'unknown environment variable ETCD_NO_SUCH', 'ETCD_*'],
  [[], { ETCD_AUTH_TOKEN: 'jwt' }, 'variable ETCD_AUTH_TOKEN', 'Authentication is not supported'],
  [[], { ETCD_ELECTION_TIMEOUT: 'soon' }, 'ETCD_ELECTION_TIMEOUT "soon"', undefined],
])('%j with %j: exit code 2, and nothing is touched', async (flags, env, message, hint) => {
  const dir = await tempDir();
  const log = join(dir, 'node.log');
  const args = ['--data-dir', join(dir, 'data'), '--log-outputs', log, ...flags];
  const { code, stderr } = await node(args, env).exit;
  expect(code).toBe(2);
  const [first, second, ...rest] = stderr.split('\n');
  expect(first).toContain(message);
  if (hint === undefined) expect(second).toBe('');
  else expect(second).toContain(hint);
  expect(rest.join('')).toBe('');
  expect(readdirSync(dir)).toEqual([]);
});

test('variables alone start a node, and a flag wins over its variable', async () => {
  const dir = await tempDir();
  const base = await freeBasePort(2);
  const env = {
    ETCD_NAME: 'from-env',
    ETCD_DATA_DIR: join(dir, 'data'),
    ETCD_LISTEN_CLIENT_URLS: url(base),
    ETCD_ADVERTISE_CLIENT_URLS: url(base),
    ETCD_LISTEN_PEER_URLS: url(base + 1),
    ETCD_INITIAL_ADVERTISE_PEER_URLS: url(base + 1),
    ETCD_INITIAL_CLUSTER: `from-env=${url(base + 1)}`,
    ETCD_MAX_TXN_OPS: '2',
    ETCD_MAX_REQUEST_BYTES: '2000',
    ETCDCTL_API: '3',
    ETCDCTL_WHATEVER: 'x',
  };
  const started = node(['--max-request-bytes=1000'], env);
  await started.says('serving clients');
  expect(existsSync(join(dir, 'data/member'))).toBe(true);
  const client = connect(base);
  await client.put('key', 'v');
  await expect(client.put('key', 'v'.repeat(1_500))).rejects.toMatchObject({
    details: 'etcdserver: request is too large',
  });
  const { stdout } = etcdctl([url(base)], 'member', 'list');
  expect(stdout).toContain('from-env');
});

test('idle watchers hear of progress as often as the flag says', async () => {
  const dir = await tempDir();
  const base = await freeBasePort(2);
  const flags = ['--data-dir', join(dir, 'data'), '--listen-client-urls', url(base)];
  flags.push('--listen-peer-urls', url(base + 1));
  flags.push('--experimental-watch-progress-notify-interval=150ms');
  await node(flags).says('serving clients');
  const client = connect(base);
  await client.put('seen', 'v');
  const times: number[] = [];
  const stream = client.watch({ key: 'nothing', progressNotify: true }, (response) => {
    if (!response.created && response.events.length === 0) times.push(performance.now());
  });
  onTestFinished(() => stream.cancel());
  const started = performance.now();
  await expect.poll(() => times.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
  // The default is ten minutes.
  expect((times[2] as number) - started).toBeLessThan(20_000);
});

test("a supervisor's ETCD_* variables stay out of its nodes", async () => {
  const dir = await tempDir();
  // The first would keep a node from starting, the second would make it refuse every put.
  const env = { ETCD_NO_SUCH_SETTING: 'x', ETCD_MAX_REQUEST_BYTES: '1' };
  const app = raftdeck(['up', '--json', '--nodes', '1', '--data-dir', dir], env);
  const { endpoints } = JSON.parse(await app.firstLine()) as { endpoints: string[] };
  const put = etcdctl(endpoints, 'put', 'key', 'value');
  expect(put.stdout).toBe('OK\n');
  app.process.kill('SIGTERM');
  expect((await app.exit).code).toBe(0);
});
