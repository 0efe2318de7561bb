import type { KeyLevel, KeyLevelEntry } from '../../../../src-main/contract/keys-level.ts';
import type { KeyRow } from '../../../../src-main/contract/views.ts';
import { equalBytes, toHex } from '../../../lib/bytes.ts';

/** Entries read at once; the next ones as the end of what is there comes into view. */
export const LEVEL_ENTRIES = 200;
/** Folders that are opened again after a refresh; each costs requests. */
export const MAX_REOPENED = 50;

export interface LevelRequest {
  prefix: Uint8Array;
  separator: Uint8Array;
  from?: Uint8Array;
  limit: number;
  revision?: number;
}

export type FetchLevel = (request: LevelRequest, signal: AbortSignal) => Promise<KeyLevel>;

export interface Folder {
  prefix: Uint8Array;
  /** Of its entries; 0 at the top. */
  depth: number;
  isOpen: boolean;
  entries: Entry[];
  /** Where the rest begins; undefined: nothing was read yet; null: all is here. */
  next: Uint8Array | null | undefined;
  isLoading: boolean;
  problem: unknown;
}

type Entry = { kind: 'key'; row: KeyRow } | { kind: 'folder'; folder: Folder };

export type TreeRow =
  | { kind: 'key'; row: KeyRow; parent: Folder }
  | { kind: 'folder'; folder: Folder; parent: Folder }
  /** More of the parent is being read, or will be when this is in view, or could not be. */
  | { kind: 'more'; parent: Folder };

/**
 * The keys below a prefix as a tree, at one revision. Only folders that were opened are read, each
 * in pages; `rows` is what is on show, from top to bottom.
 */
export class KeyTree {
  rows = $state.raw<readonly TreeRow[]>([]);
  /** The row that the keyboard is on, or -1. */
  cursor = $state(-1);

  readonly #fetch: FetchLevel;
  #separator: Uint8Array = new Uint8Array();
  #revision = 0;
  #root: Folder = newFolder(new Uint8Array(), 0);
  #abort = new AbortController();

  constructor(fetch: FetchLevel) {
    this.#fetch = fetch;
  }

  /**
   * Shows a prefix at a revision. If it is the one on show, at another revision, the rows stay
   * until the new ones are there, and open folders are opened again.
   */
  async show(prefix: Uint8Array, separator: Uint8Array, revision: number): Promise<void> {
    const before = this.#root;
    const isSame =
      equalBytes(before.prefix, prefix) &&
      equalBytes(this.#separator, separator) &&
      this.#revision !== 0;
    if (isSame && this.#revision === revision) return;
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#separator = separator;
    this.#revision = revision;
    const root = newFolder(prefix, 0);
    root.isOpen = true;
    this.#root = root;
    const kept = isSame ? this.#place() : null;
    if (!isSame) {
      this.rows = [];
      this.cursor = -1;
    }
    await this.#read(root, abort.signal);
    if (isSame) await this.#reopen(root, openFolders(before), abort.signal);
    else await this.#descend(root, abort.signal);
    if (abort.signal.aborted) return;
    this.#draw();
    if (kept !== null) this.cursor = this.rows.findIndex((row) => nameOf(row) === kept);
  }

  get revision(): number {
    return this.#revision;
  }

  /** Opens a folder, or closes it. */
  async toggle(index: number): Promise<void> {
    const row = this.rows[index];
    if (row?.kind !== 'folder') return;
    const { folder } = row;
    folder.isOpen = !folder.isOpen;
    if (folder.isOpen && folder.next === undefined) await this.#load(folder);
    else this.#draw();
  }

  /** As trees do: opens the folder under the cursor, then goes to its first entry. */
  async right(): Promise<void> {
    const row = this.rows[this.cursor];
    if (row?.kind !== 'folder') return;
    if (!row.folder.isOpen) await this.toggle(this.cursor);
    else if (row.folder.entries.length > 0) this.cursor++;
  }

  /** As trees do: closes the folder under the cursor, or goes to the one that it is in. */
  async left(): Promise<void> {
    const row = this.rows[this.cursor];
    if (row === undefined) return;
    if (row.kind === 'folder' && row.folder.isOpen) return this.toggle(this.cursor);
    const parent = this.rows.findIndex((r) => r.kind === 'folder' && r.folder === row.parent);
    if (parent >= 0) this.cursor = parent;
  }

  /** Tells which rows are in view: what goes on there is read on. */
  async inView(from: number, to: number): Promise<void> {
    for (const row of this.rows.slice(from, to + 1)) {
      if (row.kind === 'more' && row.parent.problem === null) await this.#load(row.parent);
    }
  }

  /** After a failure. */
  async retry(folder: Folder): Promise<void> {
    folder.problem = null;
    await this.#load(folder);
  }

  dispose(): void {
    this.#abort.abort();
  }

  async #load(folder: Folder): Promise<void> {
    if (folder.isLoading || folder.next === null) return;
    const { signal } = this.#abort;
    const reading = this.#read(folder, signal);
    this.#draw();
    await reading;
    if (!signal.aborted) this.#draw();
  }

  async #read(folder: Folder, signal: AbortSignal): Promise<void> {
    folder.isLoading = true;
    try {
      const answer = await this.#fetch(
        {
          prefix: folder.prefix,
          separator: this.#separator,
          limit: LEVEL_ENTRIES,
          ...(folder.next == null ? {} : { from: folder.next }),
          ...(this.#revision === 0 ? {} : { revision: this.#revision }),
        },
        signal,
      );
      if (signal.aborted) return;
      if (this.#revision === 0) this.#revision = answer.revision;
      for (const entry of answer.entries) folder.entries.push(toEntry(entry, folder.depth + 1));
      folder.next = answer.next;
      folder.problem = null;
    } catch (error) {
      if (!signal.aborted) folder.problem = error;
    } finally {
      folder.isLoading = false;
    }
  }

  /** Where a level is nothing but one folder, it is opened at once. */
  async #descend(root: Folder, signal: AbortSignal): Promise<void> {
    const [only] = root.entries;
    if (root.entries.length !== 1 || only?.kind !== 'folder' || signal.aborted) return;
    only.folder.isOpen = true;
    await this.#read(only.folder, signal);
  }

