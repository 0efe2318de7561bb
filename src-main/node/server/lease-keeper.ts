import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { InternalRequestBody, StateMachine } from '../apply/types.ts';
import type { LeaseClock } from '../lease/expiry.ts';

/** How often the leader looks for leases that are due, and how many it revokes in one go (etcd: 500 ms, 1,000/s). */
const INTERVAL_MS = 200;
const MAX_REVOKES_PER_INTERVAL = 500;
const MAX_CHECKPOINTS_PER_INTERVAL = 1_000;

/** The leader's duty to end leases: what is due by its clock is proposed, so that all members delete the same keys. */
export class LeaseKeeper {
  readonly #clock: Clock;
  readonly #leases: LeaseClock;
  readonly #propose: (request: InternalRequestBody) => Promise<unknown>;
  readonly #logger: Logger;
  /** Revokes that were proposed and are not answered yet. */
  readonly #revoking = new Set<bigint>();
  #cancel: () => void = () => {};
  #leading = false;

  constructor(
    clock: Clock,
    leases: LeaseClock,
    propose: (request: InternalRequestBody) => Promise<unknown>,
    logger: Logger,
  ) {
    this.#clock = clock;
    this.#leases = leases;
    this.#propose = propose;
    this.#logger = logger;
  }

  get leading(): boolean {
    return this.#leading;
  }

  /** This member leads now: every lease gets its remaining TTL anew, and an election timeout on top. */
  promote(state: StateMachine, extendMs: number): void {
    if (this.#leading) return;
    this.#leading = true;
    this.#leases.promote(state.leases(), extendMs);
    this.#schedule();
  }

  demote(): void {
    this.#leading = false;
    this.#cancel();
    this.#leases.demote();
    this.#revoking.clear();
  }

  #schedule(): void {
    this.#cancel = this.#clock.setTimer(INTERVAL_MS, () => {
      if (!this.#leading) return;
      this.#revokeExpired();
      this.#checkpoint();
      this.#schedule();
    });
  }

  #revokeExpired(): void {
    for (const id of this.#leases.expired(MAX_REVOKES_PER_INTERVAL)) {
      if (this.#revoking.has(id)) continue;
      this.#revoking.add(id);
      this.#propose({ $case: 'leaseRevoke', value: { ID: id } })
        .catch((error: unknown) =>
          // Gone already, or asked again at the next interval.
          this.#logger.debug('lease not revoked', {
            lease: id.toString(16),
            reason: errorMessage(error),
          }),
        )
        .finally(() => this.#revoking.delete(id));
    }
  }

  #checkpoint(): void {
    const checkpoints = this.#leases.checkpointsDue(MAX_CHECKPOINTS_PER_INTERVAL);
    if (checkpoints.length === 0) return;
    this.#propose({ $case: 'leaseCheckpoint', value: { checkpoints } }).catch((error: unknown) =>
      this.#logger.debug('leases not checkpointed', { reason: errorMessage(error) }),
    );
  }
}
