import type { HashComparison } from '../../../src-main/contract/storage-tools.ts';
import type { ContractClient } from '../../api/client.ts';

/** One comparison of the members at a time, and what the last one found. */
export class HashCheck {
  running = $state(false);
  result = $state.raw<HashComparison | null>(null);
  error = $state.raw<unknown>(null);
  readonly #client: ContractClient;
  readonly #clusterId: string;

  constructor(client: ContractClient, clusterId: string) {
    this.#client = client;
    this.#clusterId = clusterId;
  }

  async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    this.error = null;
    try {
      this.result = await this.#client.call('storage.hashes', { clusterId: this.#clusterId });
    } catch (error) {
      this.result = null;
      this.error = error;
    } finally {
      this.running = false;
    }
  }
}
