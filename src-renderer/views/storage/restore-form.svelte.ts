import type { ClusterSummary } from '../../../src-main/contract/views.ts';
import type { ContractClient } from '../../api/client.ts';
import { MAX_CLUSTER_NAME_CHARS } from '../../lib/limits.ts';

export type RestoreProblem = 'restoreNoName' | 'restoreNoFile' | 'restoreRelative';

/** A new local cluster that begins with a snapshot. */
export class RestoreForm {
  name = $state('');
  file = $state('');
  nodes = $state<'1' | '3' | '5'>('3');
  running = $state(false);
  error = $state.raw<unknown>(null);
  readonly #client: Pick<ContractClient, 'call'>;

  constructor(client: Pick<ContractClient, 'call'>, clusterName: string) {
    this.#client = client;
    this.name = `${clusterName}-restored`.slice(0, MAX_CLUSTER_NAME_CHARS);
  }

  readonly problem: RestoreProblem | null = $derived.by(() => {
    const name = this.name.trim();
    if (name === '' || name.length > MAX_CLUSTER_NAME_CHARS) return 'restoreNoName';
    const file = this.file.trim();
    if (file === '') return 'restoreNoFile';
    return /^(\/|[A-Za-z]:[\\/]|\\\\)/.test(file) ? null : 'restoreRelative';
  });

  /** The new cluster; null if it was refused, and `error` says why. */
  async submit(): Promise<ClusterSummary | null> {
    if (this.running || this.problem !== null) return null;
    this.running = true;
    this.error = null;
    try {
      return await this.#client.call('clusters.createLocal', {
        name: this.name.trim(),
        nodes: Number(this.nodes) as 1 | 3 | 5,
        restoreFrom: this.file.trim(),
      });
    } catch (error) {
      this.error = error;
      return null;
    } finally {
      this.running = false;
    }
  }
}
