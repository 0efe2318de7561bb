import type { LeaseList, LeaseRow } from '../../../src-main/contract/views.ts';
import { EXPIRING_MS, estimateEnd, remainingMs } from './countdown.ts';

export type SortColumn = 'ttl' | 'granted' | 'id' | 'keys';
export type Filter = 'all' | 'expiring' | 'noKeys';

/** A lease that ended stays this long, faded, so that one sees which it was. */
export const FADE_MS = 1_500;
/** Leases that one call can revoke: the contract's limit. */
export const MAX_MARKED = 1_000;

export interface LeaseItem {
  row: LeaseRow;
  /** When it expires, on this machine's clock. */
  endMs: number;
  /** When it was seen to be gone; null while it lives. */
  goneAtMs: number | null;
}

/**
 * The leases of a cluster as a table: sorted, searched, marked, and counting down between two
 * readings.
 */
export class LeaseTable {
  items = $state.raw<readonly LeaseItem[]>([]);
  /** Leases in the cluster; more than `items` if the list was cut. */
  total = $state(0);
  loaded = $state(false);
  nowMs = $state(0);
  query = $state('');
  filter = $state<Filter>('all');
  sort = $state<SortColumn>('ttl');
  descending = $state(false);
  marked = $state.raw<ReadonlySet<string>>(new Set());
  openId = $state<string | null>(null);

  readonly living = $derived(this.items.filter((item) => item.goneAtMs === null));
  readonly keyCount = $derived(this.living.reduce((sum, item) => sum + item.row.keyCount, 0));
  readonly noKeysCount = $derived(this.living.filter((item) => item.row.keyCount === 0).length);
  readonly expiringCount = $derived(this.living.filter((item) => this.#isExpiring(item)).length);
  readonly visible = $derived.by(() => this.#visible());
  readonly open = $derived(this.items.find((item) => item.row.id === this.openId) ?? null);
  readonly markedItems = $derived(this.living.filter((item) => this.marked.has(item.row.id)));

  /** Takes a reading: rows keep their countdown, those that are missing fade. */
  take(list: LeaseList, nowMs: number): void {
    const before = new Map(this.items.map((item) => [item.row.id, item]));
    const items: LeaseItem[] = [];
    for (const row of list.leases) {
      const known = before.get(row.id);
      before.delete(row.id);
      const gone = row.ttl < 0;
      items.push({
        row,
        endMs: gone ? nowMs : estimateEnd(known?.endMs ?? null, row.ttl, nowMs),
        goneAtMs: gone ? (known?.goneAtMs ?? nowMs) : null,
      });
    }
    // A row may also be missing because the list is cut and it is no longer among the soonest.
    const isCut = list.total > list.leases.length;
    for (const item of before.values()) {
      if (isCut && item.goneAtMs === null && remainingMs(item.endMs, nowMs) > FADE_MS) continue;
      items.push({ ...item, goneAtMs: item.goneAtMs ?? nowMs });
    }
    this.items = items.filter((item) => !isFaded(item, nowMs));
    this.total = list.total;
    this.loaded = true;
    this.nowMs = nowMs;
    this.#dropLost();
  }

  /** Moves the countdown on. */
  tick(nowMs: number): void {
    this.nowMs = nowMs;
    if (this.items.some((item) => isFaded(item, nowMs))) {
      this.items = this.items.filter((item) => !isFaded(item, nowMs));
      this.#dropLost();
    }
  }

  leftMs(item: LeaseItem): number {
    return item.goneAtMs === null ? remainingMs(item.endMs, this.nowMs) : 0;
  }

  sortBy(column: SortColumn): void {
    this.descending = this.sort === column ? !this.descending : column === 'keys';
    this.sort = column;
  }

  /** Marks or unmarks one; false if there are as many as one call can revoke. */
  toggle(id: string): boolean {
    const marked = new Set(this.marked);
    if (!marked.delete(id)) {
      if (marked.size >= MAX_MARKED) return false;
      marked.add(id);
    }
    this.marked = marked;
    return true;
  }

  /** Marks every row that is shown, up to the limit; unmarks all if they all were. */
  toggleAll(): void {
    const ids = this.visible.filter((item) => item.goneAtMs === null).map((item) => item.row.id);
    const all = ids.slice(0, MAX_MARKED);
    this.marked = all.every((id) => this.marked.has(id)) ? new Set() : new Set(all);
  }

  clearMarks(): void {
    this.marked = new Set();
  }

  #isExpiring(item: LeaseItem): boolean {
    return remainingMs(item.endMs, this.nowMs) < EXPIRING_MS;
  }

  /** A mark on a lease that is gone would be counted and then fail. */
  #dropLost(): void {
    if (this.marked.size === 0) return;
    const living = new Set(this.living.map((item) => item.row.id));
    const marked = [...this.marked].filter((id) => living.has(id));
    if (marked.length < this.marked.size) this.marked = new Set(marked);
  }

  #visible(): readonly LeaseItem[] {
    const query = this.query.trim().toLowerCase().replace(/^0x/, '');
    const shown = this.items.filter((item) => {
      if (this.filter === 'noKeys' && item.row.keyCount > 0) return false;
      if (this.filter === 'expiring' && !this.#isExpiring(item)) return false;
      return query === '' || item.row.id.includes(query);
    });
    const sign = this.descending ? -1 : 1;
    return shown.sort((a, b) => sign * compare(a, b, this.sort) || compareIds(a.row.id, b.row.id));
  }
}

function isFaded(item: LeaseItem, nowMs: number): boolean {
  return item.goneAtMs !== null && nowMs - item.goneAtMs >= FADE_MS;
}

/** Ids are hex without leading zeros: the longer one is the larger. */
function compareIds(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

function compare(a: LeaseItem, b: LeaseItem, column: SortColumn): number {
  switch (column) {
    case 'ttl':
      return a.endMs - b.endMs;
    case 'granted':
      return a.row.grantedTtl - b.row.grantedTtl;
    case 'keys':
      return a.row.keyCount - b.row.keyCount;
    case 'id':
      return compareIds(a.row.id, b.row.id);
  }
}
