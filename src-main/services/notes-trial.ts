/**
 * What an experiment works with: calls that are recorded with what was sent and what came back,
 * under a prefix of its own, and the way to remove all of it again.
 */
import { randomBytes } from 'node:crypto';
import { idToHex, prefixEnd } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type {
  TrialActor,
  TrialCheck,
  TrialItem,
  TrialParams,
  TrialSay,
} from '../contract/notes-trial.ts';
import { type Event, Event_EventType, type KeyValue } from '../proto/etcd/kv.ts';
import type { RangeResponse, TxnRequest, TxnResponse } from '../proto/etcd/rpc.ts';
import { type LockResponse, LockService } from '../proto/etcd/v3lock.ts';
import type { EtcdConnection } from '../remote/connection.ts';
import { RemoteError } from '../remote/errors.ts';
import { WatchSubscription } from '../remote/watch.ts';
import { failure } from './errors.ts';

/** Where experiments write; nothing else of a cluster is touched. */
export const TRIAL_PREFIX = 'raftdeck-notes/';
/** One experiment, with all its waiting. */
export const TRIAL_TIMEOUT_MS = 60_000;
const CLEANUP_TIMEOUT_MS = 5_000;

export interface TrialOptions {
  etcd: EtcdConnection;
  push: (item: TrialItem) => void;
  signal: AbortSignal;
  clock: Clock;
}

export class Trial {
  readonly prefix = `${TRIAL_PREFIX}${randomBytes(6).toString('hex')}/`;
  readonly etcd: EtcdConnection;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly #push: (item: TrialItem) => void;
  readonly #startedAtMs: number;
  readonly #leases = new Set<bigint>();
  readonly #watches = new Set<TrialWatch>();
  #calls = 0;
  #checks = 0;
  #held = 0;

  constructor(options: TrialOptions) {
    this.etcd = options.etcd;
    this.signal = options.signal;
    this.clock = options.clock;
    this.#push = options.push;
    this.#startedAtMs = options.clock.nowMs();
  }

