/** Snapshots as the beginning of a node of ours: of etcd, and of ours. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { onPath, removeDir, tempDir } from '../support/cluster.ts';
import { etcdctlAlone } from './support/etcdctl.ts';
import { saveSnapshot } from './support/restored.ts';
import { startTarget, type Target } from './support/targets.ts';

let dir: string;
const running: Target[] = [];
beforeAll(() => {
  dir = tempDir();
});
afterEach(async () => {
  for (const target of running.splice(0)) await target.stop();
});
afterAll(() => removeDir(dir));

async function start(engine: 'raftdeck' | 'etcd', flags: string[] = []): Promise<Target> {
  const target = await startTarget(engine, flags);
  running.push(target);
  return target;
}

const ctl = (target: Target, ...args: string[]) =>
  etcdctlAlone(['--endpoints', target.address, ...args]);

async function hash(target: Target, revision: number): Promise<number> {
  const text = await ctl(target, 'endpoint', 'hashkv', `--rev=${revision}`, '-w', 'json');
  return JSON.parse(text)[0].HashKV.hash;
}

describe.skipIf(!onPath('etcd') || !onPath('etcdctl'))('a node that begins with a snapshot', () => {
  for (const engine of ['etcd', 'raftdeck'] as const) {
    it(`of ${engine} has its keys, history, leases and sums, and goes on`, async () => {
      const source = await start(engine);
      const lease = /lease ([0-9a-f]+) granted/.exec(
        await ctl(source, 'lease', 'grant', '900'),
      )?.[1];
      for (let i = 0; i < 5; i++) await ctl(source, 'put', '/k', `v${i}`);
      await ctl(source, 'put', '/leased', 'x', `--lease=${lease}`);
      await ctl(source, 'put', '/dead', 'x');
      await ctl(source, 'del', '/dead');
      await ctl(source, 'compact', '4', '--physical');
      const file = await saveSnapshot(source, dir);

      const restored = await start('raftdeck', ['--experimental-restore-from', file]);
      const all = ['get', '', '--prefix', '-w', 'fields'];
      const kvs = (text: string) =>
        text.split('\n').filter((line) => /^"(Key|Value|Mod|Create|Vers|Lease)/.test(line));
      expect(kvs(await ctl(restored, ...all))).toEqual(kvs(await ctl(source, ...all)));
      expect((await ctl(restored, 'get', '/k', '--rev=5', '--print-value-only')).trim()).toBe('v3');
      await expect(ctl(restored, 'get', '/k', '--rev=3')).rejects.toThrow(/compacted/);
      expect(await hash(restored, 9)).toBe(await hash(source, 9));
      expect(await ctl(restored, 'lease', 'timetolive', '--keys', String(lease))).toContain(
        '/leased',
      );
      await ctl(restored, 'lease', 'revoke', String(lease));
      expect(await ctl(restored, 'get', '/leased')).toBe('');
      const put = JSON.parse(await ctl(restored, 'put', '/new', 'v', '-w', 'json'));
      // The revocation deleted a key at 10.
      expect(put.header.revision).toBe(11);
    });
  }

  it('is refused with a file that is damaged, and says so', async () => {
    const file = join(dir, 'damaged.db');
    writeFileSync(file, Buffer.alloc(65_536, 7));
    await expect(start('raftdeck', ['--experimental-restore-from', file])).rejects.toThrow(
      /not a bbolt database/,
    );
    expect(existsSync(file)).toBe(true);
  });
});
