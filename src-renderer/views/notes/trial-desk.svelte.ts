import { SvelteMap } from 'svelte/reactivity';
import type { ExperimentId } from '../../../src-main/contract/notes.ts';
import type { ClusterSummary } from '../../../src-main/contract/views.ts';
import type { ContractClient, StreamHandle } from '../../api/client.ts';
import { TrialRun } from './trial-run.svelte.ts';

/** The runs of this visit, one for each experiment, and where they run. */
export class TrialDesk {
  clusters = $state.raw<readonly ClusterSummary[]>([]);
  /** What was chosen; the first local cluster where that is none. */
  chosenId = $state<string | null>(null);
  readonly #runs = new SvelteMap<ExperimentId, TrialRun>();
  readonly #client: Pick<ContractClient, 'open'>;
  readonly #following: StreamHandle;

  /** Those that take writes: local, with enough members up. */
  readonly usable: readonly ClusterSummary[] = $derived.by(() =>
    this.clusters.filter(
      ({ kind, health }) => kind === 'local' && (health === 'healthy' || health === 'degraded'),
    ),
  );
  readonly cluster: ClusterSummary | null = $derived.by(
    () => this.usable.find(({ id }) => id === this.chosenId) ?? this.usable[0] ?? null,
  );

  constructor(client: Pick<ContractClient, 'open'>, currentId: string | null) {
    this.#client = client;
    this.chosenId = currentId;
    this.#following = client.open(
      'clusters.follow',
      {},
      {
        onItems: (items) => {
          this.clusters = items.at(-1) ?? this.clusters;
        },
      },
    );
  }

  runOf(experiment: ExperimentId): TrialRun | null {
    return this.#runs.get(experiment) ?? null;
  }

  start(experiment: ExperimentId): void {
    const { cluster } = this;
    if (cluster === null || this.runOf(experiment)?.state === 'running') return;
    const run = new TrialRun(this.#client, experiment);
    this.#runs.set(experiment, run);
    run.start(cluster.id);
  }

  /** The view goes away: main stops what runs and cleans up. */
  dispose(): void {
    for (const run of this.#runs.values()) run.stop();
    this.#following.close();
  }
}
