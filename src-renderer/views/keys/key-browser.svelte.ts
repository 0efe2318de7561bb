import type { KeyRow } from '../../../src-main/contract/views.ts';
import { equalBytes } from '../../lib/bytes.ts';
import { Editor, type EditorPort } from './detail/editor.svelte.ts';
import { type GetKey, OpenKey } from './detail/open-key.svelte.ts';
import { type FetchPage, KeyPages } from './key-pages.svelte.ts';

/** A pause in typing after which the prefix is searched. */
export const SEARCH_DELAY_MS = 150;
/** Rows that are passed quicker than this are not read. */
export const OPEN_DELAY_MS = 70;
/** Keys that may be marked: what one call deletes. */
export const MAX_MARKED = 1_000;

/** Runs a function after a pause; returns how to cancel it. */
export type Delay = (run: () => void, ms: number) => () => void;

export interface KeyBrowserPort {
  listPage: FetchPage;
  get: GetKey;
  put: EditorPort['put'];
  delay: Delay;
  encodePrefix(text: string): Uint8Array;
  /** A name for a key's bytes, the same for the same bytes. */
  nameOf(key: Uint8Array): string;
}

/**
 * The key browser: a prefix, its keys, the row the keyboard is on, the key that is open, and what
 * is marked.
 */
export class KeyBrowser {
  readonly pages: KeyPages;
  readonly opened: OpenKey;
  readonly editor: Editor;
  prefixText = $state('');
  /** The row the keyboard is on, or -1. */
  cursor = $state(-1);
  marked = $state.raw<ReadonlyMap<string, KeyRow>>(new Map());
  /** Revision of the last write made here; a listing older than that is read again by itself. */
  savedRevision = $state(0);

  readonly #port: KeyBrowserPort;
  #cancelSearch: (() => void) | null = null;
  #cancelOpen: (() => void) | null = null;
  /** Where a range of marks began. */
  #anchor = -1;
  /** The row under the cursor is to be opened as soon as it is loaded. */
  #wantsOpen = false;

  constructor(port: KeyBrowserPort) {
    this.#port = port;
    this.pages = new KeyPages(port.listPage);
    this.opened = new OpenKey(port.get);
    this.editor = new Editor({ get: (key) => port.get(key), put: port.put }, (key, revision) =>
      this.wrote(revision, key),
    );
  }

  /** Lists a prefix at once, e.g. when the view opens. */
  async start(prefixText: string): Promise<void> {
    this.prefixText = prefixText;
    await this.#search();
  }

  /** Takes what is typed; searches after a pause. */
  type(text: string): void {
    if (text === this.prefixText) return;
    this.prefixText = text;
    this.#cancelSearch?.();
    this.#cancelSearch = this.#port.delay(() => void this.#search(), SEARCH_DELAY_MS);
  }

  /** Moves the keyboard to a row and opens it, unless it is passed quickly. */
  moveTo(index: number, openNow = false): void {
    const last = this.pages.count - 1;
    if (last < 0) return;
    this.cursor = Math.max(0, Math.min(last, index));
    this.#anchor = this.cursor;
    this.#cancelOpen?.();
    this.#wantsOpen = true;
    if (openNow) this.openCursor();
    else this.#cancelOpen = this.#port.delay(() => this.openCursor(), OPEN_DELAY_MS);
  }

  /**
   * Rows have arrived: opens the one under the cursor if it was moved there before it was loaded.
   */
  rowsArrived(): void {
    if (this.#wantsOpen && this.#cancelOpen === null) this.openCursor();
  }

  /** Opens the key under the cursor, once it is loaded. */
  openCursor(): void {
    this.#cancelOpen = null;
    const row = this.pages.row(this.cursor);
    this.#wantsOpen = row === undefined;
    if (row === undefined) return;
    const { key } = this.opened;
    if (key !== null && equalBytes(key, row.key)) return;
    void this.opened.open(row.key);
  }

  /** Opens a key, unless another is asked for in the next moment. */
  openSoon(key: Uint8Array): void {
    this.#cancelOpen?.();
    this.#wantsOpen = false;
    this.#cancelOpen = this.#port.delay(() => this.openKey(key), OPEN_DELAY_MS);
  }

  /** Opens a key that need not be listed, e.g. one just created. */
  openKey(key: Uint8Array): void {
    this.#cancelOpen?.();
    this.#cancelOpen = null;
    this.#wantsOpen = false;
    this.cursor = this.pages.indexOf((other) => equalBytes(other, key));
    void this.opened.open(key);
  }

  /** The newest state of list and open key. */
  async refresh(): Promise<void> {
    const reading = this.opened.reload();
    await this.pages.refresh();
    const { key } = this.opened;
    if (key !== null) {
      this.cursor = this.pages.indexOf((other) => equalBytes(other, key));
    }
    await reading;
  }

  /** After a write made here. */
  wrote(revision: number, key?: Uint8Array): void {
    this.savedRevision = Math.max(this.savedRevision, revision);
    if (key !== undefined && this.opened.key !== null && !equalBytes(this.opened.key, key)) {
      void this.pages.refresh();
    } else {
      void this.refresh();
    }
  }

  /**
   * After keys were deleted here: the open key may be one of them, then the row in its place is
   * opened.
   */
  async deleted(keys: (key: Uint8Array) => boolean, revision: number): Promise<void> {
    this.savedRevision = Math.max(this.savedRevision, revision);
    this.clearMarks();
    const { key } = this.opened;
    const place = this.cursor;
    if (key === null || !keys(key)) return this.refresh();
    this.opened.close();
    await this.pages.refresh();
    if (place >= 0 && this.pages.count > 0) this.moveTo(place, true);
    else this.cursor = -1;
  }

  isMarked(row: KeyRow): boolean {
    return this.marked.size > 0 && this.marked.has(this.#port.nameOf(row.key));
  }

  /** Marks or unmarks a row; false if no more can be marked or the row is not loaded. */
  toggleMark(index: number): boolean {
    const row = this.pages.row(index);
    if (row === undefined || !this.toggleRow(row)) return false;
    this.#anchor = index;
    return true;
  }

  /** Marks or unmarks a key, wherever it is listed; false if no more can be marked. */
  toggleRow(row: KeyRow): boolean {
    const marked = new Map(this.marked);
    const name = this.#port.nameOf(row.key);
    if (!marked.delete(name)) {
      if (marked.size >= MAX_MARKED) return false;
      marked.set(name, row);
    }
    this.marked = marked;
    return true;
  }

  /** Marks every row from the last one touched; false if not all could be. */
  markTo(index: number): boolean {
    const from = this.#anchor < 0 ? index : this.#anchor;
    const marked = new Map(this.marked);
    let all = true;
    for (let i = Math.min(from, index); i <= Math.max(from, index); i++) {
      const row = this.pages.row(i);
      if (row === undefined || marked.size >= MAX_MARKED) {
        all = false;
        break;
      }
      marked.set(this.#port.nameOf(row.key), row);
    }
    this.marked = marked;
    this.cursor = index;
    return all;
  }

  clearMarks(): void {
    this.marked = new Map();
  }

  dispose(): void {
    this.#cancelSearch?.();
    this.#cancelOpen?.();
    this.pages.dispose();
    this.opened.close();
  }

  async #search(): Promise<void> {
    this.cursor = -1;
    this.#anchor = -1;
    // Marks that are out of sight would be deleted unseen.
    this.clearMarks();
    await this.pages.open(this.#port.encodePrefix(this.prefixText));
  }
}
