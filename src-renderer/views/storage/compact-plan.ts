import type { RevisionAt } from '../../../src-main/contract/storage-tools.ts';
import { revisionAt } from './compact-time.ts';

/** How the target of a compaction is chosen. */
export type CompactChoice =
  | { by: 'revision'; revision: number }
  /** Keep the newest `count` revisions readable, the current one included. */
  | { by: 'keep'; count: number }
  /** Keep what could be read at that time; NaN for what is no time. */
  | { by: 'time'; atMs: number; timeline: readonly RevisionAt[] };

export type CompactProblem =
  | 'notANumber'
  | 'alreadyCompacted'
  | 'inTheFuture'
  | 'nothingToKeep'
  | 'notATime'
  /** Nobody looked so early. */
  | 'notRecorded';

export type CompactPlan =
  | { ok: false; problem: CompactProblem }
  | {
      ok: true;
      /** The oldest revision that stays readable; what etcd's Compact takes. */
      revision: number;
      /** Revisions that can be read now and no longer afterwards. */
      lostRevisions: number;
      /** The first and last of them. */
      lostFrom: number;
      lostTo: number;
    };

/**
 * What compacting would do. etcd keeps reads at the compacted revision itself and refuses those
 * below it, so the revisions from the last compaction (or 1) up to the target are what is lost.
 */
export function planCompaction(
  choice: CompactChoice,
  revision: number,
  compactRevision: number | null,
): CompactPlan {
  if (choice.by === 'time') {
    if (Number.isNaN(choice.atMs)) return { ok: false, problem: 'notATime' };
    const seen = revisionAt(choice.timeline, choice.atMs);
    if (seen === null) return { ok: false, problem: 'notRecorded' };
    return planCompaction({ by: 'revision', revision: seen.revision }, revision, compactRevision);
  }
  const oldest = Math.max(1, compactRevision ?? 1);
  const wanted = choice.by === 'revision' ? choice.revision : choice.count;
  if (!Number.isSafeInteger(wanted)) return { ok: false, problem: 'notANumber' };
  if (choice.by === 'keep' && choice.count < 1) return { ok: false, problem: 'nothingToKeep' };
  const target = choice.by === 'revision' ? choice.revision : revision - choice.count + 1;
  if (target > revision) return { ok: false, problem: 'inTheFuture' };
  if (target <= oldest) return { ok: false, problem: 'alreadyCompacted' };
  return {
    ok: true,
    revision: target,
    lostRevisions: target - oldest,
    lostFrom: oldest,
    lostTo: target - 1,
  };
}

/** Reads "8,412,906" or "8412906"; NaN for anything else. */
export function parseCount(text: string): number {
  const plain = text.trim().replace(/[,\s_]/g, '');
  return /^\d{1,16}$/.test(plain) ? Number(plain) : Number.NaN;
}
