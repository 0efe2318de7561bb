import { asCallError, type ContractClient } from '../api/client.ts';
import type { IconName } from '../components/icons.ts';
import { displayBytes, parseEscapes, utf8Encode } from '../lib/bytes.ts';

/** Rows shown at once; more than that is no choice. */
export const MAX_RESULTS = 60;
const MAX_KEYS = 12;
/** Pause in typing after which keys are asked for. */
const KEYS_DELAY_MS = 120;

export type PaletteGroup = 'recent' | 'actions' | 'views' | 'clusters' | 'app' | 'keys';

export interface PaletteItem {
  id: string;
  group: PaletteGroup;
  label: string;
  icon: IconName;
  detail: string;
  /** The shortcut that does the same, as it is shown. */
  kbd?: string;
  mono?: boolean;
  run: () => void;
}

export interface PaletteResult {
  item: PaletteItem;
  /** Marked parts of the label: [from, to) pairs in order. */
  marks: readonly (readonly [number, number])[];
}

/** The scope that a first character chooses: / keys, @ clusters, > actions. */
export function scopeOf(query: string): {
  scope: 'all' | 'keys' | 'clusters' | 'actions';
  text: string;
} {
  if (query.startsWith('/')) return { scope: 'keys', text: query };
  if (query.startsWith('@')) return { scope: 'clusters', text: query.slice(1) };
  if (query.startsWith('>')) return { scope: 'actions', text: query.slice(1) };
  return { scope: 'all', text: query };
}

/** Every word of the query has to be in the label, in any order; null if one is not. */
export function matchWords(label: string, query: string): [number, number][] | null {
  const text = label.toLowerCase();
  const marks: [number, number][] = [];
  for (const word of query.toLowerCase().split(/\s+/u)) {
    if (word === '') continue;
    const at = text.indexOf(word);
    if (at === -1) return null;
    marks.push([at, at + word.length]);
  }
  return marks
    .sort((a, b) => a[0] - b[0])
    .filter((m, i, all) => i === 0 || m[0] >= (all[i - 1]?.[1] ?? 0));
}

/** The commands that were run last, as a group of their own before all others. */
export function withRecents(
  items: readonly PaletteItem[],
  recents: readonly string[],
): PaletteItem[] {
  const recent = recents.flatMap((id) => items.filter((item) => item.id === id));
  const rest = items.filter((item) => !recents.includes(item.id));
  return [...recent.map((item): PaletteItem => ({ ...item, group: 'recent' })), ...rest];
}

/**
 * Items that match, those with a match at the start of a word first; the order is kept otherwise.
 */
export function search(items: readonly PaletteItem[], query: string): PaletteResult[] {
  const { scope, text } = scopeOf(query);
  const results: (PaletteResult & { score: number; order: number })[] = [];
  for (const [order, item] of items.entries()) {
    if (scope === 'clusters' && item.group !== 'clusters') continue;
    if (scope === 'actions' && item.group !== 'actions' && item.group !== 'app') continue;
    if (scope === 'keys' && item.group !== 'keys') continue;
    // Any text may begin a key: keys come after what was found by its name.
    const isKey = item.group === 'keys';
    const marks = isKey ? [] : matchWords(item.label, text);
    if (marks === null) continue;
    results.push({ item, marks, score: isKey ? KEY_SCORE : scoreOf(item.label, marks), order });
  }
  results.sort((a, b) => a.score - b.score || a.order - b.order);
  return byGroup(results).slice(0, MAX_RESULTS);
}

/** After every match of a name. */
const KEY_SCORE = 3;

/** 0 at the start of the label, 1 at the start of a word, 2 inside of one. */
function scoreOf(label: string, marks: readonly (readonly [number, number])[]): number {
  const first = marks[0]?.[0] ?? 0;
  if (first === 0) return 0;
  return /[\s:/_-]/u.test(label.charAt(first - 1)) ? 1 : 2;
}

/** Groups stay together, in the order in which their best matches come. */
function byGroup(results: readonly PaletteResult[]): PaletteResult[] {
  const groups = new Map<PaletteGroup, PaletteResult[]>();
  for (const { item, marks } of results) {
    const list = groups.get(item.group) ?? [];
    list.push({ item, marks });
    groups.set(item.group, list);
  }
  return [...groups.values()].flat();
}

/** Keys of the current cluster that start with what was typed. */
export class KeySearch {
  keys = $state.raw<readonly { name: string; bytes: Uint8Array }[]>([]);
  error = $state<string | null>(null);
  readonly #client: Pick<ContractClient, 'call'>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #abort: AbortController | null = null;

  constructor(client: Pick<ContractClient, 'call'>) {
    this.#client = client;
  }

  /** Asks after a pause in typing; '' forgets what was found. */
  ask(clusterId: string | null, prefix: string): void {
    this.cancel();
    this.error = null;
    if (clusterId === null || prefix === '') {
      this.keys = [];
      return;
    }
    this.#timer = setTimeout(() => void this.#find(clusterId, prefix), KEYS_DELAY_MS);
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  async #find(clusterId: string, prefix: string): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    const parsed = parseEscapes(prefix);
    const bytes = parsed.ok ? parsed.bytes : utf8Encode(prefix);
    try {
      const { rows } = await this.#client.call(
        'keys.list',
        { clusterId, prefix: bytes, limit: MAX_KEYS },
        { signal: abort.signal },
      );
      this.keys = rows.map((row) => ({ name: displayBytes(row.key), bytes: row.key }));
    } catch (error) {
      const failure = asCallError(error);
      if (failure.code === 'Cancelled') return;
      this.keys = [];
      this.error = failure.message;
    }
  }
}
