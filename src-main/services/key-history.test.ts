import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PutRequest } from '../proto/etcd/rpc.ts';
import { EtcdConnection } from '../remote/connection.ts';
import { hasEtcd, TestEtcd } from '../remote/testing/etcd.ts';
import { keyDeletions, keyHistory } from './key-history.ts';

let server: TestEtcd;
let etcd: EtcdConnection;

const history = (key: string, limit = 100, before?: number) =>
  keyHistory(
    etcd,
    { clusterId: 'c', key: Buffer.from(key), limit, ...(before === undefined ? {} : { before }) },
    {},
  );
const deletions = (key: string) =>
  keyDeletions(etcd, { clusterId: 'c', key: Buffer.from(key) }, {});
const put = async (key: string, value: string) => {
  const { header } = await etcd.put({
    ...PutRequest.create(),
    key: Buffer.from(key),
    value: Buffer.from(value),
  });
  return header?.revision ?? 0;
};
const del = async (key: string) => {
  const { header } = await etcd.deleteRange({ key: Buffer.from(key), rangeEnd: Buffer.alloc(0) });
  return header?.revision ?? 0;
};

describe.skipIf(!hasEtcd)('the history of a key', () => {
  beforeAll(async () => {
    server = await TestEtcd.start();
    etcd = new EtcdConnection([server.clientUrl]);
  });
  afterAll(async () => {
    etcd?.dispose();
    await server?.dispose();
  });

  it('walks versions back to the creation, page by page', async () => {
    const revisions: number[] = [];
    for (let i = 0; i < 5; i++) {
      revisions.unshift(await put('walk', `v${i}`));
      await put('other', String(i));
    }
    const all = await history('walk');
    expect(all.versions.map((v) => v.modRevision)).toEqual(revisions);
    expect(all.versions.map((v) => v.version)).toEqual([5, 4, 3, 2, 1]);
    expect(all).toMatchObject({ end: 'created', next: null });
    const first = await history('walk', 2);
    expect(first).toMatchObject({ end: 'more', next: revisions[1] });
    const rest = await history('walk', 10, first.next ?? 0);
    expect(rest.versions.map((v) => v.version)).toEqual([3, 2, 1]);
  });

  it('sees deletions, and earlier lives behind them', async () => {
    await put('lives', 'a');
    const first = await del('lives');
    await put('lives', 'b');
    await put('lives', 'c');
    const second = await del('lives');
    expect(await history('lives')).toMatchObject({ versions: [], end: 'absent' });
    expect(await deletions('lives')).toMatchObject({
      revisions: [second, first],
      isComplete: true,
    });
    const life = await history('lives', 10, second);
    expect(life.versions.map((v) => v.version)).toEqual([2, 1]);
    expect((await history('lives', 10, first)).versions).toHaveLength(1);
    expect((await deletions('never')).revisions).toEqual([]);
  });

  it('finds every deletion among many writes', async () => {
    const expected: number[] = [];
    for (let i = 0; i < 150; i++) {
      await put('often', String(i));
      if (i % 10 === 0) expected.unshift(await del('often'));
    }
    expect((await deletions('often')).revisions).toEqual(expected);
  });

  it('ends at the compaction, and says where that is', async () => {
    await put('old', '1');
    const gone = await del('old');
    await put('old', '2');
    const kept = await put('old', '3');
    const after = await del('old');
    await put('old', '4');
    await put('old', '5');
    await etcd.compact({ revision: kept, physical: true });
    const walk = await history('old', 10, after);
    expect(walk.versions.map((v) => v.modRevision)).toEqual([kept]);
    expect(walk.end).toBe('compacted');
    const found = await deletions('old');
    expect(found).toMatchObject({ revisions: [after], compactedAt: kept });
    expect(found.revisions).not.toContain(gone);
  });
});