  async #reopen(folder: Folder, open: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    let left = MAX_REOPENED;
    const walk = async (at: Folder): Promise<void> => {
      for (const entry of at.entries) {
        if (entry.kind !== 'folder' || !open.has(toHex(entry.folder.prefix))) continue;
        if (left-- <= 0 || signal.aborted) return;
        entry.folder.isOpen = true;
        await this.#read(entry.folder, signal);
        await walk(entry.folder);
      }
    };
    await walk(folder);
  }

  #place(): string | null {
    const row = this.rows[this.cursor];
    return row === undefined ? null : nameOf(row);
  }

  #draw(): void {
    const at = this.#place();
    const rows: TreeRow[] = [];
    const walk = (parent: Folder): void => {
      for (const entry of parent.entries) {
        if (entry.kind === 'key') rows.push({ ...entry, parent });
        else {
          rows.push({ ...entry, parent });
          if (entry.folder.isOpen) walk(entry.folder);
        }
      }
      if (parent.next !== null) rows.push({ kind: 'more', parent });
    };
    walk(this.#root);
    this.rows = rows;
    // Rows above may have come or gone: the cursor stays on its entry.
    if (at !== null && nameOf(rows[this.cursor]) !== at) {
      this.cursor = rows.findIndex((row) => nameOf(row) === at);
    }
  }
}

function newFolder(prefix: Uint8Array, depth: number): Folder {
  return {
    prefix,
    depth,
    isOpen: false,
    entries: [],
    next: undefined,
    isLoading: false,
    problem: null,
  };
}

function toEntry(entry: KeyLevelEntry, depth: number): Entry {
  if (entry.kind === 'key') return entry;
  return { kind: 'folder', folder: newFolder(entry.prefix, depth) };
}

/** A name for a row, the same after a refresh. */
function nameOf(row: TreeRow | undefined): string {
  if (row === undefined) return '';
  if (row.kind === 'key') return `key ${toHex(row.row.key)}`;
  if (row.kind === 'folder') return `folder ${toHex(row.folder.prefix)}`;
  return `more ${toHex(row.parent.prefix)}`;
}

function openFolders(root: Folder): Set<string> {
  const open = new Set<string>();
  const walk = (folder: Folder): void => {
    for (const entry of folder.entries) {
      if (entry.kind !== 'folder' || !entry.folder.isOpen) continue;
      open.add(toHex(entry.folder.prefix));
      walk(entry.folder);
    }
  };
  walk(root);
  return open;
}
