import type { ClusterSummary } from '../../src-main/contract/views.ts';
import type { ContractCallError, ContractClient, StreamHandle } from '../api/client.ts';

/** Wait before the list is asked for again after main ended its stream with an error. */
const REOPEN_MS = 2_000;

/** Every cluster that Raftdeck knows: local ones first, each kind in main's order. */
export class ClustersStore {
  list = $state.raw<readonly ClusterSummary[]>([]);
  /** Whether the list has come at all. */
  loaded = $state(false);
  error = $state.raw<ContractCallError | null>(null);
  readonly locals = $derived(this.list.filter((cluster) => cluster.kind === 'local'));
  readonly remotes = $derived(this.list.filter((cluster) => cluster.kind === 'remote'));
  readonly #client: ContractClient;
  #stream: StreamHandle | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: ContractClient) {
    this.#client = client;
    this.#follow();
  }

  byId(id: string): ClusterSummary | null {
    return this.list.find((cluster) => cluster.id === id) ?? null;
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
  }

  #follow(): void {
    this.#stream = this.#client.open(
      'clusters.follow',
      {},
      {
        onItems: (items) => {
          const newest = items[items.length - 1];
          if (newest === undefined) return;
          this.list = newest;
          this.loaded = true;
          this.error = null;
        },
        onEnd: (error) => {
          this.error = error;
          this.#timer = setTimeout(() => this.#follow(), REOPEN_MS);
        },
      },
    );
  }
}
