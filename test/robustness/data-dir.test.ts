import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { open as openLmdb } from 'lmdb';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { TestClient } from '../support/client.ts';
import { freeBasePort, removeDir, tempDir, until } from '../support/cluster.ts';
import { NodeProcess, url } from '../support/members.ts';

let dir: string;
let base: number;
const processes: NodeProcess[] = [];

/** A folder with some data, made by a real node; tests work on copies. */
beforeAll(async () => {
  dir = tempDir();
  base = await freeBasePort(4);
  const first = start(join(dir, 'made'));
  await first.says('serving clients');
  const client = new TestClient(url(base));
  await until('a put', () => client.put('some', 'data').catch(() => undefined));
  client.close();
  expect((await first.kill('SIGTERM')).code).toBe(0);
});
afterEach(async () => {
  for (const node of processes.splice(0)) await node.kill();
});
afterAll(() => removeDir(dir));

/** A node on the first two ports, or on the next two as another member. */
function start(dataDir: string, flags: string[] = [], ports = base): NodeProcess {
  const all = ['--data-dir', dataDir, '--listen-client-urls', url(ports)];
  all.push('--listen-peer-urls', url(ports + 1), ...flags);
  const node = new NodeProcess(all);
  processes.push(node);
  return node;
}

function copy(name: string): string {
  const to = join(dir, name);
  cpSync(join(dir, 'made'), to, { recursive: true, preserveTimestamps: true });
  return to;
}

