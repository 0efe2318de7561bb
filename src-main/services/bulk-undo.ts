/**
 * The inverse of a bulk run: every key goes back to what it was, if nothing else changed it since.
 * Old values are read from the store's history as they are needed, so a compaction past them ends
 * the chance to undo.
 */

import type { BulkChange, BulkStep } from './bulk-change.ts';
import type { BulkEtcd, JournalEntry, JournalTxn } from './bulk-runner.ts';
import { failure } from './errors.ts';
import { leaseToHex } from './ids.ts';

export interface UndoNotes {
  /**
   * Keys left as they are because their old lease has ended: they would be gone by now had they
   * never been touched.
   */
  leaseEnded: number;
}

/** The steps back, last first, to be given to runBulk. Throws Compacted. */
export async function* undoSteps(
  etcd: BulkEtcd,
  journal: readonly JournalTxn[],
  notes: UndoNotes,
  signal?: AbortSignal,
): AsyncGenerator<BulkStep> {
  const leases = new LeaseCheck(etcd);
  for (const txn of journal.toReversed()) {
    for (const step of txn.steps) {
      signal?.throwIfAborted();
      const back: BulkChange[] = [];
      let isLost = false;
      for (const entry of step) {
        const change = await inverse(etcd, entry, txn.revision, leases, signal);
        if (change === null) isLost = true;
        else back.push(change);
      }
      if (isLost) notes.leaseEnded += step.length;
      else yield back;
    }
  }
}

async function inverse(
  etcd: BulkEtcd,
  entry: JournalEntry,
  revision: number,
  leases: LeaseCheck,
  signal?: AbortSignal,
): Promise<BulkChange | null> {
  const { key, oldModRevision } = entry;
  const expectModRevision = entry.wasDeleted ? 0 : revision;
  if (oldModRevision === 0) return { key, expectModRevision, put: null };
  const options = signal === undefined ? {} : { signal };
  // Just before the change, not at the old revision: that may be compacted though its value is kept.
  const before = await etcd.range(
    { key, revision: revision - 1, keysOnly: entry.keptValue },
    options,
  );
  const [old] = before.kvs;
  if (old === undefined) {
    throw failure('Internal', `the history has no version of a key at ${revision - 1}`);
  }
  if (old.lease !== 0n && !(await leases.isAlive(old.lease))) return null;
  const value = entry.keptValue ? null : old.value;
  return { key, expectModRevision, put: { value, lease: old.lease } };
}

/** Asks once for each lease. */
class LeaseCheck {
  readonly #etcd: BulkEtcd;
  readonly #alive = new Map<string, boolean>();

  constructor(etcd: BulkEtcd) {
    this.#etcd = etcd;
  }

  async isAlive(lease: bigint): Promise<boolean> {
    const name = leaseToHex(lease) ?? '0';
    const known = this.#alive.get(name);
    if (known !== undefined) return known;
    const { TTL } = await this.#etcd.leaseTimeToLive(lease, false);
    this.#alive.set(name, TTL > 0);
    return TTL > 0;
  }
}
