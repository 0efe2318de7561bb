import type { KeyDetail, KeyHistoryPage, KeyVersion } from '../../../../src-main/contract/views.ts';
import { asCallError } from '../../../api/client.ts';
import type { ViewKind } from './content.ts';
import { countChanged, type DiffGap, type DiffRow, diffLines, diffRows } from './line-diff.ts';
import { linesOf } from './render.ts';

/** Versions that are read at a time: each costs a request to the cluster. */
export const HISTORY_PAGE = 30;
/** Values that are held; each may be as large as a request. */
const MAX_VALUES = 12;

export interface HistoryPort {
  history(
    key: Uint8Array,
    before: number | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<KeyHistoryPage>;
  deletions(
    key: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ revisions: number[]; compactedAt: number; isComplete: boolean }>;
  getAt(key: Uint8Array, revision: number, signal: AbortSignal): Promise<KeyDetail | null>;
  /** A compare-and-swap on the mod revision, 0 if the key must not be there. */
  put(key: Uint8Array, value: Uint8Array, expectModRevision: number): Promise<{ revision: number }>;
}

export type HistoryEntry =
  | { kind: 'put'; revision: number; version: KeyVersion }
  | { kind: 'delete'; revision: number };

export type HistoryEnd =
  /** There is more: `loadMore`. */
  | 'more'
  /** The key was created here; it may have lived before: `searchBefore`. */
  | 'created'
  | 'searching'
  /** What is older is compacted, or there was nothing. */
  | 'compacted'
  | 'nothing'
  /** The search for deletions could not look at everything. */
  | 'incomplete';

export type Comparison =
  | { kind: 'none' }
  | { kind: 'loading' }
  | {
      kind: 'ready';
      rows: readonly (DiffRow | DiffGap)[];
      added: number;
      removed: number;
      /** The one that is compared with; null: there was no key before. */
      from: number | null;
      to: number;
    }
  | { kind: 'failed'; error: unknown };

/** The versions of one key back to the compaction, and what differs between two of them. */
export class KeyHistory {
  readonly key: Uint8Array;
  entries = $state.raw<readonly HistoryEntry[]>([]);
  end = $state<HistoryEnd>('more');
  loading = $state(false);
  error = $state.raw<unknown>(null);
  compactedAt = $state(0);
  /** Index of the entry that is shown. */
  selected = $state(-1);
  /** Revision of the one to compare with; null is the one before. */
  pinned = $state<number | null>(null);
  comparison = $state.raw<Comparison>({ kind: 'none' });
  restoring = $state(false);

  readonly #port: HistoryPort;
  readonly #abort = new AbortController();
  readonly #values = new Map<number, Uint8Array>();
  #next: number | undefined;
  /** Deletions below the oldest version that is listed, newest first; null: not asked yet. */
  #deletions: number[] | null = null;
  #isComplete = true;
  /** The oldest version that is listed was the first since a creation, or there is none. */
  #isLifeOver = false;
  #comparing: AbortController | null = null;
  #view: ViewKind = 'text';

  constructor(key: Uint8Array, port: HistoryPort) {
    this.key = key;
    this.#port = port;
  }

  readonly entry: HistoryEntry | null = $derived(this.entries[this.selected] ?? null);

  /** The first page; a key that is not there any more is looked for behind its deletion. */
  async start(view: ViewKind): Promise<void> {
    this.#view = view;
    await this.loadMore();
    if (this.selected < 0 && this.entries.length > 0) this.select(0);
  }

  async loadMore(): Promise<void> {
    if (this.loading || this.end !== 'more') return;
    await this.#run(() => (this.#isLifeOver ? this.#nextLife() : this.#page(this.#next)));
  }

  /** Looks behind the creation for earlier lives: the server replays its whole history for it. */
  async searchBefore(): Promise<void> {
    if (this.loading || this.end !== 'created') return;
    await this.#run(() => this.#nextLife());
  }

  async #page(before: number | undefined): Promise<void> {
    const page = await this.#port.history(this.key, before, HISTORY_PAGE, this.#abort.signal);
    const puts = page.versions.map(
      (version): HistoryEntry => ({ kind: 'put', revision: version.modRevision, version }),
    );
    this.entries = [...this.entries, ...puts];
    this.#next = page.next ?? undefined;
    this.#isLifeOver = page.end === 'created' || page.end === 'absent';
    if (!this.#isLifeOver) {
      this.end = page.end === 'compacted' ? 'compacted' : 'more';
    } else if (this.entries.length === 0) {
      // The key is deleted now: there is nothing to show but what was before.
      await this.#nextLife();
    } else {
      this.end = this.#endOfLife();
    }
  }

