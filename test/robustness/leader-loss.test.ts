import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { TestClient } from '../support/client.ts';
import { freeBasePort, removeDir, tempDir, type Up, until, up } from '../support/cluster.ts';

const dirs: string[] = [];
const running: Up[] = [];
const clients: TestClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const cluster of running.splice(0)) await cluster.stop();
  for (const dir of dirs.splice(0)) removeDir(dir);
});

async function start(dir: string, port: number): Promise<Up> {
  const cluster = await up(dir, ['--nodes', '3', '--base-port', String(port)]);
  running.push(cluster);
  return cluster;
}

function connect(cluster: Up): TestClient[] {
  const made = cluster.endpoints.map((url) => new TestClient(url));
  clients.push(...made);
  return made;
}

/** The index of the node that leads, by its own word. */
async function leaderOf(members: TestClient[]): Promise<number | undefined> {
  const statuses = await Promise.all(members.map((m) => m.status(1_000).catch(() => undefined)));
  const index = statuses.findIndex(
    (status) => status !== undefined && status.leader === status.header?.memberId,
  );
  return index < 0 ? undefined : index;
}

/** Puts in a row through whichever member answers; what was acknowledged is noted. */
class Writer {
  readonly acknowledged = new Map<string, string>();
  readonly #members: TestClient[];
  #running = true;
  #done: Promise<void>;

  constructor(members: TestClient[], name: string) {
    this.#members = members;
    this.#done = this.#run(name);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  async #run(name: string): Promise<void> {
    for (let i = 0; this.#running; i++) {
      const key = `/writer/${name}/${i}`;
      const member = this.#members[i % this.#members.length] as TestClient;
      try {
        await member.put(key, `value ${i}`, 2_000);
        this.acknowledged.set(key, `value ${i}`);
      } catch {
        // Not acknowledged: it may be there or not.
      }
    }
  }
}

test('kill -9 of the leader during a stream of puts loses no acknowledged put', async () => {
  const dir = tempDir();
  dirs.push(dir);
  const cluster = await start(dir, await freeBasePort(6));
  const members = connect(cluster);
  const writers = ['a', 'b', 'c', 'd'].map((name) => new Writer(members, name));
  const count = () => writers.reduce((sum, writer) => sum + writer.acknowledged.size, 0);

  for (let round = 0; round < 3; round++) {
    const before = count();
    await until('the stream flows', () => count() > before + 100 || undefined);
    const leader = await until('a leader', () => leaderOf(members));
    const pid = (await pids(cluster))[leader] as number;
    process.kill(pid, 'SIGKILL');
    await until('another leader', async () => {
      const now = await leaderOf(members);
      return now !== undefined && (await pids(cluster))[now] !== pid ? now : undefined;
    });
    const after = count();
    await until('puts go on', () => count() > after + 100 || undefined);
  }
  await Promise.all(writers.map((writer) => writer.stop()));

  const expected = new Map(writers.flatMap((writer) => [...writer.acknowledged]));
  expect(expected.size).toBeGreaterThan(300);
  await until('every member is back', async () => {
    const answers = await Promise.all(members.map((m) => m.status(1_000).catch(() => undefined)));
    return answers.every(Boolean) || undefined;
  });
  for (const member of members) {
    const lost: string[] = [];
    for (const [key, value] of expected) {
      const { kvs } = await member.get(key);
      if (kvs[0]?.value.toString() !== value) lost.push(key);
    }
    expect(lost).toEqual([]);
  }
});

/** Pids by node, from the files the supervisor keeps: a restarted node has a new one. */
async function pids(cluster: Up): Promise<number[]> {
  return Promise.all(
    cluster.nodes.map((node) =>
      until(`a pid of ${node.name}`, async () => {
        const file = join(dirname(node.dataDir), 'node.pid');
        const text = await readFile(file, 'utf8').catch(() => '{}');
        return (JSON.parse(text) as { pid?: number }).pid;
      }),
    ),
  );
}

test('a cluster that is killed as a whole comes back with its data on the same folder', async () => {
  const dir = tempDir();
  dirs.push(dir);
  const port = await freeBasePort(6);
  const first = await start(dir, port);
  const [client] = connect(first);
  for (let i = 0; i < 50; i++) await client?.put(`/kept/${i}`, `v${i}`);
  for (const pid of await pids(first)) process.kill(pid, 'SIGSTOP');
  for (const pid of await pids(first)) process.kill(pid, 'SIGKILL');
  first.process.kill('SIGKILL');
  await new Promise((resolve) => first.process.once('exit', resolve));
  running.length = 0;

  const second = await start(dir, port);
  expect(second.endpoints).toEqual(first.endpoints);
  for (const member of connect(second)) {
    // There is a leader as soon as two of them run.
    await until('it serves', () => member.status(500).catch(() => undefined));
    for (let i = 0; i < 50; i += 7) {
      expect((await member.get(`/kept/${i}`)).kvs[0]?.value.toString()).toBe(`v${i}`);
    }
  }
});