  get atMs(): number {
    return Math.round(this.clock.nowMs() - this.#startedAtMs);
  }

  /** All that was looked at was as claimed, and something was. */
  get held(): boolean {
    return this.#checks > 0 && this.#held === this.#checks;
  }

  key(name: string): Buffer {
    return Buffer.from(this.prefix + name);
  }

  say(say: TrialSay, params: TrialParams = {}): void {
    this.#push({ kind: 'say', say, params, atMs: this.atMs });
  }

  check(check: TrialCheck, held: boolean, params: TrialParams = {}): void {
    this.#checks += 1;
    if (held) this.#held += 1;
    this.#push({ kind: 'check', check, params, held });
  }

  /** Makes one call and records it; a failure is recorded and thrown. */
  async call<T>(
    call: { who: TrialActor; method: string; request: string },
    make: () => Promise<T>,
    describe: (response: T) => string,
  ): Promise<T> {
    this.signal.throwIfAborted();
    const id = ++this.#calls;
    this.#push({ kind: 'sent', call: id, ...call, atMs: this.atMs });
    const answered = (ok: boolean, response: string) =>
      this.#push({ kind: 'answer', call: id, ok, response, atMs: this.atMs });
    try {
      const response = await make();
      answered(true, describe(response));
      return response;
    } catch (error) {
      answered(false, errorMessage(error));
      throw error;
    }
  }

  /** The revision of the write. */
  async put(who: TrialActor, name: string, value: string, lease = 0n): Promise<number> {
    const leased = lease === 0n ? '' : ` lease=${idToHex(lease)}`;
    const { header } = await this.call(
      { who, method: 'Put', request: `key=${name} value="${value}"${leased}` },
      () =>
        this.etcd.put({ key: this.key(name), value: Buffer.from(value), lease }, this.#options()),
      (response) => `revision=${response.header?.revision ?? 0}`,
    );
    return header?.revision ?? 0;
  }

  async get(who: TrialActor, name: string): Promise<KeyValue | null> {
    const response = await this.call(
      { who, method: 'Range', request: `key=${name}` },
      () => this.etcd.range({ key: this.key(name) }, this.#options()),
      (answer) => this.describeRange(answer),
    );
    return response.kvs[0] ?? null;
  }

  /** Whatever an else branch read is described too. */
  txn(who: TrialActor, words: string, request: Partial<TxnRequest>): Promise<TxnResponse> {
    return this.call(
      { who, method: 'Txn', request: words },
      () => this.etcd.txn(request, this.#options()),
      (response) => {
        const reads = response.responses.flatMap(({ response: one }) =>
          one?.$case === 'responseRange' ? [this.describeRange(one.value)] : [],
        );
        const parts = [`succeeded=${response.succeeded}`, ...reads];
        if (response.succeeded) parts.push(`revision=${response.header?.revision ?? 0}`);
        return parts.join(' ');
      },
    );
  }

  async grant(who: TrialActor, ttl: number): Promise<{ id: bigint; ttl: number }> {
    const response = await this.call(
      { who, method: 'LeaseGrant', request: `TTL=${ttl}` },
      () => this.etcd.leaseGrant({ TTL: ttl, ID: 0n }, this.#options()),
      ({ ID, TTL }) => `ID=${idToHex(ID)} TTL=${TTL}`,
    );
    this.#leases.add(response.ID);
    return { id: response.ID, ttl: response.TTL };
  }

  /** Waits in line until the lock is its own, for `timeoutMs` at most. */
  lock(who: TrialActor, name: string, lease: bigint, timeoutMs: number): Promise<LockResponse> {
    return this.call(
      { who, method: 'Lock', request: `name=${name} lease=${idToHex(lease)}` },
      () => {
        const [channel] = this.etcd.candidates();
        if (channel === undefined) throw failure('Unavailable', 'no endpoint to call');
        const request = { name: this.key(name), lease };
        const limits = { timeoutMs, signal: this.signal, requireLeader: true };
        return channel.unary(LockService.lock, request, limits);
      },
      ({ key }) => `key=${this.shortKey(key)}`,
    );
  }

  /** Opens a watch and waits until the server has it. */
  async watch(who: TrialActor, name: string, fromRevision = 0): Promise<TrialWatch> {
    const from = fromRevision === 0 ? '' : ` start_revision=${fromRevision}`;
    const watch = new TrialWatch(this, this.key(name), fromRevision, (text) =>
      this.#push({ kind: 'event', who, text, atMs: this.atMs }),
    );
    this.#watches.add(watch);
    await this.call(
      { who, method: 'Watch', request: `key=${name}${from}` },
      () => watch.opened,
      (revision) => `created revision=${revision}`,
    );
    return watch;
  }

  /** Waits until `holds`; throws Timeout after `withinMs`, and when the run is ended. */
  async until(holds: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
    const deadline = this.clock.nowMs() + withinMs;
    while (!(await holds())) {
      this.signal.throwIfAborted();
      if (this.clock.nowMs() > deadline) {
        throw failure('Timeout', `not seen within ${Math.round(withinMs / 1_000)} s`);
      }
      await new Promise<void>((resolve) => this.clock.setTimer(20, resolve));
    }
  }

  /** `key="value" mod_revision=…`, or how many there are. */
  describeRange(response: RangeResponse): string {
    const kv = response.kvs[0];
    if (kv === undefined) return `count=${response.count}`;
    return `${this.shortKey(kv.key)}="${kv.value.toString()}" mod_revision=${kv.modRevision}`;
  }

  /** Without the prefix, which the run begins by naming. */
  shortKey(key: Buffer): string {
    const text = key.toString();
    return text.startsWith(this.prefix) ? text.slice(this.prefix.length) : text;
  }

  /** Removes all keys and leases of this run, also after it was ended; what fails is `left`. */
  async cleanUp(): Promise<{ keys: number; leases: number; left: number | null }> {
    for (const watch of this.#watches) watch.close();
    const range = { key: Buffer.from(this.prefix), rangeEnd: prefixEnd(Buffer.from(this.prefix)) };
    const options = { timeoutMs: CLEANUP_TIMEOUT_MS };
    let leases = 0;
    for (const lease of this.#leases) {
      try {
        await this.etcd.leaseRevoke(lease, options);
        leases += 1;
      } catch (error) {
        // It has expired, as it was to; or it will, and its keys with it.
        if (!(error instanceof RemoteError)) throw error;
      }
    }
    try {
      const { deleted } = await this.etcd.deleteRange(range, options);
      const { count } = await this.etcd.range({ ...range, countOnly: true }, options);
      return { keys: deleted, leases, left: count };
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      return { keys: 0, leases, left: null };
    }
  }

  #options() {
    return { signal: this.signal };
  }
}

/** A watch of one key whose events are kept. */
export class TrialWatch {
  readonly events: Event[] = [];
  /** The revision of the cluster when the server had the watch. */
  readonly opened: Promise<number>;
  readonly #subscription: WatchSubscription;
  #reject: (error: Error) => void = () => {};

  constructor(trial: Trial, key: Buffer, startRevision: number, onEvent: (text: string) => void) {
    let resolve: (revision: number) => void = () => {};
    this.opened = new Promise((done, reject) => {
      resolve = done;
      this.#reject = reject;
    });
    // Whoever closes it before does not wait for it.
    this.opened.catch(() => {});
    const options = { key, rangeEnd: Buffer.alloc(0), startRevision, prevKv: false };
    this.#subscription = new WatchSubscription(
      trial.etcd,
      options,
      (report) => {
        if (report.kind === 'opened') resolve(report.revision);
        if (report.kind === 'failed') this.#reject(failure('Unavailable', report.error));
        if (report.kind !== 'events') return;
        this.events.push(...report.events);
        for (const event of report.events) onEvent(describeEvent(trial, event));
      },
      trial.clock,
    );
    trial.signal.addEventListener('abort', () => this.close(), { once: true });
  }

  close(): void {
    this.#subscription.dispose();
    this.#reject(failure('Cancelled', 'the watch was closed'));
  }
}

function describeEvent(trial: Trial, { type, kv }: Event): string {
  const name = trial.shortKey(kv?.key ?? Buffer.alloc(0));
  const at = `revision=${kv?.modRevision ?? 0}`;
  if (type === Event_EventType.DELETE) return `DELETE ${name} ${at}`;
  return `PUT ${name}="${kv?.value.toString() ?? ''}" ${at}`;
}
