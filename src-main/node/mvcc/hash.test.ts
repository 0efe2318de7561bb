import { afterEach, describe, expect, it } from 'vitest';
import { crc32c } from '../../base/crc32c.ts';
import { type Random, seededRandom } from '../../base/prng.ts';
import { deleteOp, Machine, putOp } from '../apply/testing/machine.ts';
import { STORE_KINDS, type StoreHome } from '../apply/testing/stores.ts';
import { etcdKeyRow } from '../bolt/etcd-rows.ts';
import { isDelete, revisionMain, revisionUserKey } from '../storage/schema/revisions.ts';
import type { Row } from '../storage/types.ts';
import { hashKv, hashState, type KvHash } from './hash.ts';

const homes: StoreHome[] = [];
afterEach(async () => {
  for (const home of homes.splice(0)) await home.dispose();
});

async function machine(kind = STORE_KINDS[0]): Promise<Machine> {
  const home = await (kind as (typeof STORE_KINDS)[number]).home();
  homes.push(home);
  return new Machine(await home.open());
}

async function kvHash({ store }: Machine, revision = 0): Promise<KvHash> {
  const view = await store.openView();
  return hashKv(view, revision, setImmediate).finally(() => view.end());
}

async function stateHash({ store }: Machine): Promise<number> {
  const view = await store.openView();
  return (await hashState(view, setImmediate).finally(() => view.end())).hash;
}

const KEYS = ['a', 'a\0', 'a\0\x01', 'ab', 'b', '\xff', 'k'.repeat(3000)];

type Step = (machine: Machine) => void;

/** One step of a history, to be done on every machine alike. */
function randomStep(random: Random, at: Machine): Step {
  const key = () => KEYS[random.below(KEYS.length)] as string;
  const dice = random.below(100);
  const value = `${random.below(1_000_000)}`;
  if (dice < 45) {
    const [name, lease] = [key(), random.below(4) === 0 ? 5n : 0n];
    return (one) => one.put(name, value, { lease });
  }
  if (dice < 60) {
    const name = key();
    return (one) => one.delete(name);
  }
  if (dice < 70) {
    const end = random.below(2) === 0 ? 'b' : '\0';
    return (one) => one.delete('a', end);
  }
  if (dice < 85) {
    const [first, second] = [...KEYS].sort(() => random.below(3) - 1) as [string, string];
    const success = [putOp({ key: first, value }), deleteOp({ key: second })];
    return (one) => one.txn({ success });
  }
  const { revision, compactRevision } = at.state;
  if (dice < 90 && revision > compactRevision) {
    const target = compactRevision + 1 + random.below(revision - compactRevision);
    return (one) => one.compact(target);
  }
  return () => {};
}

/** What etcd sums up, from a history of which nothing was ever removed. */
function expected(rows: Row[], compact: number, revision: number): number {
  /** Whether the row is the newest of its key at a revision, and a put. */
  const isLiveAt = (row: Row, at: number) => {
    const key = revisionUserKey(row.value);
    const until = rows.filter(({ key: main }) => revisionMain(main) <= at);
    const newest = until.findLast(({ value }) => revisionUserKey(value).equals(key));
    return newest === row && !isDelete(row.value);
  };
  const keep = rows.filter((row) => isLiveAt(row, revision));
  let hash = crc32c(Buffer.from('key'));
  for (const row of rows) {
    const main = revisionMain(row.key);
    if (main > revision) continue;
    if (main <= compact && !(keep.length > 0 ? keep.includes(row) : isLiveAt(row, compact)))
      continue;
    const { key, value } = etcdKeyRow(row);
    hash = crc32c(value, crc32c(key, hash));
  }
  return hash;
}

