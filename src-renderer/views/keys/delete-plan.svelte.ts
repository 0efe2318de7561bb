import type { KeyPage, KeyRow } from '../../../src-main/contract/views.ts';

/** Keys named in the dialog; the rest is a number. */
export const SAMPLE_ROWS = 8;

export type DeleteTarget =
  /** Known rows: one, or the marked ones. */
  | { kind: 'keys'; rows: readonly KeyRow[] }
  /** Everything that starts with this, at the moment of the delete. */
  | { kind: 'prefix'; prefix: Uint8Array };

export interface DeletePort {
  /** The first keys under a prefix, and how many there are. */
  list(prefix: Uint8Array, limit: number): Promise<KeyPage>;
  deleteKeys(
    keys: Uint8Array[],
    expectModRevision?: number,
  ): Promise<{ deleted: number; revision: number }>;
  deletePrefix(prefix: Uint8Array): Promise<{ deleted: number; revision: number }>;
}

export type DeletePhase = 'checking' | 'ready' | 'running' | 'failed';

/** What a delete would do, told before it is done. */
export class DeletePlan {
  readonly target: DeleteTarget;
  phase = $state<DeletePhase>('checking');
  count = $state(0);
  sample = $state.raw<readonly KeyRow[]>([]);
  /** Keys on a lease; for a prefix only among the sample. */
  onLease = $state(0);
  /** Revision the figures were read at; 0 for rows that were at hand. */
  checkedAt = $state(0);
  error = $state.raw<unknown>(null);
  readonly #port: DeletePort;
  /** What would go has been told at least once. */
  #checked = false;

  constructor(target: DeleteTarget, port: DeletePort) {
    this.target = target;
    this.#port = port;
  }

  /** Reads what is not known yet. */
  async check(): Promise<void> {
    this.phase = 'checking';
    this.error = null;
    try {
      if (this.target.kind === 'keys') {
        const { rows } = this.target;
        this.#show(rows.length, rows, 0);
      } else {
        const page = await this.#port.list(this.target.prefix, SAMPLE_ROWS);
        this.#show(page.count, page.rows, page.revision);
      }
      this.#checked = true;
      this.phase = 'ready';
    } catch (error) {
      this.error = error;
      this.phase = 'failed';
    }
  }

  /**
   * Deletes; null if that failed, with `error` set. One key is deleted only if it is still as it
   * was shown; of several the newest state goes, as the dialog says.
   */
  async run(): Promise<{ deleted: number; revision: number } | null> {
    if (!this.#checked || this.phase === 'running' || this.phase === 'checking') return null;
    this.phase = 'running';
    this.error = null;
    try {
      return await this.#delete();
    } catch (error) {
      this.error = error;
      this.phase = 'failed';
      return null;
    }
  }

  #show(count: number, rows: readonly KeyRow[], revision: number): void {
    this.count = count;
    this.sample = rows.slice(0, SAMPLE_ROWS);
    this.onLease = rows.filter((row) => row.lease !== null).length;
    this.checkedAt = revision;
  }

  #delete(): Promise<{ deleted: number; revision: number }> {
    const { target } = this;
    if (target.kind === 'prefix') return this.#port.deletePrefix(target.prefix);
    const keys = target.rows.map((row) => row.key);
    const only = target.rows.length === 1 ? target.rows[0] : undefined;
    return only === undefined
      ? this.#port.deleteKeys(keys)
      : this.#port.deleteKeys(keys, only.modRevision);
  }
}
