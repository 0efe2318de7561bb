import { crc32c } from '../../base/crc32c.ts';
import { nodeError } from '../apply/errors.ts';
import { etcdKeyRow } from '../bolt/etcd-rows.ts';
import { CONSISTENT_INDEX, etcdBuckets, META_BUCKET } from '../bolt/etcd-schema.ts';
import { historyIsDelete, historyMain, historyRowPrefix } from '../storage/schema/history.ts';
import {
  type AppliedMeta,
  decodeApplied,
  decodeCompaction,
  META_APPLIED,
  META_COMPACTION,
} from '../storage/schema/meta.ts';
import {
  isDelete,
  revisionKey,
  revisionMain,
  revisionSub,
  revisionUserKey,
} from '../storage/schema/revisions.ts';
import type { Row, StateView } from '../storage/types.ts';
import { replacedAt } from './compacted-rows.ts';
import { Pacer } from './pacer.ts';
import type { Schedule } from './schedule.ts';

/** What etcd starts the sum with. */
const KEY_BUCKET = Buffer.from('key');

export interface KvHash {
  hash: number;
  /** Up to which the sum goes. */
  hashRevision: number;
  /** 0 if nothing was ever compacted. */
  compactRevision: number;
  /** Current revision of the view. */
  revision: number;
}

/**
 * The sum over the history at `revision`, 0 for the current one, as etcd forms it (HashByRev): equal
 * on all members whose history is equal, in which compaction was asked for at the same revision.
 * Neither how far its removal has come nor what the file looks like matters.
 *
 * Of what is not compacted every change counts. Of what is at or below the compact revision those
 * versions count that are still the newest at `revision`; if there is no key at all at `revision`,
 * those that compaction leaves. Throws FutureRev, and Compacted below the compact revision.
 */
export async function hashKv(
  view: StateView,
  revision: number,
  schedule: Schedule,
  signal?: AbortSignal,
): Promise<KvHash> {
  const hasher = new HistoryHasher(view, revision, new Pacer(schedule, signal));
  return hasher.run();
}

/** The sum over the whole logical state (etcd's Hash), in which only the log's position is left out. */
export async function hashState(
  view: StateView,
  schedule: Schedule,
  signal?: AbortSignal,
): Promise<{ hash: number; revision: number }> {
  let hash = 0;
  for (const { name, rows } of etcdBuckets(view, schedule, signal)) {
    hash = crc32c(Buffer.from(name), hash);
    for await (const { key, value } of rows) {
      if (name === META_BUCKET && key.equals(Buffer.from(CONSISTENT_INDEX))) continue;
      hash = crc32c(value, crc32c(key, hash));
    }
  }
  return { hash, revision: appliedOf(view).revision };
}

function appliedOf(view: StateView): AppliedMeta {
  const row = view.get('meta', META_APPLIED);
  return row === undefined ? { index: 0, term: 0, revision: 1, keyCount: 0 } : decodeApplied(row);
}

class HistoryHasher {
  readonly #view: StateView;
  readonly #pacer: Pacer;
  readonly #applied: AppliedMeta;
  readonly #compactRevision: number;
  readonly #revision: number;
  #hash = crc32c(KEY_BUCKET);
  /** Whether there is no key at all at the revision; looked up when it first matters. */
  #isEmpty: boolean | undefined;

  constructor(view: StateView, revision: number, pacer: Pacer) {
    this.#view = view;
    this.#pacer = pacer;
    this.#applied = appliedOf(view);
    const compaction = view.get('meta', META_COMPACTION);
    this.#compactRevision = compaction === undefined ? 0 : decodeCompaction(compaction).scheduled;
    const isAsked = revision > 0;
    if (isAsked && revision < this.#compactRevision) throw nodeError('Compacted');
    if (isAsked && revision > this.#applied.revision) throw nodeError('FutureRev');
    this.#revision = revision === 0 ? this.#applied.revision : revision;
  }

  async run(): Promise<KvHash> {
    // etcd takes a negative revision for one before all others.
    const end = Math.max(this.#revision, 0) + 1;
    for (const row of this.#view.range('revisions', { lt: revisionKey(end, 0) })) {
      if (revisionMain(row.key) > this.#compactRevision || (await this.#counts(row))) {
        const { key, value } = etcdKeyRow(row);
        this.#hash = crc32c(value, crc32c(key, this.#hash));
      }
      if (this.#pacer.spend(row.value.length)) await this.#pacer.turn();
    }
    return {
      hash: this.#hash,
      hashRevision: this.#revision,
      compactRevision: this.#compactRevision,
      revision: this.#applied.revision,
    };
  }

  /** For a row at or below the compact revision. */
  async #counts({ key, value }: Row): Promise<boolean> {
    if (isDelete(value)) return false;
    const userKey = revisionUserKey(value);
    const replaced = replacedAt(this.#view, userKey, revisionMain(key), revisionSub(key));
    if (replaced > this.#revision) return true;
    if (replaced <= this.#compactRevision) return false;
    this.#isEmpty ??= await this.#hasNoKey();
    return this.#isEmpty;
  }

  async #hasNoKey(): Promise<boolean> {
    if (this.#revision === this.#applied.revision) return this.#applied.keyCount === 0;
    let prefix: Buffer | undefined;
    let exists = false;
    for (const row of this.#view.range('history', {})) {
      const own = historyRowPrefix(row.key);
      if (prefix === undefined || !own.equals(prefix)) {
        if (exists) return false;
        prefix = own;
      }
      if (historyMain(row.key) <= this.#revision) exists = !historyIsDelete(row.value);
      if (this.#pacer.spend(row.key.length)) await this.#pacer.turn();
    }
    return !exists;
  }
}
