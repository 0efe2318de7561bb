import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deleteOp, Machine, putOp, text } from '../apply/testing/machine.ts';
import { STORE_KINDS, type StoreHome } from '../apply/testing/stores.ts';
import { etcdBuckets } from './etcd-schema.ts';
import { BoltFile } from './reader.ts';
import { writeFileOf } from './testing/files.ts';

let dir: string;
let home: StoreHome;
let machine: Machine;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'raftdeck-schema-'));
  home = await (STORE_KINDS[1] as (typeof STORE_KINDS)[number]).home();
  machine = new Machine(await home.open());
});
afterEach(async () => {
  await home.dispose();
  await rm(dir, { recursive: true, force: true });
});

/** "hex of the key: hex or text of the value" of one bucket, written to a file and read back. */
async function bucket(name: string, asText = false): Promise<string[]> {
  const path = join(dir, 'db');
  const view = await machine.store.openView();
  await writeFileOf(path, etcdBuckets(view, setImmediate)).finally(() => view.end());
  const file = await BoltFile.open(path);
  const lines: string[] = [];
  const show = (bytes: Buffer) => (asText ? text(bytes) : bytes.toString('hex'));
  for await (const { key, value } of file.rows(name)) lines.push(`${show(key)}: ${show(value)}`);
  await file.close();
  return lines;
}

/** "main.sub" of the rows of the key bucket, with a t for a deletion. */
async function revisions(): Promise<string[]> {
  return (await bucket('key')).map((line) => {
    const key = line.split(':')[0] as string;
    const [main, sub] = [key.slice(0, 16), key.slice(18, 34)].map((hex) => Number(`0x${hex}`));
    return `${main}.${sub}${key.length > 34 ? 't' : ''}`;
  });
}

describe('our state as etcd’s buckets', () => {
  it('has every bucket of etcd, whatever is in it', async () => {
    const view = await machine.store.openView();
    expect(etcdBuckets(view, setImmediate).map(({ name }) => name)).toEqual([
      ...['alarm', 'auth', 'authRoles', 'authUsers', 'cluster', 'key', 'lease', 'members'],
      ...['members_removed', 'meta'],
    ]);
    view.end();
    expect(await bucket('key')).toEqual([]);
    expect(await bucket('meta')).toEqual([]);
  });

  it('has revisions as etcd encodes them', async () => {
    machine.grant(7n);
    machine.put('k', 'v', { lease: 7n });
    machine.txn({ success: [putOp({ key: 'k', value: '' }), deleteOp({ key: 'none' })] });
    machine.delete('k');
    expect(await bucket('key')).toEqual([
      '00000000000000025f0000000000000000: 0a016b1002180220012a01763007',
      '00000000000000035f0000000000000000: 0a016b100218032002',
      '00000000000000045f000000000000000074: 0a016b',
    ]);
  });

  it('leaves out what is compacted, however far the removal has come', async () => {
    machine.put('a', '1'); // 2, replaced
    machine.put('b', '1'); // 3, deleted
    machine.put('c', '1'); // 4, stays
    machine.put('a', '2'); // 5, stays
    machine.delete('b'); // 6, below the compact revision
    machine.put('d', '1'); // 7, deleted
    machine.txn({ success: [deleteOp({ key: 'd' }), putOp({ key: 'b', value: '2' })] }); // 8
    machine.put('c', '2'); // 9
    machine.compact(8);
    const left = ['4.0', '5.0', '8.0t', '8.1', '9.0'];
    for (let more = true; more; more = machine.state.compactSlice(1)) {
      expect(await revisions()).toEqual(left);
    }
    expect(await revisions()).toEqual(left);
    const eight = '00000000000000085f0000000000000000';
    const hex = (name: string) => Buffer.from(name).toString('hex');
    expect((await bucket('meta')).slice(1)).toEqual([
      `${hex('finishedCompactRev')}: ${eight}`,
      `${hex('scheduledCompactRev')}: ${eight}`,
    ]);
    machine.compact(9);
    expect(await revisions()).toEqual(['5.0', '8.1', '9.0']);
  });

  it('has leases with what is left of them', async () => {
    machine.grant(0x0102n, 60);
    machine.do('leaseCheckpoint', { checkpoints: [{ ID: 0x0102n, remainingTTL: 30 }] });
    machine.grant(-1n, 5);
    expect(await bucket('lease')).toEqual([
      '0000000000000102: 088202103c181e',
      'ffffffffffffffff: 08ffffffffffffffffff011005',
    ]);
  });

  it('has alarms, members, those that were removed, and the version', async () => {
    const member = (ID: bigint, name: string, isLearner: boolean) => ({
      ...{ ID, name, isLearner, peerURLs: [`http://peer-${ID}`] },
      clientURLs: name === '' ? [] : ['http://client'],
    });
    const sets = { learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
    const big = 0xffff_ffff_ffff_fffen;
    const members = [member(0x20n, 'm1', false), member(big, '', true), member(0x3n, 'x', false)];
    machine.state.bootstrap({ ...sets, voters: [0x20n, 0x3n], learners: [big] }, members, 0, 0);
    machine.state.applyConfChange(1, 1, { ...sets, voters: [0x20n], learners: [big] }, undefined);
    machine.do('clusterVersion', { version: '3.5.0' });
    machine.alarm(1, 1, 0x20n);
    expect(await bucket('members', true)).toEqual([
      '20: {"id":32,"peerURLs":["http://peer-32"],"name":"m1","clientURLs":["http://client"]}',
      `fffffffffffffffe: {"id":${big},"peerURLs":["http://peer-${big}"],"isLearner":true}`,
    ]);
    expect(await bucket('members_removed', true)).toEqual(['3: removed']);
    expect(await bucket('cluster', true)).toEqual(['clusterVersion: 3.5.0']);
    expect(await bucket('alarm')).toEqual(['08201001: ']);
    expect(await bucket('meta', true)).toEqual(['consistent_index: \0\0\0\0\0\0\0\x03']);
  });
});
