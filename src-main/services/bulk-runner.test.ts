import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EtcdConnection } from '../remote/connection.ts';
import { RemoteError } from '../remote/errors.ts';
import { hasEtcd, TestEtcd } from '../remote/testing/etcd.ts';
import { type BulkStep, MAX_BULK_BYTES, MAX_BULK_OPS } from './bulk-change.ts';
import { type BulkOutcome, MAX_CONFLICTS_NAMED, runBulk } from './bulk-runner.ts';
import { undoSteps } from './bulk-undo.ts';

let server: TestEtcd;
let etcd: EtcdConnection;
const ALL = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) };
const LEASE_GONE = 0x77n;

const name = (i: number) => `k${String(i).padStart(4, '0')}`;
const put = async (key: string, value: string, lease = 0n) =>
  (await etcd.put({ key: Buffer.from(key), value: Buffer.from(value), lease })).header?.revision ??
  0;
const creation = (key: string, value: string | Buffer): BulkStep => [
  {
    key: Buffer.from(key),
    expectModRevision: 0,
    put: { value: Buffer.from(value as string), lease: 0n },
  },
];
/** Moves a key, as found at a mod revision. */
const move = (from: string, to: string, revision: number): BulkStep => [
  {
    key: Buffer.from(to),
    expectModRevision: 0,
    put: { value: Buffer.from(`of ${from}`), lease: 0n },
  },
  { key: Buffer.from(from), expectModRevision: revision, put: null },
];
async function contents(): Promise<Record<string, string>> {
  const { kvs } = await etcd.range(ALL);
  return Object.fromEntries(kvs.map((kv) => [kv.key.toString(), kv.value.toString()]));
}
async function undo(outcome: BulkOutcome, notes = { leaseEnded: 0 }): Promise<BulkOutcome> {
  return runBulk(etcd, undoSteps(etcd, outcome.journal ?? [], notes));
}

