import { describe, expect, test } from 'vitest';
import type { LeaseRow } from '../../../src-main/contract/views.ts';
import { GrantForm } from './grant-form.svelte.ts';
import { FADE_MS, LeaseTable } from './lease-table.svelte.ts';

function row(id: string, ttl: number, part: Partial<LeaseRow> = {}): LeaseRow {
  return { id, ttl, grantedTtl: 60, keyCount: 0, keys: [], keepAlive: false, ...part };
}

function table(rows: LeaseRow[], nowMs = 0): LeaseTable {
  const made = new LeaseTable();
  made.take({ leases: rows, total: rows.length, readAtMs: 0 }, nowMs);
  return made;
}

const shown = (of: LeaseTable) => of.visible.map((item) => item.row.id);

describe('the table', () => {
  test('sorts by time left, id and keys, both ways', () => {
    const leases = table([
      row('ff', 30, { keyCount: 1 }),
      row('100', 10, { keyCount: 5 }),
      row('a', 20),
    ]);
    expect(shown(leases)).toEqual(['100', 'a', 'ff']);
    leases.sortBy('ttl');
    expect(shown(leases)).toEqual(['ff', 'a', '100']);
    leases.sortBy('id');
    expect(shown(leases)).toEqual(['a', 'ff', '100']);
    leases.sortBy('keys');
    expect(shown(leases)).toEqual(['100', 'ff', 'a']);
  });

  test('searches by id and filters', () => {
    const leases = table([row('694d9a', 3), row('694d9b', 30, { keyCount: 2 })]);
    leases.query = '0x694D9B';
    expect(shown(leases)).toEqual(['694d9b']);
    leases.query = '';
    leases.filter = 'expiring';
    expect(shown(leases)).toEqual(['694d9a']);
    leases.filter = 'noKeys';
    expect(shown(leases)).toEqual(['694d9a']);
    expect([leases.expiringCount, leases.noKeysCount, leases.keyCount]).toEqual([1, 1, 2]);
  });

  test('counts down between readings', () => {
    const leases = table([row('a', 10)], 1_000);
    leases.tick(4_500);
    const item = leases.visible[0];
    expect(item && leases.leftMs(item)).toBe(6_500);
  });

  test('a lease that ended fades, then goes, with its mark', () => {
    const leases = table([row('a', 1), row('b', 50)]);
    leases.toggle('a');
    leases.toggle('b');
    leases.take({ leases: [row('b', 49)], total: 1, readAtMs: 0 }, 1_000);
    expect(leases.items.find((item) => item.row.id === 'a')?.goneAtMs).toBe(1_000);
    expect([...leases.marked]).toEqual(['b']);
    leases.tick(1_000 + FADE_MS - 1);
    expect(shown(leases)).toContain('a');
    leases.tick(1_000 + FADE_MS);
    expect(shown(leases)).toEqual(['b']);
  });

  test('a row that only fell off a cut list does not fade', () => {
    const leases = table([row('a', 500), row('b', 50)]);
    leases.take({ leases: [row('b', 49)], total: 9_000, readAtMs: 0 }, 1_000);
    expect(shown(leases)).toEqual(['b']);
    expect(leases.total).toBe(9_000);
  });

  test('marks all that are shown, and unmarks them', () => {
    const leases = table([row('a1', 5), row('a2', 6), row('b', 7)]);
    leases.query = 'a';
    leases.toggleAll();
    expect([...leases.marked].sort()).toEqual(['a1', 'a2']);
    leases.toggleAll();
    expect(leases.marked.size).toBe(0);
  });

  test('ten thousand leases are sorted in reasonable time', () => {
    const rows = Array.from({ length: 10_000 }, (_, i) => row((i + 1).toString(16), i % 977));
    const leases = table(rows);
    expect(leases.visible).toHaveLength(10_000);
    expect(leases.visible[0]?.row.ttl).toBe(0);
  });
});

describe('the grant form', () => {
  test('checks TTL and id as the cluster would', () => {
    const form = new GrantForm();
    expect(form.isValid).toBe(true);
    const ttls: [string, string | null][] = [
      ['', 'empty'],
      ['1.5', 'notWhole'],
      ['-1', 'notWhole'],
      ['0', 'range'],
      ['9,000,000,001', 'range'],
      ['3,600', null],
    ];
    for (const [text, problem] of ttls) {
      form.ttl = text;
      expect(form.ttlProblem).toBe(problem);
    }
    expect(form.ttlSeconds).toBe(3_600);
    const ids: [string, string | null][] = [
      ['', null],
      ['0x1F', null],
      ['xyz', 'notHex'],
      ['0', 'zero'],
      ['8000000000000000', 'tooLarge'],
      ['7fffffffffffffff', null],
    ];
    for (const [text, problem] of ids) {
      form.id = text;
      expect(form.idProblem).toBe(problem);
    }
  });
});
