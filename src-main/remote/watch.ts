import type { ClientDuplexStream } from '@grpc/grpc-js';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';
import type { Event } from '../proto/etcd/kv.ts';
import {
  WatchCreateRequest,
  WatchCreateRequest_FilterType,
  type WatchRequest,
  type WatchResponse,
  WatchService,
} from '../proto/etcd/rpc.ts';
import type { EndpointChannel } from './channel.ts';
import type { EtcdConnection } from './connection.ts';
import { type RemoteError, toRemoteError } from './errors.ts';

export interface WatchOptions {
  key: Buffer;
  /** As in etcd's RangeRequest; empty for the one key. */
  rangeEnd: Buffer;
  /** 0: from now. */
  startRevision: number;
  prevKv: boolean;
  /** Absent: both. The server leaves the others out. */
  only?: 'put' | 'delete' | undefined;
}

export type WatchReport =
  /** The stream is there; events from `nextRevision` on follow. */
  | { kind: 'opened'; revision: number; nextRevision: number; endpoint: string }
  /** In revision order, each exactly once. */
  | { kind: 'events'; events: Event[] }
  | { kind: 'reconnecting'; nextRevision: number; error: RemoteError }
  /** Events before this revision are lost; the watch goes on from it. */
  | { kind: 'compacted'; compactRevision: number }
  /** The watch has ended. */
  | { kind: 'failed'; error: string };

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
/** No answer to the create request for so long: the endpoint hangs, another may not. */
const CREATE_TIMEOUT_MS = 3_000;

/**
 * One watch that outlives its streams. It knows the last event that it handed on, so that after a
 * broken stream it goes on at the next one, at whichever endpoint answers.
 */
export class WatchSubscription implements Disposable {
  readonly #connection: EtcdConnection;
  readonly #options: WatchOptions;
  readonly #onReport: (report: WatchReport) => void;
  readonly #clock: Clock;
  /** Where to go on; 0 until the first stream told where "now" is. */
  #nextRevision: number;
  /**
   * Events of #nextRevision that were handed on already. Not 0 only between the fragments of a
   * response, which may cut a revision in two.
   */
  #deliveredOfNext = 0;
  /** Events of #nextRevision that the resumed stream repeats and that are to be dropped. */
  #toSkip = 0;
  #stream: ClientDuplexStream<WatchRequest, WatchResponse> | null = null;
  #failures = 0;
  #paused = false;
  #closed = false;
  #cancelTimer: (() => void) | null = null;

  constructor(
    connection: EtcdConnection,
    options: WatchOptions,
    onReport: (report: WatchReport) => void,
    clock: Clock = systemClock,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#nextRevision = options.startRevision;
    this.#onReport = onReport;
    this.#clock = clock;
    this.#open();
  }

