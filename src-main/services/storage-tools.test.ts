/** The parts of the storage tools that need no cluster. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { SpaceReport } from '../contract/storage-tools.ts';
import type { KeyValue } from '../proto/etcd/kv.ts';
import type { RangeRequest } from '../proto/etcd/rpc.ts';
import { RemoteError } from '../remote/errors.ts';
import { RevisionTimeline } from './revision-timeline.ts';
import { TrailingDigest } from './snapshot-download.ts';
import { MAX_GROUPS, type RangeReader, scanSpace } from './space-scan.ts';
import { compactionEffect, judge } from './storage-checks.ts';

function row(key: string, valueBytes: number, version = 1): KeyValue {
  const value = Buffer.alloc(valueBytes);
  return { key: Buffer.from(key), value, version, createRevision: 2, modRevision: 2, lease: 0n };
}

/** A store that answers as etcd's Range does; `limitBytes` is what the client takes in one message. */
class Store implements RangeReader {
  readonly requests: Partial<RangeRequest>[] = [];
  readonly #rows: KeyValue[];
  readonly #limitBytes: number;
  compactAt = Number.POSITIVE_INFINITY;
  #revision = 7;

  constructor(rows: KeyValue[], limitBytes = Number.POSITIVE_INFINITY) {
    this.#rows = rows.sort((a, b) => Buffer.compare(a.key, b.key));
    this.#limitBytes = limitBytes;
  }

  async range(request: Partial<RangeRequest>, { signal }: { signal: AbortSignal }) {
    signal.throwIfAborted();
    this.requests.push(request);
    if (this.requests.length === this.compactAt) this.#revision = 9;
    if ((request.revision ?? 0) > 0 && request.revision !== this.#revision) {
      throw new RemoteError(refused('Compacted'), 'compacted');
    }
    const key = request.key as Buffer;
    const end = request.rangeEnd as Buffer;
    const isOpen = end.length === 1 && end[0] === 0;
    const all = this.#rows.filter(
      (r) => Buffer.compare(r.key, key) >= 0 && (isOpen || Buffer.compare(r.key, end) < 0),
    );
    const kvs = all.slice(0, request.limit);
    if (kvs.reduce((sum, r) => sum + r.value.length, 0) > this.#limitBytes) {
      throw new RemoteError(refused('TooLarge'), 'larger than max');
    }
    const header = { clusterId: 1n, memberId: 1n, revision: this.#revision, raftTerm: 1 };
    return { header, kvs, more: kvs.length < all.length, count: all.length };
  }
}

function refused(code: 'Compacted' | 'TooLarge') {
  return { code, outcome: 'refused', elsewhere: false, endpoint: 'e' } as const;
}

async function scan(store: Store, prefix = ''): Promise<SpaceReport[]> {
  const reports: SpaceReport[] = [];
  const { signal } = new AbortController();
  for await (const report of scanSpace(store, Buffer.from(prefix), signal)) reports.push(report);
  return reports;
}

const named = (report: SpaceReport | undefined) =>
  report?.groups.map((g) => [Buffer.from(g.key).toString(), g.keys, g.bytes, g.writes]);

describe('the space by prefix', () => {
  const rows = [row('/a/x', 96, 3), row('/a/y/z', 94), row('/b/x', 6), row('lone', 1)];

  it('sums keys, values and writes by the next part of the path, most bytes first', async () => {
    const last = (await scan(new Store(rows))).at(-1);
    expect(named(last)).toEqual([
      ['/a/', 2, 200, 4],
      ['/b/', 1, 10, 1],
      ['lone', 1, 5, 1],
    ]);
    expect(last).toMatchObject({ keys: 4, totalKeys: 4, bytes: 215, writes: 6, revision: 7 });
    expect(last).toMatchObject({ isDone: true, isMixed: false });
    expect(last?.groups.map((group) => group.isFolder)).toEqual([true, true, false]);
  });

  it('goes into a folder', async () => {
    const last = (await scan(new Store(rows), '/a/')).at(-1);
    expect(named(last)).toEqual([
      ['/a/x', 1, 100, 3],
      ['/a/y/', 1, 100, 1],
    ]);
  });

  it('says of nothing that it is nothing', async () => {
    expect(await scan(new Store(rows), '/none/')).toMatchObject([{ keys: 0, isDone: true }]);
  });

  it('tells how far it is, and asks for more at once where values are small', async () => {
    const many = Array.from({ length: 5_000 }, (_, i) => row(`/k/${i}`, 8));
    const store = new Store(many);
    const reports = await scan(store);
    expect(reports.length).toBeLessThan(20);
    expect(reports.every(({ totalKeys }) => totalKeys === 5_000)).toBe(true);
    expect(reports.at(-1)?.keys).toBe(5_000);
    expect(new Set(store.requests.slice(1).map(({ revision }) => revision))).toEqual(new Set([7]));
  });

  it('never asks for more than a message takes: large values behind small ones', async () => {
    const MIB = 1024 * 1024;
    const small = Array.from({ length: 2_000 }, (_, i) => row(`a${String(i).padStart(5, '0')}`, 8));
    const large = Array.from({ length: 12 }, (_, i) => row(`b${i}`, MIB));
    const last = (await scan(new Store([...small, ...large], 4 * MIB))).at(-1);
    expect(last).toMatchObject({ keys: 2_012, isDone: true });
  });

  it('goes on at a newer revision when its own is compacted, and says so', async () => {
    const store = new Store(Array.from({ length: 100 }, (_, i) => row(`k${i}`, 1)));
    store.compactAt = 3;
    const last = (await scan(store)).at(-1);
    expect(last).toMatchObject({ keys: 100, totalKeys: 100, isMixed: true, revision: 9 });
  });

  it('keeps the largest of very many groups and sums up the rest', async () => {
    const many = Array.from({ length: 3_000 }, (_, i) => row(`g${i}/k`, i));
    const last = (await scan(new Store(many))).at(-1);
    expect(last?.groups).toHaveLength(MAX_GROUPS);
    expect(last?.groups.map(({ key }) => Buffer.from(key).toString()).slice(0, 2)).toEqual([
      'g2999/',
      'g2998/',
    ]);
    expect(last?.others).toMatchObject({ groups: 3_000 - MAX_GROUPS, keys: 3_000 - MAX_GROUPS });
    const listed = last?.groups.reduce((sum, group) => sum + group.bytes, 0) ?? 0;
    expect(listed + (last?.others.bytes ?? 0)).toBe(last?.bytes);
  });

  it('stops when it is cancelled', async () => {
    const controller = new AbortController();
    const store = new Store(Array.from({ length: 100 }, (_, i) => row(`k${i}`, 1)));
    const pages = scanSpace(store, Buffer.alloc(0), controller.signal);
    await pages.next();
    controller.abort();
    await expect(pages.next()).rejects.toMatchObject({ name: 'AbortError' });
    expect(store.requests).toHaveLength(1);
  });
});

