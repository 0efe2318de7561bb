import type { ClientDuplexStream } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';
import { CodedError } from '../base/errors.ts';
import type { ContractErrorCode } from '../contract/errors.ts';
import {
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  LeaseService,
} from '../proto/etcd/rpc.ts';
import type { EtcdConnection } from './connection.ts';
import { toRemoteError } from './errors.ts';

type KeepAliveStream = ClientDuplexStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

/** Renewed after a third of its life, as etcd's own client does: two more attempts fit in. */
const RENEWALS_PER_TTL = 3;
const MIN_INTERVAL_MS = 250;
/** An unanswered renewal is repeated on a new stream. */
const ANSWER_TIMEOUT_MS = 1_500;
const RETRY_MS = 300;
/** Leases kept alive at once. */
export const MAX_KEPT_LEASES = 1_000;

interface Kept {
  nextAtMs: number;
  /** When the last unanswered request went out. */
  waitingSinceMs: number | null;
}

/** Renews one lease once: seconds left afterwards. Throws NotFound if it is gone. */
export async function renewOnce(
  connection: EtcdConnection,
  id: bigint,
  timeoutMs = 5_000,
): Promise<number> {
  let last: unknown;
  for (const channel of connection.candidates()) {
    const context = { endpoint: channel.endpoint.address, method: 'LeaseKeepAlive' };
    const stream = channel.duplex(LeaseService.leaseKeepAlive, { requireLeader: true });
    try {
      const response = await answer(stream, id, timeoutMs);
      if (response.TTL <= 0) {
        throw new CodedError<ContractErrorCode>('NotFound', 'this lease has expired or is revoked');
      }
      return response.TTL;
    } catch (error) {
      if (error instanceof CodedError) throw error;
      const failure = toRemoteError(error, context);
      connection.report(channel, false);
      // Renewing twice does no harm.
      if (!failure.elsewhere) throw failure;
      last = failure;
    } finally {
      stream.cancel();
    }
  }
  throw last;
}

function answer(stream: KeepAliveStream, id: bigint, timeoutMs: number) {
  return new Promise<LeaseKeepAliveResponse>((resolve, reject) => {
    const late = () =>
      reject(new CodedError<ContractErrorCode>('Timeout', 'the renewal was not answered in time'));
    const timer = setTimeout(late, timeoutMs);
    const settle = (end: () => void) => {
      clearTimeout(timer);
      end();
    };
    stream.on('data', (response: LeaseKeepAliveResponse) => settle(() => resolve(response)));
    stream.on('error', (error) => settle(() => reject(error)));
    stream.on('end', () => settle(() => reject(new Error('the server ended the stream'))));
    stream.write({ ID: id });
  });
}

/** Keeps leases alive over one stream until told otherwise, or until they are gone. */
export class LeaseKeeper implements Disposable {
  readonly #connection: EtcdConnection;
  readonly #onGone: (id: bigint) => void;
  readonly #clock: Clock;
  readonly #kept = new Map<bigint, Kept>();
  #stream: KeepAliveStream | null = null;
  #cancelTimer: (() => void) | null = null;
  #disposed = false;

  constructor(
    connection: EtcdConnection,
    onGone: (id: bigint) => void,
    clock: Clock = systemClock,
  ) {
    this.#connection = connection;
    this.#onGone = onGone;
    this.#clock = clock;
  }

  has(id: bigint): boolean {
    return this.#kept.has(id);
  }

  /** Throws FailedPrecondition when too many are kept already. */
  add(id: bigint): void {
    if (this.#kept.has(id)) return;
    if (this.#kept.size >= MAX_KEPT_LEASES) {
      throw new CodedError<ContractErrorCode>(
        'FailedPrecondition',
        `${MAX_KEPT_LEASES} leases are kept alive already`,
      );
    }
    this.#kept.set(id, { nextAtMs: this.#clock.nowMs(), waitingSinceMs: null });
    this.#schedule();
  }

  remove(id: bigint): void {
    this.#kept.delete(id);
    if (this.#kept.size === 0) this.#drop();
    this.#schedule();
  }

  dispose(): void {
    this.#disposed = true;
    this.#kept.clear();
    this.#cancelTimer?.();
    this.#drop();
  }

  #schedule(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (this.#disposed || this.#kept.size === 0) return;
    let nextAtMs = Number.POSITIVE_INFINITY;
    for (const kept of this.#kept.values()) {
      const dueAtMs =
        kept.waitingSinceMs === null ? kept.nextAtMs : kept.waitingSinceMs + ANSWER_TIMEOUT_MS;
      nextAtMs = Math.min(nextAtMs, dueAtMs);
    }
    const delayMs = Math.max(0, nextAtMs - this.#clock.nowMs());
    this.#cancelTimer = this.#clock.setTimer(delayMs, () => this.#renewDue());
  }

  #renewDue(): void {
    const now = this.#clock.nowMs();
    const lost = [...this.#kept.values()].some(
      (kept) => kept.waitingSinceMs !== null && now - kept.waitingSinceMs >= ANSWER_TIMEOUT_MS,
    );
    if (lost) this.#restart(0);
    const stream = this.#stream ?? this.#open();
    if (stream !== null) {
      for (const [id, kept] of this.#kept) {
        if (kept.waitingSinceMs !== null || kept.nextAtMs > now) continue;
        kept.waitingSinceMs = now;
        stream.write({ ID: id });
      }
    }
    this.#schedule();
  }

  #open(): KeepAliveStream | null {
    const channel = this.#connection.candidates()[0];
    if (channel === undefined) return null;
    const stream = channel.duplex(LeaseService.leaseKeepAlive, { requireLeader: true });
    this.#stream = stream;
    const broken = () => {
      if (this.#stream !== stream) return;
      this.#connection.report(channel, false);
      this.#restart(RETRY_MS);
      this.#schedule();
    };
    stream.on('data', (response: LeaseKeepAliveResponse) => this.#onAnswer(response));
    stream.on('error', broken);
    stream.on('end', broken);
    return stream;
  }

  #onAnswer(response: LeaseKeepAliveResponse): void {
    const kept = this.#kept.get(response.ID);
    if (kept === undefined) return;
    if (response.TTL <= 0) {
      this.remove(response.ID);
      this.#onGone(response.ID);
      return;
    }
    kept.waitingSinceMs = null;
    const intervalMs = Math.max(MIN_INTERVAL_MS, (response.TTL * 1_000) / RENEWALS_PER_TTL);
    kept.nextAtMs = this.#clock.nowMs() + intervalMs;
    this.#schedule();
  }

  /** What was asked and not answered is asked anew, on a new stream. */
  #restart(delayMs: number): void {
    this.#drop();
    const now = this.#clock.nowMs();
    for (const kept of this.#kept.values()) {
      if (kept.waitingSinceMs === null) continue;
      kept.waitingSinceMs = null;
      kept.nextAtMs = now + delayMs;
    }
  }

  #drop(): void {
    const stream = this.#stream;
    this.#stream = null;
    if (stream === null) return;
    stream.removeAllListeners();
    stream.on('error', () => {});
    stream.cancel();
  }
}
