import { describe, expect, test } from 'vitest';
import type { StorageMember, StorageView } from '../../../src-main/contract/views.ts';
import { CompactForm, type StoreRange } from './compact-form.svelte.ts';
import { parseCount, planCompaction } from './compact-plan.ts';
import { isQuotaInSight, points, revisionsPerSecond } from './growth.ts';
import { fullest, gauges, levelOf } from './quota.ts';
import { overQuota, recoverySteps } from './recovery.ts';

const MIB = 1024 * 1024;

function member(name: string, dbSizeBytes: number, dbSizeInUseBytes = 0): StorageMember {
  return { name, memberId: `id-${name}`, role: 'follower', dbSizeBytes, dbSizeInUseBytes };
}

function view(part: Partial<StorageView>): StorageView {
  return {
    members: [],
    quotaBytes: null,
    revision: 100,
    compactRevision: null,
    keyCount: null,
    alarms: [],
    samples: [],
    unreachable: [],
    atMs: 0,
    ...part,
  };
}

describe('a compaction', () => {
  test('to a revision loses what lies between the last one and it', () => {
    expect(planCompaction({ by: 'revision', revision: 80 }, 100, 30)).toEqual({
      ok: true,
      revision: 80,
      lostRevisions: 50,
      lostFrom: 30,
      lostTo: 79,
    });
  });

  test('keeping N revisions keeps the current one among them', () => {
    expect(planCompaction({ by: 'keep', count: 1 }, 100, null)).toMatchObject({
      revision: 100,
      lostRevisions: 99,
      lostFrom: 1,
      lostTo: 99,
    });
    expect(planCompaction({ by: 'keep', count: 10 }, 100, 30)).toMatchObject({ revision: 91 });
  });

  test('says what is wrong with a target', () => {
    const problem = (choice: Parameters<typeof planCompaction>[0]) => {
      const plan = planCompaction(choice, 100, 30);
      return plan.ok ? null : plan.problem;
    };
    expect(problem({ by: 'revision', revision: 101 })).toBe('inTheFuture');
    expect(problem({ by: 'revision', revision: 30 })).toBe('alreadyCompacted');
    expect(problem({ by: 'keep', count: 71 })).toBe('alreadyCompacted');
    expect(problem({ by: 'keep', count: 0 })).toBe('nothingToKeep');
    expect(problem({ by: 'revision', revision: Number.NaN })).toBe('notANumber');
    expect(problem({ by: 'revision', revision: 100 })).toBeNull();
  });

  test('reads figures with separators and nothing else', () => {
    expect(parseCount(' 8,412,906 ')).toBe(8_412_906);
    for (const text of ['', '-1', '1.5', '12x', '12345678901234567']) {
      expect(parseCount(text)).toBeNaN();
    }
  });
});

describe('the gauges', () => {
  test('show in use and free pages against the quota', () => {
    const [a, b] = gauges(
      view({ quotaBytes: 100, members: [member('a', 96, 40), member('b', 40, 50)] }),
    );
    expect(a).toMatchObject({ inUseShare: 0.4, freeBytes: 56, freeShare: 0.56, level: 'danger' });
    // In use may be read later than the size; it never exceeds it here.
    expect(b).toMatchObject({ inUseBytes: 40, freeBytes: 0, level: 'normal' });
    expect([levelOf(0.79), levelOf(0.8), levelOf(0.95)]).toEqual(['normal', 'warn', 'danger']);
  });

  test('compare with the largest member where the quota is unknown', () => {
    const list = gauges(view({ members: [member('a', 50, 50), member('b', 100, 50)] }));
    expect(list.map((gauge) => gauge.inUseShare)).toEqual([0.5, 0.5]);
    expect(fullest(list)?.name).toBe('b');
    expect(fullest([])).toBeNull();
  });
});

