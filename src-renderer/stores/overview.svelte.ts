import type { ClusterOverview } from '../../src-main/contract/views.ts';
import type { ContractCallError, ContractClient, StreamHandle } from '../api/client.ts';

/** Keys are counted again at most this often, and only after a new revision. */
export const COUNT_KEYS_MS = 3_000;
const REOPEN_MS = 2_000;

/**
 * The current cluster, shared by the shell and the views: its overview, and the counts in the nav.
 */
export class OverviewStore {
  current = $state.raw<ClusterOverview | null>(null);
  error = $state.raw<ContractCallError | null>(null);
  keyCount = $state<number | null>(null);
  leaseCount = $state<number | null>(null);
  readonly #client: ContractClient;
  #clusterId: string | null = null;
  #stream: StreamHandle | null = null;
  #leases: StreamHandle | null = null;
  #reopenTimer: ReturnType<typeof setTimeout> | undefined;
  #countTimer: ReturnType<typeof setTimeout> | undefined;
  #countedRevision = -1;
  #abort = new AbortController();

  constructor(client: ContractClient) {
    this.#client = client;
  }

  /** Follows this cluster from now on; null none. */
  follow(clusterId: string | null): void {
    if (clusterId === this.#clusterId) return;
    this.dispose();
    this.#clusterId = clusterId;
    this.current = null;
    this.error = null;
    this.keyCount = null;
    this.leaseCount = null;
    this.#countedRevision = -1;
    this.#abort = new AbortController();
    if (clusterId !== null) this.#open(clusterId);
  }

  dispose(): void {
    clearTimeout(this.#reopenTimer);
    clearTimeout(this.#countTimer);
    this.#countTimer = undefined;
    this.#stream?.close();
    this.#closeLeases();
    this.#abort.abort();
  }

  #open(clusterId: string): void {
    this.#stream = this.#client.open(
      'cluster.overview',
      { clusterId },
      {
        onItems: (items) => {
          const newest = items[items.length - 1];
          if (newest !== undefined) this.#take(clusterId, newest);
        },
        onEnd: (error) => {
          this.error = error;
          this.#closeLeases();
          // A cluster that is gone is gone; anything else may come back.
          if (error?.code === 'NotFound') return;
          this.#reopenTimer = setTimeout(() => this.#open(clusterId), REOPEN_MS);
        },
      },
    );
  }

  #take(clusterId: string, overview: ClusterOverview): void {
    this.current = overview;
    this.error = null;
    if (overview.leader === null) {
      // Without a leader lease and count calls only time out.
      this.#closeLeases();
      return;
    }
    this.#followLeases(clusterId);
    if (overview.revision === this.#countedRevision || this.#countTimer !== undefined) return;
    const isFirst = this.#countedRevision === -1;
    this.#countTimer = setTimeout(
      () => void this.#countKeys(clusterId),
      isFirst ? 0 : COUNT_KEYS_MS,
    );
  }

  #followLeases(clusterId: string): void {
    this.#leases ??= this.#client.open(
      'leases.follow',
      { clusterId, limit: 1 },
      {
        onItems: (items) => {
          this.leaseCount = items[items.length - 1]?.total ?? this.leaseCount;
        },
        onEnd: () => {
          this.#leases = null;
        },
      },
    );
  }

  #closeLeases(): void {
    this.#leases?.close();
    this.#leases = null;
  }

  async #countKeys(clusterId: string): Promise<void> {
    const { signal } = this.#abort;
    // One zero byte for both is the whole key space.
    const all = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
    try {
      const { count, revision } = await this.#client.call(
        'keys.count',
        { clusterId, ...all },
        { signal },
      );
      if (clusterId !== this.#clusterId) return;
      this.keyCount = count;
      this.#countedRevision = revision;
    } catch {
      // The count is a convenience: the next revision tries again, and the views tell their own
      // failures.
      this.#countedRevision = this.current?.revision ?? -1;
    } finally {
      if (!signal.aborted) this.#countTimer = undefined;
    }
  }
}
