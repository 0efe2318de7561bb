import type { LeaseView } from '../apply/types.ts';
import { idKey } from '../storage/schema/numbers.ts';
import {
  decodeLease,
  encodeLease,
  leaseKeyBounds,
  leaseKeyUserKey,
} from '../storage/schema/small-tables.ts';
import type { StateStore } from '../storage/types.ts';

/** Largest TTL in seconds that can be granted (etcd's MaxLeaseTTL). */
export const MAX_LEASE_TTL_SECONDS = 9_000_000_000;

/** The replicated leases: which there are and what they were granted. Knows no time. */
export class LeaseTable {
  readonly #store: StateStore;
  readonly #leases = new Map<bigint, LeaseView>();

  constructor(store: StateStore) {
    this.#store = store;
  }

  load(): void {
    this.#leases.clear();
    for (const { value } of this.#store.range('leases', {})) {
      const lease = decodeLease(value);
      this.#leases.set(lease.id, lease);
    }
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  get(id: bigint): LeaseView | undefined {
    const lease = this.#leases.get(id);
    return lease && { ...lease };
  }

  /** Ordered by id. */
  list(): LeaseView[] {
    return [...this.#leases.values()]
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map((lease) => ({ ...lease }));
  }

  put(lease: LeaseView): void {
    this.#leases.set(lease.id, { ...lease });
    this.#store.put('leases', idKey(lease.id), encodeLease(lease));
  }

  delete(id: bigint): void {
    this.#leases.delete(id);
    this.#store.delete('leases', idKey(id));
  }

  /** The keys attached to it, in key order. */
  keys(id: bigint): Buffer[] {
    return Array.from(this.#store.keys('leaseKeys', leaseKeyBounds(id)), leaseKeyUserKey);
  }
}
