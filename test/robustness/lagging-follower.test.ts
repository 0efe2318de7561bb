import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { TestClient } from '../support/client.ts';
import { freeBasePort, NODE_MAIN, removeDir, tempDir, until } from '../support/cluster.ts';

const processes: ChildProcess[] = [];
const clients: TestClient[] = [];
let dir = '';

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const child of processes.splice(0)) await kill(child);
  removeDir(dir);
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

const NODES = [0, 1, 2];
const url = (port: number) => `http://127.0.0.1:${port}`;

function start(i: number, base: number): ChildProcess {
  const cluster = NODES.map((k) => `m${k}=${url(base + 2 * k + 1)}`).join();
  const flags = ['--name', `m${i}`, '--data-dir', join(dir, `m${i}`)];
  flags.push('--listen-client-urls', url(base + 2 * i));
  flags.push('--listen-peer-urls', url(base + 2 * i + 1), '--initial-cluster', cluster);
  flags.push('--heartbeat-interval', '50', '--election-timeout', '300');
  // So few that what the member missed is gone from the others' logs.
  flags.push('--snapshot-count', '40', '--log-outputs', join(dir, `m${i}.log`));
  const child = spawn(process.execPath, [NODE_MAIN, ...flags], { stdio: 'ignore' });
  processes.push(child);
  return child;
}

test('a member that missed more than the log holds catches up by a snapshot', async () => {
  dir = tempDir();
  const base = await freeBasePort(6);
  const members = NODES.map((i) => start(i, base));
  clients.push(...NODES.map((i) => new TestClient(url(base + 2 * i))));
  const [first, , lagging] = clients as [TestClient, TestClient, TestClient];
  const put = (key: string, value: string) =>
    until(`put ${key}`, () => first.put(key, value, 2_000).catch(() => undefined));
  await put('before', 'it fell');
  await kill(members[2] as ChildProcess);
  for (let i = 0; i < 260; i++) await put(`missed/${i}`, `v${i}`);

  start(2, base);
  const local = (key: string) => lagging.get(key, true, 1_000).catch(() => undefined);
  await until('the last key is there', async () => (await local('missed/259'))?.kvs[0]);
  expect(readFileSync(join(dir, 'm2.log'), 'utf8')).toContain('snapshot installed');
  for (let i = 0; i < 260; i++) {
    expect((await local(`missed/${i}`))?.kvs[0]?.value.toString()).toBe(`v${i}`);
  }
  expect((await local('before'))?.kvs[0]?.value.toString()).toBe('it fell');
});
