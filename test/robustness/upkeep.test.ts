import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { until } from '../support/cluster.ts';
import { Members } from '../support/members.ts';

let members: Members;
afterEach(() => members.stop());

const MIB = 1024 * 1024;

test('--auto-compaction-retention in seconds compacts, and what is current stays', async () => {
  const flags = ['--auto-compaction-mode=periodic', '--auto-compaction-retention=2s'];
  members = await Members.start({ count: 3, flags });
  const client = members.client(0);
  for (let i = 0; i < 20; i++) await client.put('key', `v${i}`);
  const old = (await client.put('key', 'last')).header?.revision ?? 0;
  expect((await client.at('key', old - 5)).kvs[0]?.value.toString()).toBe('v15');
  const refused = await until('the history is gone', () =>
    client.at('key', old - 5).then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
  expect(refused).toMatchObject({
    code: status.OUT_OF_RANGE,
    details: 'etcdserver: mvcc: required revision has been compacted',
  });
  for (const i of [0, 1, 2]) {
    expect((await members.client(i).get('key')).kvs[0]?.value.toString()).toBe('last');
  }
});

test('defragment gives room back while reads and writes go on', async () => {
  members = await Members.start({ count: 1, flags: ['--max-request-bytes', String(2 * MIB)] });
  const client = members.client(0);
  const value = 'v'.repeat(MIB);
  let revision = 0;
  for (let i = 0; i < 240; i++) {
    const { header } = await client.put(`key/${i % 80}`, `${i} ${value}`);
    revision = header?.revision ?? 0;
  }
  await client.put('small', 'v');
  await client.compact(revision);
  const stateDir = join(members.dataDir(0), 'member', 'state');
  const files = () => readdirSync(stateDir).filter((name) => name.endsWith('.mdb'));
  const bytes = () => files().reduce((sum, name) => sum + statSync(join(stateDir, name)).size, 0);
  const before = await until('the history is on disk', () =>
    bytes() > 200 * MIB ? bytes() : undefined,
  );

  let isRunning = true;
  const took: Record<string, number[]> = { linearizable: [], serializable: [], put: [] };
  const loop = async (kind: string, call: () => Promise<unknown>) => {
    while (isRunning) {
      const started = performance.now();
      await call();
      took[kind]?.push(performance.now() - started);
    }
  };
  const loops = [
    loop('linearizable', () => client.get('small')),
    loop('serializable', () => client.get('small', true)),
    loop('put', () => client.put('other', 'v')),
  ];
  const defragmented = client.defragment();
  await until('the copy is being written', () => files().length === 2 || undefined);
  const seen = Object.values(took).map(({ length }) => length);
  await defragmented;
  const during = Object.values(took).map(({ length }, i) => length - (seen[i] ?? 0));
  isRunning = false;
  await Promise.all(loops);

  for (const count of during) expect(count).toBeGreaterThan(5);
  for (const times of Object.values(took)) expect(Math.max(...times)).toBeLessThan(1_000);
  expect(files()).toHaveLength(1);
  expect(bytes()).toBeLessThan(before / 2);
  expect((await client.get('key/79')).kvs[0]?.value.toString()).toBe(`239 ${value}`);
  const { dbSize, dbSizeInUse } = await client.status();
  expect(dbSize).toBeLessThan(before / 2);
  expect(dbSizeInUse).toBeGreaterThan(79 * MIB);
});