describe('the sum over the history', () => {
  it.each(STORE_KINDS)('of a known history ($name)', async (kind) => {
    const one = await machine(kind);
    expect(await kvHash(one)).toEqual({
      ...{ hash: crc32c(Buffer.from('key')), hashRevision: 1 },
      ...{ compactRevision: 0, revision: 1 },
    });
    one.put('k', 'v');
    const row = Buffer.from('0000000000000002' + '5f' + '0000000000000000', 'hex');
    // key k, create 2, mod 2, version 1, value v
    const value = Buffer.from('0a016b' + '1002' + '1802' + '2001' + '2a0176', 'hex');
    expect((await kvHash(one)).hash).toBe(crc32c(Buffer.concat([Buffer.from('key'), row, value])));
    one.delete('k');
    const tombstone = Buffer.from(
      '0000000000000003' + '5f' + '000000000000000074' + '0a016b',
      'hex',
    );
    expect((await kvHash(one)).hash).toBe(
      crc32c(Buffer.concat([Buffer.from('key'), row, value, tombstone])),
    );
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'is the same however far the removal has come, seed %i',
    async (seed) => {
      const random = seededRandom(seed);
      const kind = seed <= 6 ? STORE_KINDS[0] : STORE_KINDS[1];
      const [eager, lazy, halfway] = [
        await machine(kind),
        await machine(kind),
        await machine(kind),
      ];
      const untouched = await machine();
      for (const one of [eager, lazy, halfway, untouched]) one.grant(5n);
      for (let i = 0; i < 150; i++) {
        const step = randomStep(random, eager);
        for (const one of [eager, lazy, halfway]) step(one);
        if (untouched.state.revision < eager.state.revision) step(untouched);
        expect(untouched.state.revision).toBe(eager.state.revision);
        eager.compactAll();
        if (random.below(3) === 0) halfway.state.compactSlice(1 + random.below(4));
        if (i % 7 !== 0) continue;
        const { revision, compactRevision } = eager.state;
        const rows = [...untouched.store.range('revisions', {})];
        const oldest = Math.max(compactRevision, 1);
        const past = oldest + random.below(revision - oldest + 1);
        for (const at of [revision, past]) {
          const sums = await Promise.all([eager, lazy, halfway].map((one) => kvHash(one, at)));
          const hash = expected(rows, compactRevision, at);
          const sum = { hash, hashRevision: at, compactRevision, revision };
          expect(sums).toEqual([sum, sum, sum]);
        }
        const states = await Promise.all([eager, lazy, halfway].map(stateHash));
        expect(new Set(states).size).toBe(1);
      }
    },
  );

  it('differs if one value, lease, revision or compaction does', async () => {
    const sums = new Map<number, string>();
    const histories: Record<string, Step> = {
      plain: (one) => one.put('b', '1'),
      value: (one) => one.put('b', '2'),
      key: (one) => one.put('c', '1'),
      lease: (one) => one.put('b', '1', { lease: 5n }),
      revision: (one) => {
        one.put('z');
        one.put('b', '1');
      },
      deletion: (one) => one.delete('a'),
    };
    const states = new Set<number>();
    for (const [name, step] of Object.entries(histories)) {
      for (const compacted of [false, true]) {
        const one = await machine();
        one.grant(5n);
        one.put('a', '0');
        one.put('a', '1');
        step(one);
        if (compacted) one.compact(3);
        const { hash } = await kvHash(one);
        expect(sums.get(hash), `${name} ${compacted}`).toBeUndefined();
        sums.set(hash, name);
        states.add(await stateHash(one));
      }
    }
    expect(states.size).toBe(sums.size);
  });

  it('leaves later changes out, and is refused for what is compacted or not there yet', async () => {
    const one = await machine();
    one.put('a', '1');
    one.put('a', '2');
    const before = await kvHash(one);
    one.put('a', '3');
    one.put('b', '1');
    expect((await kvHash(one, 3)).hash).toBe(before.hash);
    expect((await kvHash(one)).hash).not.toBe(before.hash);
    await expect(kvHash(one, 6)).rejects.toMatchObject({ code: 'FutureRev' });
    one.compact(4);
    await expect(kvHash(one, 3)).rejects.toMatchObject({ code: 'Compacted' });
    expect(await kvHash(one, 4)).toMatchObject({
      compactRevision: 4,
      hashRevision: 4,
      revision: 5,
    });
    expect((await kvHash(one, -1)).hash).toBe(crc32c(Buffer.from('key')));
  });

  it('ends when nobody waits for it any more', async () => {
    const one = await machine();
    for (let i = 0; i < 1200; i++) one.put(`k${i}`, 'v');
    const view = await one.store.openView();
    const abort = new AbortController();
    const sum = hashKv(view, 0, setImmediate, abort.signal);
    abort.abort(new Error('nobody waits'));
    await expect(sum).rejects.toThrow('nobody waits');
  });

  it('lets the event loop run', async () => {
    const one = await machine();
    for (let i = 0; i < 2600; i++) one.put(`k${i}`, 'v');
    let turns = 0;
    const count = (): void => {
      turns++;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    await kvHash(one);
    clearImmediate(timer);
    expect(turns).toBeGreaterThanOrEqual(5);
  });
});

describe('the sum over the whole state', () => {
  it('covers leases, alarms and members, and not the position of the log', async () => {
    const sums: number[] = [];
    const one = await machine();
    one.put('a', '1');
    sums.push(await stateHash(one));
    one.state.applyEmpty(one.state.appliedIndex + 1, 1);
    expect(await stateHash(one)).toBe(sums[0]);
    one.grant(9n);
    sums.push(await stateHash(one));
    one.alarm(1, 1);
    sums.push(await stateHash(one));
    one.do('clusterVersion', { version: '3.5.0' });
    sums.push(await stateHash(one));
    expect(new Set(sums).size).toBe(sums.length);
  });
});
