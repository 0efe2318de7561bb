import type { ClusterOverview } from '../../../src-main/contract/views.ts';
import { type ContractClient, errorText } from '../../api/client.ts';
import { isAlive } from './overview-model.ts';

export type NodeAction = 'start' | 'stop' | 'kill' | 'restart';

/** What waits for a yes, because it takes the quorum or the cluster away. */
export type Pending =
  | { kind: 'node'; action: 'stop' | 'kill' | 'restart'; node: string; left: number; had: boolean }
  | { kind: 'cluster' };

/** Starts and stops nodes; asks first where that breaks the quorum. */
export class NodeActions {
  pending = $state.raw<Pending | null>(null);
  /** node -> what runs on it. */
  running = $state.raw<ReadonlyMap<string, NodeAction>>(new Map());
  clusterBusy = $state<'start' | 'stop' | null>(null);
  /** The last action that was refused, until the next one or until it is closed. */
  failure = $state.raw<{ action: NodeAction; text: string } | null>(null);
  readonly #client: Pick<ContractClient, 'call'>;
  readonly #clusterId: string;

  constructor(client: Pick<ContractClient, 'call'>, clusterId: string) {
    this.#client = client;
    this.#clusterId = clusterId;
  }

  /** Runs it, or leaves it pending if fewer nodes than a quorum would be up. */
  ask(action: NodeAction, node: string, overview: ClusterOverview): void {
    if (this.running.has(node)) return;
    if (action !== 'start') {
      const alive = overview.nodes.filter(isAlive);
      const left = alive.filter((other) => other.name !== node).length;
      if (left < overview.quorum) {
        const had = alive.length >= overview.quorum;
        this.pending = { kind: 'node', action, node, left, had };
        return;
      }
    }
    this.pending = null;
    void this.run(action, node);
  }

  askStopCluster(): void {
    this.pending = { kind: 'cluster' };
  }

  cancel(): void {
    this.pending = null;
  }

  confirm(): void {
    const { pending } = this;
    this.pending = null;
    if (pending === null) return;
    if (pending.kind === 'cluster') void this.power(false);
    else void this.run(pending.action, pending.node);
  }

  async run(action: NodeAction, node: string): Promise<void> {
    if (this.running.has(node)) return;
    this.failure = null;
    this.running = new Map(this.running).set(node, action);
    try {
      await this.#client.call(`nodes.${action}`, { clusterId: this.#clusterId, node });
    } catch (error) {
      this.failure = { action, text: errorText(error) };
    } finally {
      const running = new Map(this.running);
      running.delete(node);
      this.running = running;
    }
  }

  async power(on: boolean): Promise<void> {
    if (this.clusterBusy !== null) return;
    this.failure = null;
    this.clusterBusy = on ? 'start' : 'stop';
    try {
      const name = on ? 'clusters.start' : 'clusters.stop';
      await this.#client.call(name, { clusterId: this.#clusterId });
    } catch (error) {
      this.failure = { action: on ? 'start' : 'stop', text: errorText(error) };
    } finally {
      this.clusterBusy = null;
    }
  }
}
