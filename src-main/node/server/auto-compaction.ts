import type { Clock } from '../../base/clock.ts';
import type { AutoCompaction } from '../config.ts';

/** How often the revision mode looks (etcd: 5 minutes), and the least and most time between periodic samples. */
const REVISION_INTERVAL_MS = 5 * 60_000;
const MIN_SAMPLE_MS = 1_000;
const MAX_SAMPLE_MS = 6 * 60_000;

/**
 * The leader's automatic compaction, as etcd's --auto-compaction-mode: `revision` keeps the last N revisions,
 * `periodic` what is younger than the retention.
 */
export class AutoCompactor {
  readonly #settings: AutoCompaction;
  readonly #clock: Clock;
  readonly #revision: () => number;
  readonly #compact: (revision: number) => void;
  /** Revisions over time, oldest first; as many as fit into the retention. */
  #samples: { atMs: number; revision: number }[] = [];
  #cancel: () => void = () => {};
  #running = false;
  #last = 0;

  constructor(
    settings: AutoCompaction,
    clock: Clock,
    revision: () => number,
    compact: (revision: number) => void,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#revision = revision;
    this.#compact = compact;
  }

  start(): void {
    if (this.#running || this.#settings.retention === 0) return;
    this.#running = true;
    this.#samples = [];
    this.#schedule();
  }

  stop(): void {
    this.#running = false;
    this.#cancel();
  }

  #schedule(): void {
    const { mode, retention } = this.#settings;
    const intervalMs =
      mode === 'revision'
        ? REVISION_INTERVAL_MS
        : Math.min(MAX_SAMPLE_MS, Math.max(MIN_SAMPLE_MS, retention / 10));
    this.#cancel = this.#clock.setTimer(intervalMs, () => {
      if (!this.#running) return;
      const target = mode === 'revision' ? this.#revision() - retention : this.#sample(retention);
      if (target > Math.max(1, this.#last)) {
        this.#last = target;
        this.#compact(target);
      }
      this.#schedule();
    });
  }

  /** Notes the revision of now; the newest one that is older than the retention may go. */
  #sample(retentionMs: number): number {
    const now = this.#clock.nowMs();
    this.#samples.push({ atMs: now, revision: this.#revision() });
    let target = 0;
    while (this.#samples.length > 0 && now - (this.#samples[0]?.atMs ?? now) >= retentionMs) {
      target = this.#samples.shift()?.revision ?? 0;
    }
    return target;
  }
}
