import { DeleteRangeRequest } from '../../proto/etcd/rpc.ts';
import {
  type LockRequest,
  type LockResponse,
  LockService,
  type UnlockRequest,
  type UnlockResponse,
} from '../../proto/etcd/v3lock.ts';
import { type CallContext, type ServiceImplementation, unary } from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import { checkDeleteRange, checkDeleteRangeSize } from './checks.ts';
import { callEnded, concurrencyError, withoutStatus } from './concurrency/errors.ts';
import { isPresent, leavePlace, type Place, Queue } from './concurrency/queue.ts';
import { sessionLease } from './concurrency/session.ts';
import type { WaitingCalls } from './concurrency/waiting-calls.ts';
import type { ApiDeps } from './deps.ts';
import type { Guard } from './guard.ts';

export function lockService(
  backend: Backend,
  guard: Guard,
  deps: ApiDeps,
  waiting: WaitingCalls,
): ServiceImplementation {
  const lock = new LockApi(backend, deps, waiting);
  return {
    name: 'v3lockpb.Lock',
    methods: [
      unary(
        LockService.lock,
        guard.unary((request, context) => withoutStatus(() => lock.lock(request, context))),
      ),
      unary(
        LockService.unlock,
        guard.unary((request, context) => withoutStatus(() => lock.unlock(request, context))),
      ),
    ],
  };
}

const NO_VALUE = Buffer.alloc(0);

class LockApi {
  readonly #backend: Backend;
  readonly #deps: ApiDeps;
  readonly #waiting: WaitingCalls;

  constructor(backend: Backend, deps: ApiDeps, waiting: WaitingCalls) {
    this.#backend = backend;
    this.#deps = deps;
    this.#waiting = waiting;
  }

  async lock({ name, lease: wanted }: LockRequest, { signal }: CallContext): Promise<LockResponse> {
    const lease = await sessionLease(this.#backend, wanted);
    if (signal.aborted) throw callEnded();
    const queue = new Queue(this.#backend, name);
    const place = await queue.take(lease, NO_VALUE);
    if (!place.hasTurn) return this.#wait(queue, place, signal);
    // Who had the lock before this call began keeps it.
    if (signal.aborted && place.isNew) {
      await this.#leave(place);
      throw callEnded();
    }
    return { header: this.#backend.header(place.revision), key: place.key };
  }

  async unlock({ key }: UnlockRequest, { signal }: CallContext): Promise<UnlockResponse> {
    const value = DeleteRangeRequest.fromPartial({ key });
    checkDeleteRange(value);
    checkDeleteRangeSize(value, this.#backend.limits.maxRequestBytes);
    const { revision } = await this.#backend.propose<'deleteRange'>(
      { $case: 'deleteRange', value },
      signal,
    );
    return { header: this.#backend.header(revision) };
  }

  /** As in etcd 3.5 a place that was lost meanwhile is noticed when its turn comes. */
  async #wait(queue: Queue, place: Place, signal: AbortSignal): Promise<LockResponse> {
    try {
      await this.#waiting.hold(signal, (either) => queue.turnOf(place, either));
    } catch (error) {
      await this.#leave(place);
      throw error;
    }
    if (!isPresent(this.#backend, place)) throw concurrencyError('SessionExpired');
    return { header: this.#backend.header(), key: place.key };
  }

  /** If it fails, the end of the lease deletes the key. */
  async #leave(place: Place): Promise<void> {
    await leavePlace(this.#backend, place).catch((error: unknown) =>
      this.#deps.logger.debug('a lock was not released', { reason: String(error) }),
    );
  }
}
