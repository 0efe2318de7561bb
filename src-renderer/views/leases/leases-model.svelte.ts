import type { ContractClient, StreamHandle } from '../../api/client.ts';
import { LeaseTable } from './lease-table.svelte.ts';
import { RevokePlan } from './revoke-plan.svelte.ts';

/** Leases that are listed at most: what the contract gives. */
export const MAX_LISTED = 10_000;
/** After the stream ended with a failure it is opened again this much later. */
export const REOPEN_MS = 3_000;
/** Leases that are renewed at the same time. */
const CONCURRENT_RENEWALS = 16;

export type KeysState =
  | { kind: 'loading' }
  | { kind: 'ready'; keys: readonly Uint8Array[] }
  | { kind: 'failed'; error: unknown };

/** The leases of one cluster: the table, its stream, and what can be done to a lease. */
export class LeasesModel {
  readonly table = new LeaseTable();
  /** When the newest reading arrived, Unix milliseconds on this machine's clock. */
  readAtMs = $state(0);
  /** Why there are no new readings. */
  problem = $state.raw<unknown>(null);
  /** Keys of the lease that is open. */
  keys = $state.raw<KeysState>({ kind: 'loading' });
  /** Ids on which an action is under way. */
  busy = $state.raw<ReadonlySet<string>>(new Set());

  readonly #client: ContractClient;
  readonly #clusterId: string;
  readonly #nowMs: () => number;
  #stream: StreamHandle | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #keysAbort: AbortController | null = null;
  /** The lease and number of keys that `keys` was read for. */
  #keysOf: { id: string; count: number } | null = null;

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
      'leases.follow',
      { clusterId: this.#clusterId, limit: MAX_LISTED },
      {
        onItems: (items) => {
          const newest = items[items.length - 1];
          if (newest === undefined) return;
          this.readAtMs = this.#nowMs();
          this.problem = null;
          this.table.take(newest, this.readAtMs);
          this.#refreshKeys();
        },
        onEnd: (error) => {
          this.#stream = null;
          this.problem = error ?? new Error('the stream ended');
          this.#timer = setTimeout(() => this.follow(), REOPEN_MS);
        },
      },
    );
  }

  tick(): void {
    this.table.tick(this.#nowMs());
  }

  /** Opens a lease in the drawer and reads its keys. */
  open(id: string): void {
    if (this.table.openId === id) return;
    this.table.openId = id;
    this.keys = { kind: 'loading' };
    void this.#readKeys(id);
  }

  close(): void {
    this.table.openId = null;
    this.#keysAbort?.abort();
    this.#keysOf = null;
  }

  async grant(ttl: number, id: string): Promise<{ id: string; ttl: number }> {
    return this.#client.call('leases.grant', {
      clusterId: this.#clusterId,
      ttl,
      ...(id === '' ? {} : { id }),
    });
  }

  /** Renews once; the TTL in seconds. */
  async renew(id: string): Promise<number> {
    return this.#while([id], async () => {
      const { ttl } = await this.#client.call('leases.renew', { clusterId: this.#clusterId, id });
      return ttl;
    });
  }

  /** Renews several once. Throws the first failure after all were tried. */
  async renewAll(ids: readonly string[]): Promise<void> {
    await this.#while(ids, async () => {
      const waiting = [...ids];
      let failure: unknown = null;
      const worker = async () => {
        for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
          try {
            await this.#client.call('leases.renew', { clusterId: this.#clusterId, id });
          } catch (error) {
            failure ??= error;
          }
        }
      };
      await Promise.all(Array.from({ length: CONCURRENT_RENEWALS }, worker));
      if (failure !== null) throw failure;
    });
  }

  async keepAlive(id: string, on: boolean): Promise<void> {
    await this.#while([id], () =>
      this.#client.call('leases.keepAlive', { clusterId: this.#clusterId, id, on }),
    );
  }

  planRevoke(ids: readonly string[]): RevokePlan {
    const clusterId = this.#clusterId;
    return new RevokePlan(ids, {
      keys: (id) => this.#client.call('leases.keys', { clusterId, id }),
      revoke: (list) => this.#client.call('leases.revoke', { clusterId, ids: list }),
    });
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
    this.#keysAbort?.abort();
  }

  async #while<T>(ids: readonly string[], run: () => Promise<T>): Promise<T> {
    this.busy = new Set([...this.busy, ...ids]);
    try {
      return await run();
    } finally {
      this.busy = new Set([...this.busy].filter((id) => !ids.includes(id)));
    }
  }

  /** A reading with another number of keys: the list in the drawer is out of date. */
  #refreshKeys(): void {
    const item = this.table.open;
    if (item === null || item.goneAtMs !== null || this.#keysOf === null) return;
    const { id, count } = this.#keysOf;
    if (item.row.id === id && item.row.keyCount !== count) void this.#readKeys(id);
  }

  async #readKeys(id: string): Promise<void> {
    this.#keysAbort?.abort();
    const abort = new AbortController();
    this.#keysAbort = abort;
    const count = this.table.items.find((item) => item.row.id === id)?.row.keyCount ?? 0;
    this.#keysOf = { id, count };
    try {
      const input = { clusterId: this.#clusterId, id };
      const { keys } = await this.#client.call('leases.keys', input, { signal: abort.signal });
      if (abort.signal.aborted) return;
      this.#keysOf = { id, count: keys.length };
      this.keys = { kind: 'ready', keys };
    } catch (error) {
      if (!abort.signal.aborted) this.keys = { kind: 'failed', error };
    }
  }
}
