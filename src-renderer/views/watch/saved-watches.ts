import { fromHex, toHex } from '../../lib/bytes.ts';
import {
  MAX_RULES,
  MAX_THRESHOLD,
  MAX_WINDOW_SECONDS,
  type NoticeRule,
} from './notice-rules.svelte.ts';
import type { WatchTarget } from './watch-target.ts';

/**
 * Watches end with their page, and the store keeps the history: what was watched is noted when the
 * page goes, and is opened again from there when it comes back, so that a reload misses nothing.
 */
export interface SavedWatches {
  targets: WatchTarget[];
  /** Indexes of those that stood side by side. */
  shown: number[];
  active: number;
}

/** The part of the Web Storage that is used. */
export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const NONE: SavedWatches = { targets: [], shown: [], active: -1 };

const watchesSlot = (clusterId: string) => `raftdeck.watches.${clusterId}`;
const rulesSlot = (clusterId: string) => `raftdeck.watch-rules.${clusterId}`;

export function saveWatches(store: Store, clusterId: string, saved: SavedWatches): void {
  const targets = saved.targets.map((target) => ({
    ...target,
    key: toHex(target.key),
    rangeEnd: toHex(target.rangeEnd),
  }));
  write(store, watchesSlot(clusterId), targets.length === 0 ? null : { ...saved, targets });
}

/** What was saved; nothing if it is missing or not ours. */
export function loadWatches(store: Store, clusterId: string, max: number): SavedWatches {
  const raw = read(store, watchesSlot(clusterId));
  if (!isRecord(raw) || !Array.isArray(raw.targets)) return NONE;
  const shown = Array.isArray(raw.shown) ? raw.shown.filter(Number.isSafeInteger) : [];
  return {
    targets: raw.targets.flatMap(toTarget).slice(0, max),
    shown: [...new Set<number>(shown)],
    active: typeof raw.active === 'number' ? raw.active : -1,
  };
}

export function saveRules(store: Store, clusterId: string, rules: readonly NoticeRule[]): void {
  const list = rules.map((rule) => ({ ...rule, prefix: toHex(rule.prefix) }));
  write(store, rulesSlot(clusterId), list.length === 0 ? null : list);
}

export function loadRules(store: Store, clusterId: string): NoticeRule[] {
  const raw = read(store, rulesSlot(clusterId));
  return Array.isArray(raw) ? raw.flatMap(toRule).slice(0, MAX_RULES) : [];
}

function write(store: Store, slot: string, value: unknown): void {
  try {
    if (value === null) store.removeItem(slot);
    else store.setItem(slot, JSON.stringify(value));
  } catch {
    // A full or forbidden storage only means that nothing comes back after a reload.
  }
}

function read(store: Store, slot: string): unknown {
  try {
    return JSON.parse(store.getItem(slot) ?? 'null');
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function toBytes(raw: unknown): Uint8Array | null {
  return typeof raw === 'string' ? fromHex(raw) : null;
}

function isCount(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max;
}

function oneOf<T extends string>(value: unknown, ...choices: readonly T[]): T | undefined {
  return choices.find((choice) => choice === value);
}

function toTarget(raw: unknown): WatchTarget[] {
  if (!isRecord(raw)) return [];
  const [key, rangeEnd] = [toBytes(raw.key), toBytes(raw.rangeEnd)];
  const scope = oneOf(raw.scope, 'prefix', 'range', 'key');
  const only = oneOf(raw.only, 'put', 'delete') ?? null;
  const { startRevision } = raw;
  if (key === null || rangeEnd === null || scope === undefined) return [];
  if (scope === 'key' && key.length === 0) return [];
  if (!isCount(startRevision, 0, Number.MAX_SAFE_INTEGER)) return [];
  return [{ scope, key, rangeEnd, startRevision, only }];
}

function toRule(raw: unknown): NoticeRule[] {
  if (!isRecord(raw)) return [];
  const prefix = toBytes(raw.prefix);
  const type = oneOf(raw.type, 'any', 'put', 'delete');
  const { threshold, seconds } = raw;
  if (prefix === null || type === undefined) return [];
  if (!isCount(threshold, 1, MAX_THRESHOLD) || !isCount(seconds, 1, MAX_WINDOW_SECONDS)) return [];
  return [{ prefix, type, threshold, seconds }];
}
