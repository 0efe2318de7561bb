import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { InternalRequestBody, StateMachine } from '../apply/types.ts';

/** Between tries to make this member's name and client URLs known. */
const RETRY_MS = 200;

export interface PublisherDeps {
  memberId: bigint;
  name: string;
  clientUrls: string[];
  state: StateMachine;
  clock: Clock;
  logger: Logger;
  propose(request: InternalRequestBody): Promise<unknown>;
}

/** Tells the cluster this member's name and client URLs, until it knows. */
export class Publisher {
  readonly #deps: PublisherDeps;
  #stopped = false;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
  }

  async run(): Promise<void> {
    const { memberId, name, clientUrls, clock, logger, propose } = this.#deps;
    while (!this.#stopped && !this.#isKnown()) {
      try {
        await propose({ $case: 'publish', value: { memberId, name, clientUrls } });
      } catch (error) {
        logger.debug('not published yet', { reason: errorMessage(error) });
      }
      // One that joins publishes before it has the state: the entry comes to it with the rest.
      if (!this.#isKnown()) await new Promise<void>((resolve) => clock.setTimer(RETRY_MS, resolve));
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  #isKnown(): boolean {
    const { memberId, name, clientUrls, state } = this.#deps;
    const self = state.members().find(({ ID }) => ID === memberId);
    return self?.name === name && self.clientURLs.join() === clientUrls.join();
  }
}
