import { fromHex, toHex } from '../../lib/bytes.ts';
import type { WatchTarget } from './watch-session.svelte.ts';

/**
 * Watches end with their view, and the store keeps the history: what was watched is noted when the
 * view goes, and is opened again from there when it comes back, so that nothing is missed while
 * another view is shown.
 */
export interface SavedWatches {
  targets: WatchTarget[];
  active: number;
}

/** The part of the Web Storage that is used. */
export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

function slot(clusterId: string): string {
  return `raftdeck.watches.${clusterId}`;
}

export function saveWatches(store: Store, clusterId: string, saved: SavedWatches): void {
  const targets = saved.targets.map(({ key, prefix, startRevision }) => ({
    key: toHex(key),
    prefix,
    startRevision,
  }));
  try {
    if (targets.length === 0) store.removeItem(slot(clusterId));
    else store.setItem(slot(clusterId), JSON.stringify({ targets, active: saved.active }));
  } catch {
    // A full or forbidden storage only means that the watches are not there when the view comes
    // back.
  }
}

/** What was saved; nothing if it is missing or not ours. */
export function loadWatches(store: Store, clusterId: string, max: number): SavedWatches {
  try {
    const raw: unknown = JSON.parse(store.getItem(slot(clusterId)) ?? 'null');
    if (!isRecord(raw) || !Array.isArray(raw.targets)) return { targets: [], active: -1 };
    const targets = raw.targets.flatMap(toTarget).slice(0, max);
    return { targets, active: typeof raw.active === 'number' ? raw.active : -1 };
  } catch {
    return { targets: [], active: -1 };
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function toTarget(raw: unknown): WatchTarget[] {
  if (!isRecord(raw) || typeof raw.key !== 'string' || typeof raw.prefix !== 'boolean') return [];
  const key = fromHex(raw.key);
  const { startRevision, prefix } = raw;
  if (key === null || !Number.isSafeInteger(startRevision) || Number(startRevision) < 0) return [];
  return [{ key, prefix, startRevision: Number(startRevision) }];
}
