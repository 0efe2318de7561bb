import type {
  BidiHandler,
  CallContext,
  ServerStreamHandler,
  UnaryHandler,
} from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import { type ApiDeps, DEFAULT_LEADER_CHECK_INTERVAL_MS } from './deps.ts';
import { apiError, toRpcError } from './errors.ts';

/**
 * Sent by clients that would rather fail than wait for a leader
 * (rpctypes.MetadataRequireLeaderKey).
 */
const REQUIRE_LEADER_KEY = 'hasleader';

/**
 * A stream that requires a leader survives an election: it is ended at this many checks in a row
 * without one.
 */
const MAX_LEADERLESS_CHECKS = 3;

/**
 * What every handler has around it: the leader that the client may require, and the mapping of
 * errors.
 */
export class Guard {
  readonly #backend: Backend;
  readonly #deps: ApiDeps;

  constructor(backend: Backend, deps: ApiDeps) {
    this.#backend = backend;
    this.#deps = deps;
  }

  /** `forLearners` says which requests a learner answers, too; none by default. */
  unary<Request, Response>(
    handler: UnaryHandler<Request, Response>,
    forLearners: (request: Request) => boolean = () => false,
  ): UnaryHandler<Request, Response> {
    return (request, context) => {
      try {
        this.#checkServing(forLearners(request));
        this.#checkLeader(context);
        return handler(request, context).catch(rethrow);
      } catch (error) {
        return Promise.reject(toRpcError(error));
      }
    };
  }

  serverStream<Request, Response>(
    handler: ServerStreamHandler<Request, Response>,
  ): ServerStreamHandler<Request, Response> {
    return (request, responses, context) =>
      this.#stream(context, () => handler(request, responses, context));
  }

  bidi<Request, Response>(handler: BidiHandler<Request, Response>): BidiHandler<Request, Response> {
    return (requests, responses, context) =>
      this.#stream(context, () => handler(requests, responses, context));
  }

  async #stream(context: CallContext, run: () => Promise<void>): Promise<void> {
    try {
      this.#checkServing(false);
      this.#checkLeader(context);
      if (!requiresLeader(context)) return await run();
      await this.#whileLed(run);
    } catch (error) {
      throw toRpcError(error);
    }
  }

  /** A learner has part of the state only, so it answers what does not claim to be current (etcd's interceptor). */
  #checkServing(forLearners: boolean): void {
    if (!this.#backend.isCapable) throw apiError('NotCapable');
    if (!forLearners && this.#backend.isLearner) throw apiError('NotSupportedForLearner');
  }

  #checkLeader(context: CallContext): void {
    if (requiresLeader(context) && this.#backend.status().leader === 0n) throw apiError('NoLeader');
  }

  /** Rejects when the leader stays away; the transport then aborts the handler's signal. */
  #whileLed(run: () => Promise<void>): Promise<void> {
    const { clock, leaderCheckIntervalMs = DEFAULT_LEADER_CHECK_INTERVAL_MS } = this.#deps;
    return new Promise((resolve, reject) => {
      let leaderless = 0;
      const check = (): void => {
        leaderless = this.#backend.status().leader === 0n ? leaderless + 1 : 0;
        if (leaderless >= MAX_LEADERLESS_CHECKS) reject(apiError('NoLeader'));
        else cancel = clock.setTimer(leaderCheckIntervalMs, check);
      };
      let cancel = clock.setTimer(leaderCheckIntervalMs, check);
      run()
        .then(resolve, reject)
        .finally(() => cancel());
    });
  }
}

function rethrow(error: unknown): never {
  throw toRpcError(error);
}

function requiresLeader(context: CallContext): boolean {
  return context.metadata.get(REQUIRE_LEADER_KEY) === 'true';
}

/** Resolves when the call is over. */
export function callEnd(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
