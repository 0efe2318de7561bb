import { compareBytes } from '../../base/bytes.ts';
import {
  WatchCreateRequest_FilterType as FilterType,
  type ResponseHeader,
  type WatchCancelRequest,
  type WatchCreateRequest,
  type WatchRequest,
} from '../../proto/etcd/rpc.ts';
import type { WatchBatch, WatchEvent, Watcher, WatchSpec } from '../mvcc/types.ts';
import { GRPC_OVERHEAD_BYTES } from '../rpc/server.ts';
import type { RequestStream, ResponseSink } from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import { type ApiDeps, DEFAULT_WATCH_PROGRESS_INTERVAL_MS } from './deps.ts';
import { grpcError } from './errors.ts';
import type { WatchAnswer } from './watch-codec.ts';
import { fragmentEvents } from './watch-fragment.ts';

/** The watch id of responses that concern no watcher, or all of them. */
const NO_WATCH_ID = -1;

/** Far beyond any client; each watcher costs the hub some hundred bytes. */
const MAX_WATCHERS_PER_STREAM = 100_000;

/** How soon a progress request is looked at again while a watcher is still catching up. */
const PROGRESS_RETRY_MS = 100;

/**
 * etcd's messages (server/storage/mvcc/watcher.go): a refused watcher is created and cancelled in
 * one response.
 */
const DUPLICATE_ID = 'mvcc: duplicate watch ID provided on the WatchStream';
const EMPTY_RANGE = 'mvcc: watcher range is empty';
const TOO_MANY_WATCHERS = 'etcdserver: too many watchers on the stream';

const NO_EVENTS: readonly WatchEvent[] = [];

interface Entry {
  readonly id: number;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
  readonly startRevision: number;
  /** Undefined until the hub has taken it. */
  watcher: Watcher | undefined;
  /** Nothing was sent since the last tick of the progress timer, so the next one notifies. */
  idle: boolean;
}

/**
 * One Watch call: the watchers that its client created. Events go out in order, each revision
 * whole; what a slow client does not take stays on disk, because its watchers are held back as soon
 * as the sink is full.
 */
export class WatchStream {
  readonly #backend: Backend;
  readonly #deps: ApiDeps;
  readonly #requests: RequestStream<WatchRequest>;
  readonly #responses: ResponseSink<WatchAnswer>;
  readonly #maxFragmentBytes: number;
  readonly #entries = new Map<number, Entry>();
  /** Told to wait by `deliver`, longest first. */
  readonly #held = new Set<Entry>();
  #nextId = 0;
  /** The sink is full: no request is read and no watcher may deliver. */
  #blocked = false;
  #progressRequested = false;
  #cancelProgressTimer: (() => void) | undefined;
  #cancelProgressRetry: (() => void) | undefined;

