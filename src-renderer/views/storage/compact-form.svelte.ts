import type { RevisionAt } from '../../../src-main/contract/storage-tools.ts';
import {
  type CompactChoice,
  type CompactPlan,
  parseCount,
  planCompaction,
} from './compact-plan.ts';
import { parseTime } from './compact-time.ts';

export interface StoreRange {
  revision: number;
  compactRevision: number | null;
}

/** Revisions that are kept by default: enough for a watch that lags a little. */
const DEFAULT_KEEP = 1_000;

/** The compaction dialog's figures. The store moves on while it is open; the plan follows. */
export class CompactForm {
  by = $state<CompactChoice['by']>('revision');
  revisionText = $state('');
  keepText = $state(String(DEFAULT_KEEP));
  timeText = $state('10');
  physical = $state(false);
  running = $state(false);
  error = $state.raw<unknown>(null);
  readonly #range: () => StoreRange;
  readonly #timeline: () => readonly RevisionAt[];
  readonly #nowMs: () => number;

  constructor(
    range: () => StoreRange,
    timeline: () => readonly RevisionAt[] = () => [],
    nowMs: () => number = Date.now,
  ) {
    this.#range = range;
    this.#timeline = timeline;
    this.#nowMs = nowMs;
    const { revision, compactRevision } = range();
    this.revisionText = String(revision);
    // The gentler choice comes first, where there is enough history for it.
    const keep = planCompaction({ by: 'keep', count: DEFAULT_KEEP }, revision, compactRevision);
    if (keep.ok) this.by = 'keep';
  }

  readonly plan: CompactPlan = $derived.by(() => {
    const { revision, compactRevision } = this.#range();
    return planCompaction(this.#choice(), revision, compactRevision);
  });

  /** Keeps the current revision only. */
  everything(): void {
    this.by = 'revision';
    this.revisionText = String(this.#range().revision);
  }

  /** True if it was compacted. */
  async submit(
    compact: (revision: number, physical: boolean) => Promise<void>,
  ): Promise<number | null> {
    const { plan } = this;
    if (!plan.ok || this.running) return null;
    this.running = true;
    this.error = null;
    try {
      await compact(plan.revision, this.physical);
      return plan.revision;
    } catch (error) {
      this.error = error;
      return null;
    } finally {
      this.running = false;
    }
  }

  #choice(): CompactChoice {
    if (this.by === 'time') {
      const atMs = parseTime(this.timeText, this.#nowMs());
      return { by: 'time', atMs, timeline: this.#timeline() };
    }
    return this.by === 'revision'
      ? { by: 'revision', revision: parseCount(this.revisionText) }
      : { by: 'keep', count: parseCount(this.keepText) };
  }
}
