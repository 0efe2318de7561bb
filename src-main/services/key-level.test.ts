import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EtcdConnection } from '../remote/connection.ts';
import { hasEtcd, TestEtcd } from '../remote/testing/etcd.ts';
import { runBulk } from './bulk-runner.ts';
import { keyLevel } from './key-level.ts';
import { listKeys } from './keys.ts';

let server: TestEtcd;
let etcd: EtcdConnection;
let requests = 0;
const counting = {
  range: (...request: Parameters<typeof etcd.range>) => {
    requests++;
    return etcd.range(...request);
  },
};
const ALL = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) };

async function write(keys: readonly (string | Buffer)[]): Promise<void> {
  const put = { value: Buffer.from('v'), lease: 0n };
  const steps = keys.map((key) => [{ key: Buffer.from(key as string), expectModRevision: 0, put }]);
  expect((await runBulk(etcd, steps)).changed).toBe(keys.length);
}

interface Ask {
  separator?: string;
  limit?: number;
  revision?: number;
}

/** All pages of a level: folders end with the separator. */
async function level(prefix: string | Buffer, ask: Ask = {}): Promise<string[]> {
  const { separator = '/', limit = 100, revision } = ask;
  const names: string[] = [];
  let from: Uint8Array | null | undefined;
  let at = revision;
  while (from !== null) {
    const page = await keyLevel(
      counting,
      {
        clusterId: 'c',
        prefix: Buffer.from(prefix as string),
        separator: Buffer.from(separator),
        limit,
        ...(from === undefined ? {} : { from: Buffer.from(from) }),
        ...(at === undefined ? {} : { revision: at }),
      },
      {},
    );
    expect(page.entries.length).toBeLessThanOrEqual(limit);
    at ??= page.revision;
    from = page.next;
    for (const entry of page.entries) {
      const bytes = entry.kind === 'key' ? entry.row.key : entry.prefix;
      names.push(Buffer.from(bytes).toString('latin1'));
    }
  }
  return names;
}

describe.skipIf(!hasEtcd)('a level of the key space', () => {
  beforeAll(async () => {
    server = await TestEtcd.start();
    etcd = new EtcdConnection([server.clientUrl]);
  });
  afterAll(async () => {
    etcd?.dispose();
    await server?.dispose();
  });
  beforeEach(async () => {
    await etcd.deleteRange(ALL);
    requests = 0;
  });

  it('has keys and folders in order, with and without a leading separator', async () => {
    await write(['/a/1', '/a/2', '/b', 'plain', 'top/x', 'top/y/z', 'top//odd']);
    expect(await level('')).toEqual(['/', 'plain', 'top/']);
    expect(await level('/')).toEqual(['/a/', '/b']);
    expect(await level('top/')).toEqual(['top//', 'top/x', 'top/y/']);
    expect(await level('to')).toEqual(['top/']);
    expect(await level('nothing/')).toEqual([]);
  });

  it('tells a key from the folder of its name', async () => {
    await write(['a', 'a/', 'a/b', 'a0']);
    expect(await level('')).toEqual(['a', 'a/', 'a0']);
    expect(await level('a/')).toEqual(['a/', 'a/b']);
  });

  it('takes a separator of several bytes', async () => {
    await write(['a::b::c', 'a::d', 'a:e']);
    expect(await level('', { separator: '::' })).toEqual(['a:e', 'a::'].sort());
    expect(await level('a::', { separator: '::' })).toEqual(['a::b::', 'a::d']);
  });

  it('leaps over folders: its cost is that of its entries', async () => {
    const keys = ['a', 'b', 'c'].flatMap((folder) =>
      Array.from({ length: 1_000 }, (_, i) => `${folder}/${String(i).padStart(4, '0')}`),
    );
    await write([...keys, 'last']);
    requests = 0;
    expect(await level('')).toEqual(['a/', 'b/', 'c/', 'last']);
    expect(requests).toBeLessThanOrEqual(4);
    requests = 0;
    expect(await level('b/', { limit: 1_000 })).toHaveLength(1_000);
    // Larger steps where keys stand side by side.
    expect(requests).toBeLessThanOrEqual(6);
  });

  it('pages without a gap or a repetition, at one revision', async () => {
    const keys = Array.from(
      { length: 40 },
      (_, i) => `p/${String(i).padStart(2, '0')}${i % 3 ? '' : '/x'}`,
    );
    await write(keys);
    const before = (await etcd.range(ALL)).header?.revision ?? 0;
    const whole = await level('p/');
    await etcd.deleteRange({ key: Buffer.from('p/05') });
    await write(['p/05a']);
    for (const limit of [1, 3, 7]) {
      expect(await level('p/', { limit, revision: before })).toEqual(whole);
    }
    expect(whole).toEqual(keys.map((key) => key.replace(/x$/, '')));
    expect(await level('p/')).toContain('p/05a');
  });

  it('ends at a folder after which no key can come', async () => {
    const separator = Buffer.from([0xff]).toString('latin1');
    await write([Buffer.from([0xff, 0xff, 1]), Buffer.from([0xff, 0xff, 2])]);
    const page = await keyLevel(
      counting,
      {
        clusterId: 'c',
        prefix: Buffer.alloc(0),
        separator: Buffer.from(separator, 'latin1'),
        limit: 1,
      },
      {},
    );
    expect(page.entries).toHaveLength(1);
    expect(page.next).toBeNull();
  });

  it('lists pages of keys without counting the prefix again', async () => {
    await write(Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, '0')}`));
    const list = async (after?: string) => {
      const counted = { range: counting.range } as unknown as EtcdConnection;
      const rest = after === undefined ? {} : { after: Buffer.from(after) };
      const page = await listKeys(
        counted,
        { clusterId: 'c', prefix: Buffer.from('k'), limit: 5, ...rest },
        {},
      );
      return page.count;
    };
    requests = 0;
    expect(await list()).toBe(20);
    expect(await list('k04')).toBe(15);
    expect(requests).toBe(2);
  });
});
