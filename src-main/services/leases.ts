import type { Clock } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';
import type { CallOutput, CallParsed } from '../contract/calls.ts';
import type { LeaseList, LeaseRow } from '../contract/views.ts';
import type { EtcdConnection } from '../remote/connection.ts';
import { LeaseKeeper, renewOnce } from '../remote/lease-keeper.ts';
import { failure } from './errors.ts';
import { hexToLease, leaseToHex } from './ids.ts';
import { inParallel } from './parallel.ts';
import { Poller } from './poller.ts';
import type { StreamSink, StreamSource } from './stream.ts';

const POLL_MS = 1_000;
/** LeaseTimeToLive calls at a time. */
const CONCURRENCY = 32;
/** Leases that are read anew in one round; the others count down by the clock. */
const MAX_REFRESH = 128;
/** Leases that are read for the first time in one round. */
const MAX_FIRST_READS = 2_000;
/** The list of a lease's keys may be long: it is read less often than the time left. */
const KEYS_EVERY_MS = 5_000;
/** Keys that a row carries. */
const KEYS_SHOWN = 10;
/** Leases that are read at all; a cluster with more is shown in part. */
const MAX_LEASES = 50_000;
/** Failed rounds in a row until the stream ends: an election is no reason. */
const MAX_FAILED_ROUNDS = 5;

interface Known {
  /** Clock time at which it expires, as last read. */
  expiresAtMs: number;
  grantedTtl: number;
  keyCount: number;
  keys: Uint8Array[];
  readAtMs: number;
  keysReadAtMs: number;
  isGone: boolean;
}

/** The leases of one cluster. */
export class LeaseInspector implements Disposable {
  readonly #etcd: EtcdConnection;
  readonly #clock: Clock;
  readonly #wallClockMs: () => number;
  readonly #keeper: LeaseKeeper;
  readonly #poller: Poller;
  readonly #known = new Map<bigint, Known>();
  readonly #limits = new Set<{ limit: number }>();
  #total = 0;
  #failedRounds = 0;

  constructor(etcd: EtcdConnection, clock: Clock, wallClockMs: () => number) {
    this.#etcd = etcd;
    this.#clock = clock;
    this.#wallClockMs = wallClockMs;
    this.#keeper = new LeaseKeeper(etcd, () => this.#poller.runSoon(), clock);
    this.#poller = new Poller({ read: () => this.#round(), intervalMs: POLL_MS, clock });
  }