describe('the way out of NOSPACE', () => {
  const alarm = { memberId: 'id-a', name: 'a', type: 'NOSPACE' as const };
  const full = view({
    alarms: [alarm],
    quotaBytes: 100,
    members: [member('a', 100), member('b', 60)],
  });
  const states = (compactedTo: number | null, defragmented: string[], of = full) =>
    recoverySteps(of, { compactedTo, defragmented: new Set(defragmented) })?.map((s) => s.state);

  test('goes step by step', () => {
    expect(states(null, [])).toEqual(['done', 'next', 'later', 'later']);
    expect(states(90, [])).toEqual(['done', 'done', 'next', 'later']);
    expect(states(90, ['id-a'])).toEqual(['done', 'done', 'next', 'later']);
    expect(states(90, ['id-a', 'id-b'])).toEqual(['done', 'done', 'done', 'next']);
    // Defragmenting before compacting gave nothing back.
    expect(states(null, ['id-a', 'id-b'])).toEqual(['done', 'next', 'later', 'later']);
  });

  test('takes a compaction made elsewhere, and ends with the alarm', () => {
    expect(states(null, [], { ...full, compactRevision: 100 })?.[1]).toBe('done');
    expect(states(null, [], { ...full, alarms: [] })).toBeUndefined();
    expect(overQuota(full)).toEqual(['a']);
  });
});

describe('the growth plot', () => {
  const sample = (atMs: number, dbSizeBytes = MIB, revision = 10) => ({
    atMs,
    dbSizeBytes,
    inUseBytes: dbSizeBytes / 2,
    revision,
  });

  test('breaks where nothing was read', () => {
    const times = [0, 2_000, 4_000, 6_000, 60_000, 62_000];
    const list = points(
      times.map((atMs) => sample(atMs)),
      (s) => s.dbSizeBytes,
    );
    expect(list.map((point) => point.y === null)).toEqual([
      ...[false, false, false, false, true, false, false],
    ]);
  });

  test('tells new revisions per second, but not across a break', () => {
    const list = points(
      [sample(0, MIB, 10), sample(2_000, MIB, 30), sample(4_000, MIB, 30), sample(90_000, MIB, 99)],
      revisionsPerSecond,
    );
    expect(list.map((point) => point.y)).toEqual([null, 10, 0, null, null]);
  });

  test('shows the quota once it is in sight', () => {
    const inSight = (bytes: number, quota: number | null = 100 * MIB) =>
      isQuotaInSight([sample(0, bytes)], quota);
    expect([inSight(MIB), inSight(30 * MIB), inSight(90 * MIB, null)]).toEqual([
      false,
      true,
      false,
    ]);
  });
});

describe('the compaction form', () => {
  test('begins with the choice that keeps most, and follows the store', async () => {
    let range: StoreRange = { revision: 5_000, compactRevision: null };
    const form = new CompactForm(() => range);
    expect([form.by, form.plan]).toMatchObject(['keep', { ok: true, revision: 4_001 }]);
    range = { revision: 5_010, compactRevision: 4_000 };
    expect(form.plan).toMatchObject({ revision: 4_011, lostRevisions: 11 });
    form.everything();
    expect(form.plan).toMatchObject({ revision: 5_010 });
    expect(new CompactForm(() => ({ revision: 100, compactRevision: 10 })).by).toBe('revision');
  });

  test('sends what it showed, once, and says when that failed', async () => {
    const form = new CompactForm(() => ({ revision: 100, compactRevision: 10 }));
    form.physical = true;
    const sent: unknown[] = [];
    const failure = new Error('no leader');
    const failed = form.submit(async () => {
      throw failure;
    });
    expect(await form.submit(async () => {})).toBeNull();
    expect(await failed).toBeNull();
    expect([form.error, form.running]).toEqual([failure, false]);
    expect(await form.submit(async (...args) => void sent.push(args))).toBe(100);
    expect(sent).toEqual([[100, true]]);
    form.revisionText = '5';
    expect(await form.submit(async () => {})).toBeNull();
  });
});