  constructor(
    backend: Backend,
    deps: ApiDeps,
    requests: RequestStream<WatchRequest>,
    responses: ResponseSink<WatchAnswer>,
  ) {
    this.#backend = backend;
    this.#deps = deps;
    this.#requests = requests;
    this.#responses = responses;
    this.#maxFragmentBytes = backend.limits.maxRequestBytes + GRPC_OVERHEAD_BYTES;
    responses.onDrain(() => this.#drained());
    requests.onMessage((request) => this.#handle(request));
  }

  close(): void {
    this.#cancelProgressTimer?.();
    this.#cancelProgressRetry?.();
    this.#held.clear();
    for (const { watcher } of this.#entries.values()) watcher?.cancel();
    this.#entries.clear();
  }

  #handle({ requestUnion }: WatchRequest): void {
    switch (requestUnion?.$case) {
      case 'createRequest':
        this.#create(requestUnion.value);
        break;
      case 'cancelRequest':
        this.#cancel(requestUnion.value);
        break;
      case 'progressRequest':
        this.#progressRequested = true;
        this.#answerProgress();
        break;
      case undefined:
        this.#deps.logger.debug('a watch request of an unknown kind was ignored');
    }
  }

  #create(request: WatchCreateRequest): void {
    const spec = watchSpec(request);
    const refusal = this.#refusal(request, spec);
    if (refusal !== undefined) {
      this.#send({ watchId: NO_WATCH_ID, created: true, canceled: true, cancelReason: refusal });
      return;
    }
    const entry: Entry = {
      id: request.watchId === 0 ? this.#freeId() : request.watchId,
      fragment: request.fragment,
      progressNotify: request.progressNotify,
      startRevision: request.startRevision,
      watcher: undefined,
      idle: true,
    };
    this.#entries.set(entry.id, entry);
    // Before the hub knows it, so that no event overtakes this response.
    this.#send({ watchId: entry.id, created: true });
    entry.watcher = this.#backend.state.hub.watch(spec, {
      deliver: (batch) => this.#deliver(entry, batch),
      compacted: (revision) => this.#compacted(entry, revision),
    });
    if (entry.progressNotify) this.#startProgressTimer();
  }

  #refusal(request: WatchCreateRequest, { key, end }: WatchSpec): string | undefined {
    if (request.startRevision < 0) return grpcError('Compacted').message;
    if (end !== undefined && !isOpenEnd(end) && compareBytes(key, end) >= 0) return EMPTY_RANGE;
    if (request.watchId !== 0 && this.#entries.has(request.watchId)) return DUPLICATE_ID;
    return this.#entries.size >= MAX_WATCHERS_PER_STREAM ? TOO_MANY_WATCHERS : undefined;
  }

  #freeId(): number {
    while (this.#entries.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #cancel({ watchId }: WatchCancelRequest): void {
    const entry = this.#entries.get(watchId);
    if (entry === undefined) return;
    entry.watcher?.cancel();
    this.#forget(entry);
    this.#send({ watchId, canceled: true });
  }

  #compacted(entry: Entry, compactRevision: number): void {
    if (this.#entries.get(entry.id) !== entry) return;
    this.#forget(entry);
    this.#send({ watchId: entry.id, canceled: true, compactRevision });
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.id);
    this.#held.delete(entry);
  }

  #deliver(entry: Entry, { events }: WatchBatch): boolean {
    // Cancelled while the hub was about to deliver: it counts as taken.
    if (this.#entries.get(entry.id) !== entry) return true;
    entry.idle = false;
    if (entry.fragment) {
      const parts = fragmentEvents(events, this.#maxFragmentBytes);
      parts.forEach((part, index) => {
        this.#sendEvents(entry.id, part, index < parts.length - 1);
      });
    } else this.#sendEvents(entry.id, events, false);
    if (this.#blocked) this.#held.add(entry);
    return !this.#blocked;
  }

  #send(response: Partial<WatchAnswer>): void {
    this.#write({ ...this.#answer(NO_WATCH_ID, NO_EVENTS, false), ...response });
  }

  #sendEvents(watchId: number, events: readonly WatchEvent[], fragment: boolean): void {
    this.#write(this.#answer(watchId, events, fragment));
  }

  #answer(watchId: number, events: readonly WatchEvent[], fragment: boolean): WatchAnswer {
    return {
      header: this.#header(),
      watchId,
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: '',
      fragment,
      events,
    };
  }

  #write(answer: WatchAnswer): void {
    if (this.#responses.write(answer) || this.#blocked) return;
    this.#blocked = true;
    this.#requests.pause();
  }

  #header(): ResponseHeader {
    return this.#backend.header();
  }

  #drained(): void {
    this.#blocked = false;
    for (const entry of [...this.#held]) {
      // A resumed watcher may deliver at once and fill the sink again: the others keep their place.
      if (this.#blocked) return;
      this.#held.delete(entry);
      entry.watcher?.resume();
    }
    if (this.#blocked) return;
    this.#requests.resume();
    this.#answerProgress();
  }

  /**
   * "Every event up to header.revision has been sent": true only when every watcher has caught up,
   * so the answer waits for that (etcd 3.5.8 and later drop the request instead).
   */
  #answerProgress(): void {
    if (!this.#progressRequested) return;
    const behind = [...this.#entries.values()].some((entry) => !this.#isSynced(entry));
    if (!behind && !this.#blocked) {
      this.#progressRequested = false;
      this.#send({ watchId: NO_WATCH_ID });
    } else {
      this.#cancelProgressRetry?.();
      this.#cancelProgressRetry = this.#deps.clock.setTimer(PROGRESS_RETRY_MS, () =>
        this.#answerProgress(),
      );
    }
  }

  /**
   * A watcher of a future revision has promised nothing yet: announcing an earlier one would rewind
   * its client.
   */
  #isSynced({ watcher, startRevision }: Entry): boolean {
    const { revision } = this.#backend.state;
    return (
      watcher !== undefined && watcher.progressRevision >= revision && startRevision <= revision + 1
    );
  }

  #startProgressTimer(): void {
    const { clock, watchProgressIntervalMs = DEFAULT_WATCH_PROGRESS_INTERVAL_MS } = this.#deps;
    this.#cancelProgressTimer ??= clock.setTimer(watchProgressIntervalMs, () => {
      this.#cancelProgressTimer = undefined;
      this.#notifyProgress();
    });
  }

  #notifyProgress(): void {
    let wanted = false;
    for (const entry of this.#entries.values()) {
      if (!entry.progressNotify) continue;
      wanted = true;
      if (entry.idle && !this.#blocked && this.#isSynced(entry)) this.#send({ watchId: entry.id });
      entry.idle = true;
    }
    if (wanted) this.#startProgressTimer();
  }
}

/**
 * etcd's reading of the range: an empty key is the first one, no range_end is one key, "\0" is
 * "from key on".
 */
function watchSpec(request: WatchCreateRequest): WatchSpec {
  return {
    key: request.key.length === 0 ? Buffer.of(0) : request.key,
    end: request.rangeEnd.length === 0 ? undefined : request.rangeEnd,
    startRevision: Math.max(request.startRevision, 0),
    noPut: request.filters.includes(FilterType.NOPUT),
    noDelete: request.filters.includes(FilterType.NODELETE),
    prevKv: request.prevKv,
  };
}

function isOpenEnd(end: Uint8Array): boolean {
  return end.length === 1 && end[0] === 0;
}
