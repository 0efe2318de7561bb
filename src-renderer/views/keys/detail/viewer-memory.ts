import { toHex } from '../../../lib/bytes.ts';
import type { ViewKind } from './content.ts';

/** Prefixes that are remembered for one cluster; the one that was used longest ago goes first. */
export const MAX_REMEMBERED = 200;

const SLASH = 0x2f;

/** The part of localStorage that is used, so that tests can do without a browser. */
export interface TextStore {
  getItem(name: string): string | null;
  setItem(name: string, text: string): void;
}

/**
 * The viewer that someone chose for the keys under a prefix. Keys in one folder hold the same kind
 * of value, mostly, so a choice holds for the folder and what is below it.
 */
export class ViewerMemory {
  readonly #store: TextStore | null;
  readonly #name: string;
  #kinds: Map<string, ViewKind>;

  constructor(store: TextStore | null, clusterId: string) {
    this.#store = store;
    this.#name = `raftdeck.viewers.${clusterId}`;
    this.#kinds = this.#load();
  }

  /** What was chosen for the nearest folder above a key; null if nothing was. */
  kindFor(key: Uint8Array): ViewKind | null {
    if (this.#kinds.size === 0) return null;
    for (let end = key.length; end >= 0; end--) {
      if (end > 0 && key[end - 1] !== SLASH) continue;
      const kind = this.#kinds.get(toHex(key.subarray(0, end)));
      if (kind !== undefined) return kind;
    }
    return null;
  }

  /** Null forgets the choice of the folder itself. */
  choose(key: Uint8Array, kind: ViewKind | null): void {
    const folder = toHex(folderOf(key));
    this.#kinds.delete(folder);
    if (kind !== null) this.#kinds.set(folder, kind);
    while (this.#kinds.size > MAX_REMEMBERED) {
      const oldest = this.#kinds.keys().next();
      if (oldest.done) break;
      this.#kinds.delete(oldest.value);
    }
    this.#save();
  }

  #load(): Map<string, ViewKind> {
    try {
      const stored: unknown = JSON.parse(this.#store?.getItem(this.#name) ?? '[]');
      if (!Array.isArray(stored)) return new Map();
      const pairs = stored.filter(
        (pair): pair is [string, ViewKind] =>
          Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'string',
      );
      return new Map(pairs.slice(-MAX_REMEMBERED));
    } catch {
      return new Map();
    }
  }

  #save(): void {
    try {
      this.#store?.setItem(this.#name, JSON.stringify([...this.#kinds]));
    } catch {
      // A full or forbidden store: the choice holds until the page is left.
    }
  }
}

/** The key up to its last slash, that one included; a slash at the very end names the key itself. */
export function folderOf(key: Uint8Array): Uint8Array {
  const last = key.subarray(0, Math.max(0, key.length - 1)).lastIndexOf(SLASH);
  return key.subarray(0, last + 1);
}