describe.skipIf(!hasEtcd)('bulk changes', () => {
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
  });

  it('fills transactions of at most 128 operations, and undoes them', async () => {
    const steps = Array.from({ length: 300 }, (_, i) => creation(name(i), `v${i}`));
    const done = await runBulk(etcd, steps);
    expect(done).toMatchObject({ ended: 'done', changed: 300, conflicts: 0, transactions: 3 });
    expect(Math.ceil(300 / MAX_BULK_OPS)).toBe(3);
    expect(Object.keys(await contents())).toHaveLength(300);
    expect(await undo(done)).toMatchObject({ ended: 'done', changed: 300, conflicts: 0 });
    expect(await contents()).toEqual({});
  });

  it('bounds transactions by their bytes', async () => {
    const value = Buffer.alloc(MAX_BULK_BYTES / 4, 'x');
    const done = await runBulk(
      etcd,
      Array.from({ length: 7 }, (_, i) => creation(name(i), value)),
    );
    expect(done).toMatchObject({ ended: 'done', changed: 7, transactions: 3 });
  });

  it('leaves a step alone when one of its keys changed, and does the others', async () => {
    const a = await put('a', '1');
    const b = await put('b', '1');
    await put('taken', 'mine');
    const c = await put('c', '1');
    await put('b', 'changed meanwhile');
    const done = await runBulk(etcd, [
      move('a', 'a2', a),
      move('b', 'b2', b),
      move('c', 'taken', c),
    ]);
    expect(done).toMatchObject({ ended: 'done', changed: 2, conflicts: 2, transactions: 1 });
    expect(done.conflictSample.map((conflict) => conflict.key.toString())).toEqual(['b', 'taken']);
    const after = { a2: 'of a', b: 'changed meanwhile', c: '1', taken: 'mine' };
    expect(await contents()).toEqual(after);
    await undo(done);
    expect(await contents()).toEqual({ ...after, a2: undefined, a: '1' });
  });

  it('names a bounded number of conflicts and counts all', async () => {
    for (let i = 0; i < 40; i++) await put(name(i), 'there');
    const done = await runBulk(
      etcd,
      Array.from({ length: 40 }, (_, i) => creation(name(i), 'new')),
    );
    expect(done).toMatchObject({ changed: 0, conflicts: 40, transactions: 0 });
    expect(done.conflictSample).toHaveLength(MAX_CONFLICTS_NAMED);
  });

  it('undoes nothing that was changed since', async () => {
    const revision = await put('a', 'old');
    const gone = await put('gone', 'old');
    const done = await runBulk(etcd, [
      [
        {
          key: Buffer.from('a'),
          expectModRevision: revision,
          put: { value: Buffer.from('bulk'), lease: 0n },
        },
      ],
      [{ key: Buffer.from('gone'), expectModRevision: gone, put: null }],
    ]);
    await put('a', 'newer');
    expect(await undo(done)).toMatchObject({ changed: 1, conflicts: 1 });
    expect(await contents()).toEqual({ a: 'newer', gone: 'old' });
  });

  it('keeps values where only leases change, and gives old leases back while they live', async () => {
    const lease = (await etcd.leaseGrant({ TTL: 600, ID: 0x55n })).ID;
    await etcd.leaseGrant({ TTL: 600, ID: LEASE_GONE });
    const kept = await put('kept', 'v', lease);
    const lost = await put('lost', 'v', LEASE_GONE);
    const detach = (key: string, expectModRevision: number): BulkStep => [
      { key: Buffer.from(key), expectModRevision, put: { value: null, lease: 0n } },
    ];
    const done = await runBulk(etcd, [detach('kept', kept), detach('lost', lost)]);
    expect(done).toMatchObject({ changed: 2, conflicts: 0 });
    await etcd.leaseRevoke(LEASE_GONE);
    expect(await contents()).toEqual({ kept: 'v', lost: 'v' });
    const notes = { leaseEnded: 0 };
    expect(await undo(done, notes)).toMatchObject({ ended: 'done', changed: 1 });
    expect(notes.leaseEnded).toBe(1);
    const { kvs } = await etcd.range(ALL);
    expect(kvs.map((kv) => [kv.key.toString(), kv.lease])).toEqual([
      ['kept', lease],
      ['lost', 0n],
    ]);
  });

  it('is cancelled between two transactions, and what was done can be undone', async () => {
    const abort = new AbortController();
    const steps = Array.from({ length: 300 }, (_, i) => creation(name(i), 'v'));
    const done = await runBulk(etcd, steps, {
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    expect(done).toMatchObject({ ended: 'cancelled', changed: MAX_BULK_OPS, uncertain: 0 });
    await undo(done);
    expect(await contents()).toEqual({});
  });

  it('ends with what the server says, and tells what was done before', async () => {
    const big = creation('big', Buffer.alloc(2 * 1024 * 1024));
    const done = await runBulk(etcd, [creation('a', 'v'), big, creation('b', 'v')]);
    expect(done).toMatchObject({ ended: 'failed', changed: 1, uncertain: 0 });
    expect(done.error).toMatchObject({ message: expect.stringMatching(/large|larger/) });
    expect(await contents()).toEqual({ a: 'v' });
  });

  it('says so when the history was compacted under the undo', async () => {
    const revision = await put('a', 'old');
    const deletion = { key: Buffer.from('a'), expectModRevision: revision, put: null };
    const done = await runBulk(etcd, [[deletion]]);
    await etcd.compact({ revision: done.revision, physical: true });
    const back = await undo(done);
    expect(back).toMatchObject({ ended: 'failed', changed: 0, error: { code: 'Compacted' } });
  });

  it('tells which keys are in doubt when the answer is lost', async () => {
    const lost = new RemoteError(
      { code: 'Unavailable', outcome: 'unknown', elsewhere: true, endpoint: server.clientUrl },
      'the connection broke',
    );
    const answers = {
      range: etcd.range.bind(etcd),
      leaseTimeToLive: etcd.leaseTimeToLive.bind(etcd),
      txn: async (...request: Parameters<typeof etcd.txn>) => {
        await etcd.txn(...request);
        throw lost;
      },
    };
    const done = await runBulk(answers, [creation('a', 'v'), creation('b', 'v')]);
    expect(done).toMatchObject({ ended: 'failed', changed: 0, uncertain: 2, error: lost });
    expect(await contents()).toEqual({ a: 'v', b: 'v' });
  });
});
