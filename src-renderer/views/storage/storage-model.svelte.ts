import type { CompactionEffect, RevisionAt } from '../../../src-main/contract/storage-tools.ts';
import type { StorageView } from '../../../src-main/contract/views.ts';
import type { ContractClient, StreamHandle } from '../../api/client.ts';
import { DefragRun } from './defrag-run.svelte.ts';
import { noSpaceAlarms, type RecoveryFacts, recoverySteps } from './recovery.ts';

/** After the stream ended with a failure it is opened again this much later. */
export const REOPEN_MS = 3_000;

const NOTHING_DONE: RecoveryFacts = { compactedTo: null, defragmented: new Set() };

/** The storage of one cluster: its newest reading, and what is done about it from here. */
export class StorageModel {
  view = $state.raw<StorageView | null>(null);
  /** When `view` arrived, Unix milliseconds on this machine's clock. */
  readAtMs = $state(0);
  /** Why there are no new readings. */
  problem = $state.raw<unknown>(null);
  timeline = $state.raw<readonly RevisionAt[]>([]);
  facts = $state.raw<RecoveryFacts>(NOTHING_DONE);
  disarming = $state(false);
  disarmError = $state.raw<unknown>(null);
  defragRun = $state.raw<DefragRun | null>(null);

  readonly steps = $derived(this.view === null ? null : recoverySteps(this.view, this.facts));

  readonly #client: ContractClient;
  readonly #clusterId: string;
  readonly #nowMs: () => number;
  #stream: StreamHandle | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: ContractClient, clusterId: string, nowMs: () => number = Date.now) {
    this.#client = client;
    this.#clusterId = clusterId;
    this.#nowMs = nowMs;
  }

  /** Follows the cluster until `dispose`; again after a failure. */
  follow(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = this.#client.open(
      'storage.follow',
      { clusterId: this.#clusterId },
      {
        onItems: (items) => {
          const newest = items[items.length - 1];
          if (newest !== undefined) this.take(newest);
        },
        onEnd: (error) => {
          this.#stream = null;
          this.problem = error ?? new Error('the stream ended');
          this.#timer = setTimeout(() => this.follow(), REOPEN_MS);
        },
      },
    );
  }

  take(view: StorageView): void {
    this.view = view;
    this.readAtMs = this.#nowMs();
    this.problem = null;
    // What was done counts for the alarm in force, not for the next one.
    if (noSpaceAlarms(view).length === 0) this.facts = NOTHING_DONE;
  }

  /** Compacts; the error is the caller's to show. */
  async compact(revision: number, physical: boolean): Promise<void> {
    await this.#client.call('storage.compact', {
      clusterId: this.#clusterId,
      revision,
      physical,
    });
    this.facts = { ...this.facts, compactedTo: revision };
  }

  /** What a compaction would remove, counted by the cluster. */
  compactionEffect(revision: number, signal: AbortSignal): Promise<CompactionEffect> {
    const input = { clusterId: this.#clusterId, revision };
    return this.#client.call('storage.compactionEffect', input, { signal });
  }

  /** Which revision was current when; stays as it was where it cannot be read. */
  async readTimeline(): Promise<void> {
    try {
      const input = { clusterId: this.#clusterId };
      this.timeline = await this.#client.call('storage.timeline', input);
    } catch {
      // Compacting to a time then says that nothing is recorded.
    }
  }

  /** Gets a run of all members ready; `start` it once its consequences were read. */
  prepareDefrag(): DefragRun {
    const run = new DefragRun(this.view?.members ?? [], (node) =>
      this.#client.call('storage.defragment', { clusterId: this.#clusterId, node }),
    );
    this.defragRun = run;
    return run;
  }

  startDefrag(): Promise<void> {
    return (
      this.defragRun?.start((memberId) => {
        const defragmented = new Set([...this.facts.defragmented, memberId]);
        this.facts = { ...this.facts, defragmented };
      }) ?? Promise.resolve()
    );
  }

  /** Lifts every NOSPACE alarm; true if all are lifted. */
  async disarm(): Promise<boolean> {
    if (this.view === null || this.disarming) return false;
    this.disarming = true;
    this.disarmError = null;
    try {
      for (const { memberId, type } of noSpaceAlarms(this.view)) {
        await this.#client.call('storage.disarm', { clusterId: this.#clusterId, memberId, type });
      }
      return true;
    } catch (error) {
      this.disarmError = error;
      return false;
    } finally {
      this.disarming = false;
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
  }
}
