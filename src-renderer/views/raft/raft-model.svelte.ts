import type { RaftView } from '../../../src-main/contract/views.ts';
import type { ContractClient, StreamHandle } from '../../api/client.ts';
import { amountOf, type FaultKind, type FaultWish, isLinkKind, planOf } from './fault-plan.ts';

/** After the stream ended it is opened again this much later. */
export const REOPEN_MS = 2_000;

export const DURATIONS = { for10: 10_000, for30: 30_000, for60: 60_000, forEver: null } as const;
export type Duration = keyof typeof DURATIONS;
export type LabTab = 'faults' | 'scenarios' | 'reads';

/** Raft of one cluster as it is now, and what is done to its members on purpose. */
export class RaftModel {
  view = $state.raw<RaftView | null>(null);
  problem = $state.raw<unknown>(null);
  busy = $state<'inject' | 'heal' | null>(null);
  labError = $state.raw<unknown>(null);

  kind = $state<FaultKind>('isolate');
  node = $state('');
  peer = $state('');
  amount = $state(0);
  duration = $state<Duration>('for30');

  readonly #client: ContractClient;
  readonly #clusterId: string;
  #stream: StreamHandle | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: ContractClient, clusterId: string) {
    this.#client = client;
    this.#clusterId = clusterId;
  }

  follow(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = this.#client.open(
      'raft.follow',
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

  take(view: RaftView): void {
    this.view = view;
    this.problem = null;
    const names = view.members.map(({ name }) => name);
    // The leader is what most people want to see fall first.
    if (!names.includes(this.node)) this.node = view.leader ?? names[0] ?? '';
    this.#keepPeer();
  }

  chooseKind(kind: FaultKind): void {
    this.kind = kind;
    this.amount = amountOf(kind)?.start ?? 0;
    this.labError = null;
  }

  chooseNode(node: string): void {
    this.node = node;
    this.#keepPeer();
  }

  get wish(): FaultWish {
    const { kind, node, peer, amount, duration } = this;
    return { kind, node, peer, amount, durationMs: DURATIONS[duration] };
  }

  /** Why it cannot be injected. */
  get isReady(): boolean {
    const limits = amountOf(this.kind);
    if (this.node === '' || (isLinkKind(this.kind) && this.peer === '')) return false;
    return limits === null || (this.amount >= 1 && this.amount <= limits.max);
  }

  /** True if it was done. */
  inject(): Promise<boolean> {
    return this.#do('inject', async () => {
      const { kind, node, durationMs } = this.wish;
      const clusterId = this.#clusterId;
      if (kind === 'pause') {
        await this.#client.call('nodes.pause', { clusterId, node });
        return;
      }
      const nodes = planOf(this.view?.members ?? [], this.wish);
      const duration = durationMs === null ? {} : { durationMs };
      await this.#client.call('faults.set', { clusterId, nodes, ...duration });
    });
  }

  heal(): Promise<boolean> {
    return this.#do('heal', async () => {
      await this.#client.call('faults.heal', { clusterId: this.#clusterId });
    });
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
  }

  async #do(what: 'inject' | 'heal', work: () => Promise<void>): Promise<boolean> {
    if (this.busy !== null) return false;
    this.busy = what;
    this.labError = null;
    try {
      await work();
      return true;
    } catch (error) {
      this.labError = error;
      return false;
    } finally {
      this.busy = null;
    }
  }

  #keepPeer(): void {
    const others = (this.view?.members ?? []).filter(({ name }) => name !== this.node);
    if (!others.some(({ name }) => name === this.peer)) this.peer = others[0]?.name ?? '';
  }
}
