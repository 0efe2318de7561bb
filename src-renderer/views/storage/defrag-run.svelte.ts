import type { StorageMember } from '../../../src-main/contract/views.ts';

export type DefragState = 'waiting' | 'running' | 'done' | 'failed' | 'skipped';

export interface DefragItem {
  name: string;
  memberId: string;
  isLeader: boolean;
  state: DefragState;
  beforeBytes: number | null;
  afterBytes: number | null;
  error: string | null;
}

export type Defragment = (node: string) => Promise<{ beforeBytes: number; afterBytes: number }>;

/** Followers first, the leader last: a member does not answer while it is defragmented. */
export function defragOrder(members: readonly StorageMember[]): StorageMember[] {
  return [...members].sort(
    (a, b) =>
      Number(a.role === 'leader') - Number(b.role === 'leader') || a.name.localeCompare(b.name),
  );
}

/**
 * Defragments members one after the other and stops at the first failure, so that at most one is
 * away.
 */
export class DefragRun {
  items = $state.raw<readonly DefragItem[]>([]);
  running = $state(false);
  finished = $state(false);
  readonly #defragment: Defragment;
  #stopAsked = $state(false);

  constructor(members: readonly StorageMember[], defragment: Defragment) {
    this.#defragment = defragment;
    this.items = defragOrder(members).map((member) => ({
      name: member.name,
      memberId: member.memberId,
      isLeader: member.role === 'leader',
      state: 'waiting',
      beforeBytes: null,
      afterBytes: null,
      error: null,
    }));
  }

  get stopAsked(): boolean {
    return this.#stopAsked;
  }

  readonly done = $derived(this.items.filter((item) => item.state === 'done'));
  readonly failed = $derived(this.items.find((item) => item.state === 'failed') ?? null);
  readonly freedBytes = $derived(
    this.done.reduce((sum, item) => sum + ((item.beforeBytes ?? 0) - (item.afterBytes ?? 0)), 0),
  );

  /** Runs what is waiting; `onDone` hears of each member that is through. */
  async start(onDone: (memberId: string) => void): Promise<void> {
    if (this.running) return;
    this.running = true;
    this.finished = false;
    this.#stopAsked = false;
    this.#restoreWaiting();
    for (const { name, memberId } of this.items.filter((item) => item.state === 'waiting')) {
      if (this.#stopAsked || this.failed !== null) {
        this.#set(memberId, { state: 'skipped' });
        continue;
      }
      this.#set(memberId, { state: 'running' });
      try {
        const { beforeBytes, afterBytes } = await this.#defragment(name);
        this.#set(memberId, { state: 'done', beforeBytes, afterBytes });
        onDone(memberId);
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        this.#set(memberId, { state: 'failed', error: text });
      }
    }
    this.running = false;
    this.finished = true;
  }

  /** The member that is being defragmented finishes; the next ones are left alone. */
  stop(): void {
    this.#stopAsked = true;
  }

  /** A second start takes up what failed or was left. */
  #restoreWaiting(): void {
    this.items = this.items.map((item) =>
      item.state === 'failed' || item.state === 'skipped'
        ? { ...item, state: 'waiting', error: null }
        : item,
    );
  }

  #set(memberId: string, change: Partial<DefragItem>): void {
    this.items = this.items.map((item) =>
      item.memberId === memberId ? { ...item, ...change } : item,
    );
  }
}
