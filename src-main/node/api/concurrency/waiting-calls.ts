import { RpcError, RpcStatus } from '../../rpc/status.ts';
import { apiError, grpcError } from '../errors.ts';

/**
 * Calls of one node that may wait at once for a lock, for an election or for news of one. Each
 * holds a watcher and an open call; more are refused with TooManyRequests. Well below the number of
 * proposals that may wait, so that all of them can leave their queues at once.
 */
export const MAX_WAITING_CALLS = 10_000;

/** The calls of a node that wait for other clients. A node that stops does not wait with them. */
export class WaitingCalls {
  readonly #limit: number;
  readonly #stopping: AbortSignal | undefined;
  readonly #ends = new Set<() => void>();

  constructor(limit: number, stopping: AbortSignal | undefined) {
    this.#limit = limit;
    this.#stopping = stopping;
    stopping?.addEventListener('abort', () => {
      for (const end of this.#ends) end();
    });
  }

  /** `wait` gets a signal for the end of the call and for the stop of the node. */
  async hold<T>(callSignal: AbortSignal, wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#ends.size >= this.#limit) throw apiError('TooManyRequests');
    const controller = new AbortController();
    const end = (): void => controller.abort();
    if (callSignal.aborted || this.#stopping?.aborted === true) end();
    callSignal.addEventListener('abort', end);
    this.#ends.add(end);
    try {
      return await wait(controller.signal);
    } catch (error) {
      // With its status: the client may well try another member.
      if (this.#stopping?.aborted === true && !callSignal.aborted) {
        throw new RpcError(RpcStatus.UNAVAILABLE, grpcError('Stopped').message, { cause: error });
      }
      throw error;
    } finally {
      this.#ends.delete(end);
      callSignal.removeEventListener('abort', end);
    }
  }
}