  follow(limit: number, sink: StreamSink<LeaseList>): StreamSource {
    const view = { limit };
    this.#limits.add(view);
    const subscription = this.#poller.follow((error) => {
      if (error === null) sink.push(this.#list(limit));
      else if (this.#failedRounds >= MAX_FAILED_ROUNDS || this.#known.size === 0) sink.end(error);
    });
    return {
      dispose: () => {
        this.#limits.delete(view);
        subscription.dispose();
        if (!this.#poller.isWanted) this.#known.clear();
      },
    };
  }

  async grant(input: CallParsed<'leases.grant'>): Promise<CallOutput<'leases.grant'>> {
    const ID = input.id === undefined ? 0n : hexToLease(input.id);
    const response = await this.#etcd.leaseGrant({ TTL: input.ttl, ID });
    if (response.error !== '') throw failure('FailedPrecondition', response.error);
    this.#poller.runSoon();
    return { id: leaseToHex(response.ID) ?? '0', ttl: response.TTL };
  }

  async revoke(input: CallParsed<'leases.revoke'>): Promise<CallOutput<'leases.revoke'>> {
    const ids = input.ids.map(hexToLease);
    for (const id of ids) this.#keeper.remove(id);
    await inParallel(ids, CONCURRENCY, async (id) => {
      await this.#etcd.leaseRevoke(id);
      this.#known.delete(id);
    });
    this.#poller.runSoon();
    return { revoked: ids.length };
  }

  async renew(input: CallParsed<'leases.renew'>): Promise<CallOutput<'leases.renew'>> {
    const ttl = await renewOnce(this.#etcd, hexToLease(input.id));
    this.#forgetReading(hexToLease(input.id));
    return { ttl };
  }

  async keepAlive(input: CallParsed<'leases.keepAlive'>): Promise<CallOutput<'leases.keepAlive'>> {
    const id = hexToLease(input.id);
    if (input.on) {
      // Once by hand: a lease that is gone is reported now, not in the background.
      await renewOnce(this.#etcd, id);
      this.#keeper.add(id);
    } else {
      this.#keeper.remove(id);
    }
    this.#forgetReading(id);
    return { on: input.on };
  }

  async keys(input: CallParsed<'leases.keys'>): Promise<CallOutput<'leases.keys'>> {
    const { TTL, grantedTTL, keys } = await this.#etcd.leaseTimeToLive(hexToLease(input.id), true);
    if (TTL < 0) throw failure('NotFound', `lease ${input.id} has expired or is revoked`);
    return { ttl: TTL, grantedTtl: grantedTTL, keys };
  }

  async ttl(input: CallParsed<'leases.ttl'>): Promise<CallOutput<'leases.ttl'>> {
    const { TTL, grantedTTL } = await this.#etcd.leaseTimeToLive(hexToLease(input.id), false);
    return TTL < 0 ? null : { ttl: TTL, grantedTtl: grantedTTL };
  }

  dispose(): void {
    this.#poller.dispose();
    this.#keeper.dispose();
  }

  #forgetReading(id: bigint): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.readAtMs = Number.NEGATIVE_INFINITY;
    this.#poller.runSoon();
  }

  async #round(): Promise<void> {
    try {
      const { leases } = await this.#etcd.leases();
      this.#total = leases.length;
      const ids = new Set(leases.slice(0, MAX_LEASES).map((lease) => lease.ID));
      for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
      const fresh = [...ids].filter((id) => !this.#known.has(id)).slice(0, MAX_FIRST_READS);
      await inParallel([...fresh, ...this.#toRefresh()], CONCURRENCY, (id) => this.#readLease(id));
      this.#failedRounds = 0;
    } catch (error) {
      this.#failedRounds += 1;
      throw error;
    }
  }

  /** Of what somebody sees, what was read the longest ago. */
  #toRefresh(): bigint[] {
    const limit = Math.max(0, ...[...this.#limits].map((view) => view.limit));
    return this.#soonest(limit)
      .sort(([, a], [, b]) => a.readAtMs - b.readAtMs)
      .slice(0, MAX_REFRESH)
      .map(([id]) => id);
  }

  async #readLease(id: bigint): Promise<void> {
    const before = this.#known.get(id);
    const now = this.#clock.nowMs();
    const wantsKeys = before === undefined || now - before.keysReadAtMs >= KEYS_EVERY_MS;
    const response = await this.#etcd.leaseTimeToLive(id, wantsKeys);
    const readAtMs = this.#clock.nowMs();
    this.#known.set(id, {
      expiresAtMs: readAtMs + response.TTL * 1_000,
      grantedTtl: response.grantedTTL,
      keyCount: wantsKeys ? response.keys.length : before.keyCount,
      keys: wantsKeys ? response.keys.slice(0, KEYS_SHOWN) : before.keys,
      readAtMs,
      keysReadAtMs: wantsKeys ? readAtMs : before.keysReadAtMs,
      isGone: response.TTL < 0,
    });
  }

  #soonest(limit: number): [bigint, Known][] {
    return [...this.#known].sort(([, a], [, b]) => a.expiresAtMs - b.expiresAtMs).slice(0, limit);
  }

  #list(limit: number): LeaseList {
    const now = this.#clock.nowMs();
    const leases = this.#soonest(limit).map(([id, known]): LeaseRow => {
      const leftMs = known.expiresAtMs - now;
      return {
        id: leaseToHex(id) ?? '0',
        ttl: known.isGone ? -1 : Math.max(0, Math.round(leftMs / 1_000)),
        grantedTtl: known.grantedTtl,
        keyCount: known.keyCount,
        keys: known.keys,
        keepAlive: this.#keeper.has(id),
      };
    });
    return { leases, total: this.#total, readAtMs: this.#wallClockMs() };
  }
}
