import type { KeyPage, KeyRow } from '../../../src-main/contract/views.ts';

/** Rows in one cached page. */
export const PAGE_ROWS = 500;
/** Rows asked for at once on the way to a far row: the contract's limit for one page. */
export const WALK_ROWS = 5_000;
/** Pages kept; those farthest from what is in view go first. */
export const MAX_CACHED_PAGES = 120;

export interface PageRequest {
  prefix: Uint8Array;
  after?: Uint8Array;
  limit: number;
  revision?: number;
}

export type FetchPage = (request: PageRequest, signal: AbortSignal) => Promise<KeyPage>;

/**
 * The keys under a prefix at one revision, as a list that can be entered anywhere. The server pages
 * by key, not by number, so a far row is reached by walking pages; where each page starts is
 * remembered, the rows of most are not.
 */
export class KeyPages {
  /** Before the first answer `count` is 0 and `loaded` is false. */
  loaded = $state(false);
  loading = $state(false);
  count = $state(0);
  /** Revision of the listing; 0 before the first answer. */
  revision = $state(0);
  /** What failed last, until an answer comes; the rows already read stay. */
  problem = $state.raw<unknown>(null);
  /**
   * How far the way to a row not yet known has come, in rows; null when what is in view is there.
   */
  walkedTo = $state<number | null>(null);
  #version = $state(0);

  readonly #fetch: FetchPage;
  #prefix: Uint8Array = new Uint8Array();
  #pages = new Map<number, readonly KeyRow[]>();
  /** Rows of the listing before a refresh, shown until the new ones are there. */
  #stale = new Map<number, readonly KeyRow[]>();
  /** starts[p]: the key after which page p begins; undefined in slot 0, the beginning. */
  #starts: (Uint8Array | undefined)[] = [undefined];
  #first = 0;
  #last = 0;
  #abort: AbortController | null = null;
  /** The listing begins anew with its first page, at whatever revision is the newest then. */
  #wantsNewest = true;

  constructor(fetch: FetchPage) {
    this.#fetch = fetch;
  }

  get prefix(): Uint8Array {
    return this.#prefix;
  }

  /** The row at an index, or undefined while it is not loaded. */
  row(index: number): KeyRow | undefined {
    void this.#version;
    const page = Math.floor(index / PAGE_ROWS);
    const rows = this.#pages.get(page) ?? this.#stale.get(page);
    return rows?.[index - page * PAGE_ROWS];
  }

  /** Where a key stands among the rows at hand, or -1. */
  indexOf(matches: (key: Uint8Array) => boolean): number {
    for (const [page, rows] of this.#pages) {
      const index = rows.findIndex((row) => matches(row.key));
      if (index >= 0) return page * PAGE_ROWS + index;
    }
    return -1;
  }

  /** Lists another prefix, from its first row. What was under way is cancelled. */
  open(prefix: Uint8Array): Promise<void> {
    this.#prefix = prefix;
    this.#first = 0;
    this.#last = 0;
    this.#stale = new Map();
    this.problem = null;
    this.loaded = false;
    return this.#restart();
  }

  /** Reads the same prefix again at the newest revision; the rows at hand stay until then. */
  refresh(): Promise<void> {
    for (const [page, rows] of this.#pages) this.#stale.set(page, rows);
    return this.#restart();
  }

  /** Goes on after a failure, at the same revision if the listing had begun. */
  retry(): Promise<void> {
    return this.loaded ? this.#pump() : this.#restart();
  }

  /** Tells which rows are in view; loads them and the page after. */
  show(firstIndex: number, lastIndex: number): void {
    this.#first = Math.max(0, Math.floor(firstIndex / PAGE_ROWS));
    this.#last = Math.max(this.#first, Math.floor(lastIndex / PAGE_ROWS));
    if (this.loaded && !this.loading && this.problem === null) void this.#pump();
  }

  dispose(): void {
    this.#abort?.abort();
    this.#abort = null;
  }

  #restart(): Promise<void> {
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.#pages = new Map();
    this.#starts = [undefined];
    this.#wantsNewest = true;
    this.loading = false;
    return this.#pump();
  }

  /**
   * Loads until all that is wanted is there; one request at a time, the newest wish decides which.
   */
  async #pump(): Promise<void> {
    const abort = this.#abort;
    if (abort === null || this.loading) return;
    this.loading = true;
    try {
      for (let page = this.#missing(); page !== null; page = this.#missing()) {
        await this.#load(page, abort.signal);
        if (abort.signal.aborted) return;
        this.problem = null;
        this.#wantsNewest = false;
      }
      if (abort.signal.aborted) return;
      this.#stale = new Map();
    } catch (error) {
      if (abort.signal.aborted) return;
      this.problem = error;
    }
    if (abort.signal.aborted) return;
    this.loading = false;
    this.walkedTo = null;
  }

  /** The first page in view (or just after) that is not loaded. */
  #missing(): number | null {
    if (this.#wantsNewest) return 0;
    const end = Math.ceil(this.count / PAGE_ROWS);
    for (let page = this.#first; page <= Math.min(this.#last + 1, end - 1); page++) {
      if (!this.#pages.has(page)) return page;
    }
    return null;
  }

  async #load(wanted: number, signal: AbortSignal): Promise<void> {
    // Without its start a page is reached from the last known one, in the largest steps allowed.
    const from = Math.min(wanted, this.#starts.length - 1);
    const limit = Math.min(WALK_ROWS, (wanted - from + 1) * PAGE_ROWS);
    if (from < wanted) this.walkedTo = from * PAGE_ROWS;
    const rows: KeyRow[] = [];
    let revision = this.#wantsNewest ? 0 : this.revision;
    let after = this.#starts[from];
    let ended = false;
    // A server may cut a page short (by bytes); a page here is always full, or the last.
    while (!ended && rows.length < PAGE_ROWS) {
      const answer: KeyPage = await this.#fetch(
        {
          prefix: this.#prefix,
          limit: limit - rows.length,
          ...(after === undefined ? {} : { after }),
          ...(revision === 0 ? {} : { revision }),
        },
        signal,
      );
      if (signal.aborted) return;
      // Only the first answer of a listing tells how many there are in all.
      if (from === 0 && rows.length === 0) this.count = answer.count;
      for (const row of answer.rows) rows.push(row);
      revision = answer.revision;
      ended = answer.next === null || answer.rows.length === 0;
      after = answer.next ?? undefined;
    }
    this.#accept(from, rows, ended, wanted);
    this.revision = revision;
  }

  #accept(from: number, rows: readonly KeyRow[], ended: boolean, wanted: number): void {
    for (let at = 0; at < rows.length; at += PAGE_ROWS) {
      const part = rows.slice(at, at + PAGE_ROWS);
      if (part.length === PAGE_ROWS || ended) this.#keep(from + at / PAGE_ROWS, part, wanted);
    }
    // The listing ends here: the count is what was read, whatever was told before.
    if (ended) this.count = from * PAGE_ROWS + rows.length;
    this.loaded = true;
    this.#version++;
  }

  #keep(page: number, rows: readonly KeyRow[], wanted: number): void {
    this.#pages.set(page, rows);
    const last = rows[rows.length - 1];
    if (last !== undefined && rows.length === PAGE_ROWS) this.#starts[page + 1] ??= last.key;
    while (this.#pages.size > MAX_CACHED_PAGES) {
      let farthest = page;
      for (const other of this.#pages.keys()) {
        if (Math.abs(other - wanted) > Math.abs(farthest - wanted)) farthest = other;
      }
      this.#pages.delete(farthest);
    }
  }
}
