import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { InternalRequestBody, StateMachine } from '../apply/types.ts';
import type { LeaseClock } from '../lease/expiry.ts';
import { nodeError } from './proposals.ts';

/** How often the leader looks for leases that are due, and how many it revokes in one go (etcd: 500 ms, 1,000/s). */
const INTERVAL_MS = 200;
const MAX_REVOKES_PER_INTERVAL = 500;
const MAX_CHECKPOINTS_PER_INTERVAL = 1_000;

/** Proposes as the leader of that term; refused with NotLeader where this member is that no more. */
export type ProposeInTerm = (request: InternalRequestBody, term: number) => Promise<unknown>;

/**
 * The leader's duty to end leases: what is due by its clock is proposed, so that all members delete the same keys. It
 * is proposed in the term of that clock or not at all: a member that was paused, and has a successor by now, must not
 * have the successor end what was renewed there.
 */
export class LeaseKeeper {
  readonly #clock: Clock;
  readonly #leases: LeaseClock;
  readonly #propose: ProposeInTerm;
  readonly #logger: Logger;
  /** Revokes that were proposed and are not answered yet. */
  readonly #revoking = new Set<bigint>();
  #cancel: () => void = () => {};
  /** In which this member leads; undefined while it does not. */
  #term: number | undefined;

  constructor(clock: Clock, leases: LeaseClock, propose: ProposeInTerm, logger: Logger) {
    this.#clock = clock;
    this.#leases = leases;
    this.#propose = propose;
    this.#logger = logger;
  }

  get leading(): boolean {
    return this.#term !== undefined;
  }

  /** This member leads now: every lease gets its remaining TTL anew, and an election timeout on top. */
  promote(term: number, state: StateMachine, extendMs: number): void {
    if (this.#term === term) return;
    this.demote();
    this.#term = term;
    this.#leases.promote(state.leases(), extendMs);
    this.#schedule();
  }

  demote(): void {
    this.#term = undefined;
    this.#cancel();
    this.#leases.demote();
    this.#revoking.clear();
  }

  /** Takes back that some of the lease's time is used up, before it is renewed. */
  async clearCheckpoint(id: bigint): Promise<void> {
    const term = this.#term;
    if (term === undefined) throw nodeError('NotLeader');
    const checkpoints = [{ ID: id, remainingTTL: 0 }];
    await this.#propose({ $case: 'leaseCheckpoint', value: { checkpoints } }, term);
  }

  #schedule(): void {
    this.#cancel = this.#clock.setTimer(INTERVAL_MS, () => {
      if (this.#term === undefined) return;
      this.#revokeExpired(this.#term);
      this.#checkpoint(this.#term);
      this.#schedule();
    });
  }

  #revokeExpired(term: number): void {
    for (const id of this.#leases.expired(MAX_REVOKES_PER_INTERVAL)) {
      if (this.#revoking.has(id)) continue;
      this.#revoking.add(id);
      this.#propose({ $case: 'leaseRevoke', value: { ID: id } }, term)
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

  #checkpoint(term: number): void {
    const checkpoints = this.#leases.checkpointsDue(MAX_CHECKPOINTS_PER_INTERVAL);
    if (checkpoints.length === 0) return;
    const request = { $case: 'leaseCheckpoint' as const, value: { checkpoints } };
    this.#propose(request, term).catch((error: unknown) =>
      this.#logger.debug('leases not checkpointed', { reason: errorMessage(error) }),
    );
  }
}
