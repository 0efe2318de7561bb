/**
 * Runs many conditional changes in bounded transactions. A key that is not as it was expected is
 * left alone, with all of its step, and told; the rest goes on. What was done is kept in a journal
 * of keys and revisions, from which it can be undone in the same way (bulk-undo.ts).
 */
import type { TxnResponse } from '../proto/etcd/rpc.ts';
import type { EtcdConnection } from '../remote/connection.ts';
import { RemoteError } from '../remote/errors.ts';
import { type BulkChange, type BulkStep, StepBatcher, toTxn } from './bulk-change.ts';

/** How often the rest of a transaction is tried after the changed keys were taken out of it. */
const MAX_ATTEMPTS = 4;
/** Conflicts that are told by name; all are counted. */
export const MAX_CONFLICTS_NAMED = 20;
/** Memory for the journal; an operation that needs more cannot be undone. */
export const MAX_JOURNAL_BYTES = 64 * 1024 * 1024;
/** Memory of a journal's entry besides its key, about. */
const ENTRY_OVERHEAD_BYTES = 160;

export type BulkEtcd = Pick<EtcdConnection, 'txn' | 'range' | 'leaseTimeToLive'>;

export interface BulkConflict {
  key: Buffer;
  expectModRevision: number;
  /** 0: it does not exist. */
  modRevision: number;
}

/** One key that was changed. */
export interface JournalEntry {
  key: Buffer;
  /** Before; 0: it did not exist. */
  oldModRevision: number;
  wasDeleted: boolean;
  keptValue: boolean;
}

/** One transaction that took place. */
export interface JournalTxn {
  revision: number;
  steps: readonly (readonly JournalEntry[])[];
}

export interface BulkOutcome {
  /** Keys that were changed. */
  changed: number;
  /** Keys that were not as expected, and so nothing of their steps was done. */
  conflicts: number;
  conflictSample: BulkConflict[];
  transactions: number;
  /** Of the last transaction; 0: there was none. */
  revision: number;
  /** 'failed': an error ended it; the steps before it are done. */
  ended: 'done' | 'cancelled' | 'failed';
  error: unknown;
  /**
   * Keys of the transaction that failed. It may have taken place all the same if the connection
   * broke, so they have to be looked at.
   */
  uncertain: number;
  /** null: there was too much to keep. */
  journal: JournalTxn[] | null;
}

export interface BulkOptions {
  /** Ends it between two transactions: one under way is never left in doubt. */
  signal?: AbortSignal;
  onProgress?: (progress: Readonly<BulkOutcome>) => void;
}

export function runBulk(
  etcd: BulkEtcd,
  steps: AsyncIterable<BulkStep> | Iterable<BulkStep>,
  options: BulkOptions = {},
): Promise<BulkOutcome> {
  return new BulkRun(etcd, options).run(steps);
}

class BulkRun {
  readonly #etcd: BulkEtcd;
  readonly #options: BulkOptions;
  #journalBytes = 0;
  readonly #outcome: BulkOutcome = {
    changed: 0,
    conflicts: 0,
    conflictSample: [],
    transactions: 0,
    revision: 0,
    ended: 'done',
    error: null,
    uncertain: 0,
    journal: [],
  };

  constructor(etcd: BulkEtcd, options: BulkOptions) {
    this.#etcd = etcd;
    this.#options = options;
  }

  async run(steps: AsyncIterable<BulkStep> | Iterable<BulkStep>): Promise<BulkOutcome> {
    const batcher = new StepBatcher();
    try {
      for await (const step of steps) {
        if (this.#isCancelled()) break;
        const batch = batcher.add(step);
        if (batch !== null) await this.#write(batch);
      }
      const rest = batcher.take();
      if (rest !== null && !this.#isCancelled()) await this.#write(rest);
      if (this.#isCancelled()) this.#outcome.ended = 'cancelled';
    } catch (error) {
      // Reading what is to be done ends with the signal as well.
      this.#outcome.ended =
        this.#isCancelled() && this.#outcome.uncertain === 0 ? 'cancelled' : 'failed';
      if (this.#outcome.ended === 'failed') this.#outcome.error = error;
    }
    return this.#outcome;
  }

  #isCancelled(): boolean {
    return this.#options.signal?.aborted ?? false;
  }

  /** One transaction, and again without the steps whose keys were not as expected. */
  async #write(batch: readonly BulkStep[]): Promise<void> {
    let steps = batch;
    for (let attempt = 0; steps.length > 0; attempt++) {
      const changes = steps.flat();
      const response = await this.#txn(changes);
      if (response.succeeded) {
        this.#note(steps, response.header?.revision ?? 0);
        break;
      }
      const found = foundRevisions(response);
      const isLast = attempt + 1 >= MAX_ATTEMPTS;
      let at = 0;
      steps = steps.filter((step) => {
        const conflicts = step.flatMap((change) => conflictOf(change, found[at++] ?? 0));
        this.#conflict(conflicts, isLast ? step : []);
        return conflicts.length === 0 && !isLast;
      });
    }
    this.#options.onProgress?.(this.#outcome);
  }

  async #txn(changes: readonly BulkChange[]): Promise<TxnResponse> {
    try {
      return await this.#etcd.txn(toTxn(changes), {});
    } catch (error) {
      const isRefused = error instanceof RemoteError && error.outcome !== 'unknown';
      this.#outcome.uncertain = isRefused ? 0 : changes.length;
      throw error;
    }
  }

  #conflict(conflicts: readonly BulkConflict[], givenUp: BulkStep): void {
    const { conflictSample } = this.#outcome;
    this.#outcome.conflicts += Math.max(conflicts.length, givenUp.length);
    for (const conflict of conflicts) {
      if (conflictSample.length < MAX_CONFLICTS_NAMED) conflictSample.push(conflict);
    }
  }

  #note(steps: readonly BulkStep[], revision: number): void {
    const outcome = this.#outcome;
    const changes = steps.flat();
    outcome.changed += changes.length;
    outcome.transactions++;
    outcome.revision = revision;
    for (const { key } of changes) this.#journalBytes += key.length + ENTRY_OVERHEAD_BYTES;
    if (this.#journalBytes > MAX_JOURNAL_BYTES) outcome.journal = null;
    outcome.journal?.push({ revision, steps: steps.map((step) => step.map(toEntry)) });
  }
}

function toEntry({ key, expectModRevision, put }: BulkChange): JournalEntry {
  return {
    key,
    oldModRevision: expectModRevision,
    wasDeleted: put === null,
    keptValue: put !== null && put.value === null,
  };
}

function foundRevisions(response: TxnResponse): number[] {
  return response.responses.map(({ response: part }) =>
    part?.$case === 'responseRange' ? (part.value.kvs[0]?.modRevision ?? 0) : 0,
  );
}

function conflictOf(change: BulkChange, modRevision: number): BulkConflict[] {
  const { key, expectModRevision } = change;
  return modRevision === expectModRevision ? [] : [{ key, expectModRevision, modRevision }];
}