/** Every file with its content; LMDB's lock file lives in shared memory and does not count. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    files
      .filter((file) => file.isFile() && !file.name.endsWith('-lock'))
      .map((file) => {
        const path = join(file.parentPath, file.name);
        return [path, createHash('sha256').update(readFileSync(path)).digest('hex')];
      })
      .sort(),
  );
}

async function refused(dataDir: string, flags: string[] = []): Promise<string> {
  const before = contents(dir);
  const { code, stderr } = await start(dataDir, flags).exit;
  expect(code).toBe(2);
  expect(contents(dir)).toEqual(before);
  return stderr;
}

const says = (stderr: string, message: RegExp, hint: RegExp) => {
  const lines = stderr.trimEnd().split('\n');
  expect(lines.at(-2)).toMatch(/^raftdeck node: /);
  expect(lines.at(-2)).toMatch(message);
  expect(lines.at(-1)).toMatch(hint);
};

test('a second process is kept out while the first lives, and takes over when it is killed', async () => {
  const folder = copy('locked');
  const first = start(folder);
  await first.says('serving clients');
  const flags = ['--initial-advertise-peer-urls', url(base + 1)];
  const second = start(folder, flags, base + 2);
  const { code, stderr } = await second.exit;
  expect(code).toBe(2);
  says(stderr, new RegExp(`in use by process ${first.pid}$`), /Stop process \d+, or use another/);
  expect(first.isRunning).toBe(true);

  await first.kill('SIGKILL');
  await start(folder, flags, base + 2).says('serving clients');
});

test('of two that start at once on a new folder exactly one runs', async () => {
  const folder = join(dir, 'race');
  const flags = ['--initial-advertise-peer-urls', url(base + 1)];
  const nodes = [start(folder, flags), start(folder, flags, base + 2)];
  const loser = await Promise.race(nodes.map((node) => node.exit));
  expect(loser.code).toBe(2);
  expect(loser.stderr).toMatch(/is in use by process|is being taken by another process/);
  const winner = nodes.find((node) => node.isRunning);
  await winner?.says('serving clients');
});

test.skipIf(process.platform === 'win32')('folders are 0700 whatever the umask says', async () => {
  const folder = join(dir, 'deep', 'er', 'modes');
  // The umask is the process's own and is inherited.
  const before = process.umask(0);
  const node = start(folder);
  process.umask(before);
  await node.says('serving clients');
  const folders = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  expect(folders.length).toBeGreaterThanOrEqual(3);
  for (const path of [folder, ...folders]) expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(node.stderr).not.toContain('can be read by others');
});

test.skipIf(process.platform === 'win32')(
  "wider modes are warned of and kept, as etcd's",
  async () => {
    const folder = copy('wide');
    chmodSync(folder, 0o755);
    chmodSync(join(folder, 'member', 'wal'), 0o750);
    const node = start(folder);
    await node.says('serving clients');
    for (const path of [folder, join(folder, 'member/wal')]) {
      expect(node.stderr).toMatch(new RegExp(`"level":"warn".*"path":"${path}"`));
    }
    expect(statSync(folder).mode & 0o777).toBe(0o755);
  },
);

test('a folder of another member is refused', async () => {
  const flags = ['--initial-advertise-peer-urls', url(base + 3)];
  says(await refused(copy('other-member'), flags), /belongs to member [0-9a-f]+/, /--data-dir/);
});

test('a folder of another cluster is refused', async () => {
  const flags = ['--initial-cluster-token', 'another'];
  says(await refused(copy('other-cluster'), flags), /belongs to member/, /cluster token/);
});

test('a folder that a newer version marked is refused', async () => {
  const folder = copy('newer-marker');
  const marker = join(folder, 'raftdeck-node.json');
  const text = readFileSync(marker, 'utf8').replace('"format": 1', '"format": 2');
  writeFileSync(marker, text);
  says(await refused(folder), /format 2 is not 1/, /newer version/);
});

test('a log of a newer version is refused', async () => {
  const folder = copy('newer-log');
  const wal = join(folder, 'member', 'wal');
  const segment = join(wal, readdirSync(wal)[0] as string);
  const content = readFileSync(segment);
  content.writeUInt32LE(2, 8);
  content.writeUInt32LE(crc32(content.subarray(0, 24)), 24);
  writeFileSync(segment, content);
  says(await refused(folder), /is of version 2, this node reads 1/, /Start the newer version/);
});

test('a state of a newer version is refused', async () => {
  const folder = copy('newer-state');
  const path = join(folder, 'member', 'state', 'state-000001.mdb');
  const options = { encoding: 'binary', keyEncoding: 'binary' } as const;
  const root = openLmdb<Buffer, Buffer>({ path, ...options, noSubdir: true, maxDbs: 16 });
  const meta = root.openDB<Buffer, Buffer>({ name: 'meta', ...options });
  const key = Buffer.from('\0applied');
  const row = Buffer.from(meta.get(key) as Buffer);
  row[0] = 9;
  await meta.put(key, row);
  await root.close();
  says(
    await refused(folder),
    /state is in format 9, this version knows 1/,
    /version that wrote it/,
  );
});

test("strangers' folders and files are refused", async () => {
  const thesis = join(dir, 'thesis');
  mkdirSync(thesis);
  writeFileSync(join(thesis, 'thesis.tex'), 'x');
  says(await refused(thesis), /not ours \(thesis\.tex\)/, /Nothing was changed/);
  const etcd = join(dir, 'etcd');
  mkdirSync(join(etcd, 'member', 'snap'), { recursive: true });
  says(await refused(etcd), /belongs to an etcd server/, /Start etcd on it/);
  const file = join(thesis, 'thesis.tex');
  says(await refused(file), /data folder .*thesis\.tex/, /Choose a folder/);
  says(await refused(join(file, 'below')), /data folder .*below/, /Choose a folder/);
});

test.skipIf(process.platform === 'win32')('a folder that may only be read is refused', async () => {
  const folder = join(dir, 'read-only');
  mkdirSync(folder);
  chmodSync(dir, 0o755);
  chmodSync(folder, 0o555);
  // Root may write anywhere, so the node is started as somebody else.
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  for (const path of [folder, join(folder, 'below')]) {
    const flags = ['--data-dir', path, '--listen-client-urls', url(base)];
    const node = new NodeProcess([...flags, '--listen-peer-urls', url(base + 1)], {}, nobody);
    processes.push(node);
    const { code, stderr } = await node.exit;
    expect(code).toBe(2);
    says(stderr, /permission denied/, /this user may write to with --data-dir/);
  }
  expect(readdirSync(folder)).toEqual([]);
});

test('a folder whose log is gone is refused rather than begun anew', async () => {
  const folder = copy('no-log');
  rmSync(join(folder, 'member', 'wal'), { recursive: true });
  says(await refused(folder), /no write-ahead log/, /add it anew/);
});

test('what a crash left half-made is gone after a start', async () => {
  const folder = copy('leftovers');
  const left = [
    'member/incoming-12.snapshot',
    'member/state/CURRENT.tmp',
    'member/state/state-000002.mdb',
    'member/wal/0000000000000009-0000000000000009.wal.tmp',
    'raftdeck-node.json.tmp',
  ];
  for (const name of left) writeFileSync(join(folder, name), 'half');
  const node = start(folder);
  await node.says('serving clients');
  const names = readdirSync(folder, { recursive: true });
  for (const name of left) expect(names).not.toContain(name);
});