  /** Goes on at the deletion that ended the life before the oldest version. */
  async #nextLife(): Promise<void> {
    if (this.#deletions === null) {
      const before = this.end;
      this.end = 'searching';
      try {
        const found = await this.#port.deletions(this.key, this.#abort.signal);
        this.#deletions = found.revisions;
        this.#isComplete = found.isComplete;
        this.compactedAt = found.compactedAt;
      } catch (error) {
        this.end = before;
        throw error;
      }
    }
    const deletion = this.#olderDeletion();
    this.end = this.#endOfLife();
    if (deletion === undefined) return;
    this.entries = [...this.entries, { kind: 'delete', revision: deletion }];
    await this.#page(deletion);
  }

  #olderDeletion(): number | undefined {
    const oldest = this.entries.at(-1)?.revision ?? Number.POSITIVE_INFINITY;
    return this.#deletions?.find((revision) => revision < oldest);
  }

  /** What there is before the first version of a life, as far as it is known. */
  #endOfLife(): HistoryEnd {
    if (this.#deletions === null) return 'created';
    if (this.#olderDeletion() !== undefined) return 'more';
    if (!this.#isComplete) return 'incomplete';
    return this.compactedAt > 0 ? 'compacted' : 'nothing';
  }

  async #run(work: () => Promise<void>): Promise<void> {
    this.loading = true;
    this.error = null;
    try {
      await work();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.error = error;
    }
    this.loading = false;
  }

  select(index: number): void {
    if (index < 0 || index >= this.entries.length) return;
    this.selected = index;
    void this.#compare();
  }

  /** Compares with this revision from now on; again: with the one before. */
  pin(revision: number): void {
    this.pinned = this.pinned === revision ? null : revision;
    void this.#compare();
  }

  setView(view: ViewKind): void {
    if (view === this.#view) return;
    this.#view = view;
    void this.#compare();
  }

  /**
   * Writes the value of a version again, if the key is still where it was when this was decided.
   * Throws what the put throws, Conflict among it.
   */
  async restore(revision: number, expectModRevision: number): Promise<number> {
    this.restoring = true;
    try {
      const value = await this.#valueAt(revision, this.#abort.signal);
      if (value === null) throw new Error('the version is gone');
      return (await this.#port.put(this.key, value, expectModRevision)).revision;
    } finally {
      this.restoring = false;
    }
  }

  dispose(): void {
    this.#abort.abort();
    this.#comparing?.abort();
  }

  /** The entry that the selected one is compared with; undefined while it is not read. */
  #other(): HistoryEntry | null | undefined {
    if (this.pinned !== null && this.pinned !== this.entry?.revision) {
      return this.entries.find((entry) => entry.revision === this.pinned);
    }
    const before = this.entries[this.selected + 1];
    if (before !== undefined) return before;
    return this.end === 'more' ? undefined : null;
  }

  async #compare(): Promise<void> {
    this.#comparing?.abort();
    const abort = new AbortController();
    this.#comparing = abort;
    const { entry } = this;
    if (entry === null) return;
    if (this.#other() === undefined && this.end === 'more') await this.loadMore();
    if (abort.signal.aborted) return;
    const other = this.#other() ?? null;
    if (this.comparison.kind !== 'ready') this.comparison = { kind: 'loading' };
    try {
      const [from, to] = await Promise.all([
        other === null ? [] : this.#lines(other, abort.signal),
        this.#lines(entry, abort.signal),
      ]);
      if (abort.signal.aborted) return;
      const hunks = diffLines(from, to);
      this.comparison = {
        kind: 'ready',
        rows: diffRows(from, to, hunks),
        ...countChanged(hunks),
        from: other?.revision ?? null,
        to: entry.revision,
      };
    } catch (error) {
      if (!abort.signal.aborted) this.comparison = { kind: 'failed', error };
    }
  }

  async #lines(entry: HistoryEntry, signal: AbortSignal): Promise<string[]> {
    if (entry.kind === 'delete') return [];
    const value = await this.#valueAt(entry.revision, signal);
    return value === null ? [] : linesOf(value, this.#view);
  }

  async #valueAt(revision: number, signal: AbortSignal): Promise<Uint8Array | null> {
    const known = this.#values.get(revision);
    if (known !== undefined) return known;
    const detail = await this.#port.getAt(this.key, revision, signal);
    if (detail === null) return null;
    this.#values.set(revision, detail.value);
    if (this.#values.size > MAX_VALUES) {
      const oldest = this.#values.keys().next();
      if (!oldest.done) this.#values.delete(oldest.value);
    }
    return detail.value;
  }
}

/** Whether a failure says that a revision is compacted meanwhile. */
export function isCompacted(error: unknown): boolean {
  return asCallError(error).code === 'Compacted';
}