describe('what a compaction removes', () => {
  it('is the versions since the last one, less one for each key that stays', async () => {
    // Revisions 2 to 11 wrote one key ten times, 12 another one.
    const counts: Record<number, number> = { 5: 1, 12: 2 };
    const etcd = {
      range: async ({ revision }: Partial<RangeRequest>) => ({
        header: undefined,
        kvs: [],
        more: false,
        count: counts[revision ?? 0] ?? Number.NaN,
      }),
    };
    const context = { signal: new AbortController().signal };
    const at = (compactRevision: number | null) =>
      compactionEffect(etcd, { compactRevision }, { clusterId: 'c', revision: 12 }, context);
    expect(await at(null)).toEqual({ keysKept: 2, versionsRemovedAtLeast: 9 });
    expect(await at(5)).toEqual({ keysKept: 2, versionsRemovedAtLeast: 6 });
  });
});

describe('sums of the members', () => {
  const sum = (hash: number | null, compactRevision: number | null) => ({ hash, compactRevision });

  it('agree or differ where they were compacted alike', () => {
    expect(judge([sum(1, 5), sum(1, 5), sum(null, null)])).toBe('equal');
    expect(judge([sum(1, 5), sum(2, 5), sum(1, 5)])).toBe('differ');
    expect(judge([sum(0, 0), sum(1, 0)])).toBe('differ');
  });

  it('say nothing about each other where they were not, or where there is one', () => {
    expect(judge([sum(1, 5), sum(2, 6)])).toBe('unknown');
    expect(judge([sum(1, 5), sum(null, null)])).toBe('unknown');
    expect(judge([])).toBe('unknown');
  });
});

describe('the digest behind a snapshot', () => {
  const database = Buffer.alloc(1_024, 7);
  const digest = createHash('sha256').update(database).digest();
  const sumOf = (bytes: Buffer, step: number) => {
    const trailing = new TrailingDigest();
    for (let at = 0; at < bytes.length; at += step) trailing.push(bytes.subarray(at, at + step));
    return trailing.finish();
  };

  it('is found however the file comes in pieces', () => {
    for (const step of [1, 31, 32, 33, 512, 4_096]) {
      const sha256 = digest.toString('hex');
      expect(sumOf(Buffer.concat([database, digest]), step)).toEqual({ sha256, isVerified: true });
    }
  });

  it('tells a flipped byte, a cut and a missing digest', () => {
    const flipped = Buffer.concat([database, digest]);
    flipped[100] = 8;
    expect(sumOf(flipped, 512).isVerified).toBe(false);
    expect(sumOf(Buffer.concat([database, digest]).subarray(0, 1_040), 512).isVerified).toBe(false);
    expect(sumOf(database, 512).isVerified).toBe(false);
    expect(sumOf(Buffer.alloc(0), 512).isVerified).toBe(false);
  });
});

describe('the timeline of revisions', () => {
  it('is fine lately and coarse before', () => {
    const timeline = new RevisionTimeline();
    for (let second = 0; second <= 3_600; second++) timeline.record(second * 1_000, second);
    const entries = timeline.entries();
    expect(entries[0]).toEqual({ atMs: 0, revision: 0 });
    expect(entries.at(-1)).toEqual({ atMs: 3_600_000, revision: 3_600 });
    expect(entries.map(({ atMs }) => atMs)).toEqual(
      entries.map(({ atMs }) => atMs).sort((a, b) => a - b),
    );
    // 50 minutes by the minute and 10 by two seconds.
    expect(entries.length).toBeGreaterThan(340);
    expect(entries.length).toBeLessThan(360);
  });
});