  /** Stops reading from the socket: the server then holds the events back. */
  pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream?.resume();
  }

  dispose(): void {
    this.#closed = true;
    this.#dropStream();
  }

  #open(): void {
    if (this.#closed) return;
    let channel: EndpointChannel | undefined;
    try {
      channel = this.#connection.candidates()[0];
    } catch (error) {
      // The connection is closed for good.
      this.#fail(toRemoteError(error, { endpoint: '', method: 'Watch' }).message);
      return;
    }
    if (channel === undefined) return;
    const used = channel;
    this.#toSkip = this.#deliveredOfNext;
    const stream = used.duplex(WatchService.watch, { requireLeader: true });
    this.#stream = stream;
    const broken = (error: unknown) => {
      if (this.#stream === stream) this.#onBroken(used, error);
    };
    stream.on('data', (response: WatchResponse) => {
      if (this.#stream === stream) this.#onResponse(used, response);
    });
    stream.on('error', broken);
    stream.on('end', () => broken(new Error('the server ended the stream')));
    const create = WatchCreateRequest.create();
    create.key = this.#options.key;
    create.rangeEnd = this.#options.rangeEnd;
    create.startRevision = this.#nextRevision;
    create.prevKv = this.#options.prevKv;
    create.progressNotify = true;
    create.fragment = true;
    create.filters = filtersFor(this.#options.only);
    stream.write({ requestUnion: { $case: 'createRequest', value: create } });
    // Paused or not, the answer to this is awaited; see #onResponse.
    this.#setTimer(CREATE_TIMEOUT_MS, () =>
      broken(new Error(`${used.endpoint.address} did not open the watch in time`)),
    );
  }

  #onResponse(channel: EndpointChannel, response: WatchResponse): void {
    const revision = response.header?.revision ?? 0;
    if (response.canceled) {
      this.#onCanceled(response);
      return;
    }
    if (response.created) {
      this.#clearTimer();
      this.#failures = 0;
      this.#connection.report(channel, true);
      if (this.#nextRevision === 0) this.#nextRevision = revision + 1;
      this.#onReport({
        kind: 'opened',
        revision,
        nextRevision: this.#nextRevision,
        endpoint: channel.endpoint.url,
      });
      if (this.#paused) this.#stream?.pause();
    }
    if (response.events.length > 0) this.#onEvents(response.events, response.fragment);
    else if (!response.created) {
      // A progress notice: everything up to this revision was sent.
      this.#advance(revision + 1);
    }
  }

  #onEvents(all: Event[], isFragment: boolean): void {
    const events: Event[] = [];
    for (const event of all) {
      const revision = event.kv?.modRevision ?? 0;
      if (revision < this.#nextRevision) continue;
      if (revision > this.#nextRevision) this.#advance(revision);
      if (this.#toSkip > 0) {
        this.#toSkip -= 1;
        continue;
      }
      this.#deliveredOfNext += 1;
      events.push(event);
    }
    // Only the end of a whole response is known to be the end of a revision.
    if (!isFragment && this.#deliveredOfNext > 0) this.#advance(this.#nextRevision + 1);
    if (events.length > 0) this.#onReport({ kind: 'events', events });
  }

  #advance(nextRevision: number): void {
    if (nextRevision <= this.#nextRevision) return;
    this.#nextRevision = nextRevision;
    this.#deliveredOfNext = 0;
    this.#toSkip = 0;
  }

  #onCanceled(response: WatchResponse): void {
    const { compactRevision, cancelReason } = response;
    if (compactRevision > 0) {
      this.#dropStream();
      this.#advance(compactRevision);
      this.#onReport({ kind: 'compacted', compactRevision });
      // The compact revision itself can still be read.
      this.#open();
      return;
    }
    if (/no leader|leader changed|stopped|timed out/i.test(cancelReason)) {
      this.#stream?.destroy(new Error(cancelReason));
      return;
    }
    this.#fail(cancelReason === '' ? 'the server cancelled the watch' : cancelReason);
  }

  #onBroken(channel: EndpointChannel, cause: unknown): void {
    const error = toRemoteError(cause, { endpoint: channel.endpoint.address, method: 'Watch' });
    this.#dropStream();
    if (this.#closed) return;
    this.#connection.report(channel, false);
    const forGood = ['Unsupported', 'PermissionDenied', 'Unauthenticated', 'InvalidArgument'];
    if (forGood.includes(error.code)) {
      this.#fail(error.message);
      return;
    }
    this.#failures += 1;
    this.#onReport({ kind: 'reconnecting', nextRevision: this.#nextRevision, error });
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.#failures - 1));
    this.#setTimer(delayMs, () => this.#open());
  }

  #fail(error: string): void {
    this.dispose();
    this.#onReport({ kind: 'failed', error });
  }

  #dropStream(): void {
    this.#clearTimer();
    const stream = this.#stream;
    this.#stream = null;
    if (stream === null) return;
    // The cancellation comes back as an error that nobody needs.
    stream.removeAllListeners();
    stream.on('error', () => {});
    stream.cancel();
  }

  #setTimer(delayMs: number, callback: () => void): void {
    this.#clearTimer();
    this.#cancelTimer = this.#clock.setTimer(delayMs, () => {
      this.#cancelTimer = null;
      callback();
    });
  }

  #clearTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}

function filtersFor(only: 'put' | 'delete' | undefined): WatchCreateRequest_FilterType[] {
  if (only === undefined) return [];
  const { NOPUT, NODELETE } = WatchCreateRequest_FilterType;
  return [only === 'put' ? NODELETE : NOPUT];
}
