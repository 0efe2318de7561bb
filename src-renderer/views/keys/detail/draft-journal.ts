/**
 * The edits of the last moments of a page. Its database writes in the background, and a page that goes away takes along
 * what is not committed; the page's text store is written before the call returns.
 */
import { fromBase64, toBase64 } from '../../../lib/bytes.ts';
import type { DraftMode, DraftRecord } from './draft.svelte.ts';
import type { TextStore } from './viewer-memory.ts';

/** Characters: browsers refuse more than 5 MiB for a whole origin. */
export const MAX_JOURNAL_CHARS = 1024 * 1024;

const MODES: readonly string[] = ['text', 'json', 'yaml', 'xml', 'hex', 'base64'];

export type DraftChanges = Map<string, DraftRecord | null>;

export class DraftJournal {
  readonly #store: TextStore | null;
  readonly #name: string;

  constructor(store: TextStore | null, clusterId: string) {
    this.#store = store;
    this.#name = `raftdeck.drafts.${clusterId}`;
  }

  /** What was written last and is not in the database, by key in hex. Null where an edit ended. */
  read(): DraftChanges {
    const changes: DraftChanges = new Map();
    try {
      const parsed: unknown = JSON.parse(this.#store?.getItem(this.#name) ?? '{}');
      for (const [name, one] of Object.entries(Object(parsed))) {
        const record = one === null ? null : recordOf(one);
        if (record !== undefined) changes.set(name, record);
      }
    } catch {
      // Someone else's text, or no store: edits are as the database has them.
    }
    return changes;
  }

  write(changes: DraftChanges): void {
    const entries = [...changes].map(([name, record]) => [name, record && jsonOf(record)]);
    const text = JSON.stringify(Object.fromEntries(entries));
    try {
      if (text.length <= MAX_JOURNAL_CHARS) this.#store?.setItem(this.#name, text);
    } catch {
      // A full or forbidden store: the database may still have made it.
    }
  }

  clear(): void {
    if (this.read().size > 0) this.write(new Map());
  }
}

function jsonOf(record: DraftRecord): Record<string, unknown> {
  return { ...record, key: toBase64(record.key), baseValue: toBase64(record.baseValue) };
}

function recordOf(value: unknown): DraftRecord | undefined {
  const { key, baseValue, baseModRevision, mode, text, oneLine } = Object(value);
  if (typeof key !== 'string' || typeof baseValue !== 'string' || typeof text !== 'string') {
    return undefined;
  }
  const [keyBytes, baseBytes] = [fromBase64(key), fromBase64(baseValue)];
  if (keyBytes === null || baseBytes === null || !isMode(mode)) return undefined;
  if (!Number.isSafeInteger(baseModRevision) || typeof oneLine !== 'boolean') return undefined;
  return { key: keyBytes, baseValue: baseBytes, baseModRevision, mode, text, oneLine };
}

function isMode(value: unknown): value is DraftMode {
  return typeof value === 'string' && MODES.includes(value);
}
