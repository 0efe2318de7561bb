import type { WatchItem } from '../../../src-main/contract/views.ts';
import { EventBatch } from '../../../src-main/contract/watch-batch.ts';
import { asCallError } from '../../api/client.ts';
import { EventFilter, type ShownType } from './event-filter.ts';
import { EventLog, type LogEvent } from './event-log.ts';
import { RateHistory } from './rate-history.ts';
import { StreamPlace } from './stream-place.ts';
import type { WatchTarget } from './watch-target.ts';

/**
 * Events held while paused; when it is full the stream is closed and continued later from where it
 * stopped.
 */
export const MAX_HELD_EVENTS = 10_000;
export const MAX_HELD_BYTES = 16 * 1024 * 1024;
/** Events that wait for a frame: a page in the background gets none. */
export const MAX_WAITING_EVENTS = 5_000;
/** Span over which the rate is told. */
const RATE_WINDOW_MS = 2_000;
/** Time that a search may take of one frame. */
const SEARCH_SLICE_MS = 8;

export interface WatchHandlers {
  onItems(items: readonly WatchItem[]): void;
  onEnd(error: unknown): void;
}

/** Opens the stream of a target from a revision (0: from now); returns how to close it. */
export type OpenWatch = (target: WatchTarget, handlers: WatchHandlers) => () => void;

/** Runs a function once before the next frame; returns how to cancel it. */
export type Schedule = (run: () => void) => () => void;

/** Sees every event as it arrives, also while the list stands still. */
export type Observe = (session: WatchSession, batch: EventBatch, from: number) => void;

export interface SessionOptions {
  id: number;
  target: WatchTarget;
  open: OpenWatch;
  schedule: Schedule;
  nowMs: () => number;
  log?: EventLog;
  observe?: Observe;
}

export type WatchStatus =
  | 'opening'
  | 'live'
  /** Main lost the member and resumes by itself. */
  | 'reconnecting'
  /** The connection to main is gone; goes on with `restart` once it is back. */
  | 'lost'
  | 'compacted'
  | 'failed'
  | 'stopped';

/**
 * Why nothing new is shown: someone paused, or someone reads an event or scrolled back to older
 * ones.
 */
export type HoldReason = 'paused' | 'reading';

/**
 * One watch: its stream, the newest events, and what is held back while someone reads. Events are
 * taken over once per frame, whatever their rate.
 */
export class WatchSession {
  readonly id: number;
  readonly target: WatchTarget;

  status = $state<WatchStatus>('opening');
  /** Member that serves the watch, once open. */
  node = $state('');
  /** The failure behind `reconnecting` or `failed`. */
  error = $state('');
  compactRevision = $state(0);
  /** Where the stream goes on after a reconnect. */
  nextRevision = $state(0);
  hold = $state<HoldReason | null>(null);
  held = $state(0);
  /** The hold is full: the stream is closed and continues from the store's history. */
  holdIsFull = $state(false);
  /** When the hold began, Unix milliseconds. */
  heldSinceMs = $state(0);
  /** When the last event came, Unix milliseconds; 0 before the first. */
  lastEventMs = $state(0);
  eventsPerSecond = $state(0);
  /** Sequence number of the event that is read. */
  selectedSeq = $state<number | null>(null);
  /** What the list is narrowed to. */
  shownType = $state<ShownType>('all');
  searchText = $state('');
  /** The search has not been through all events yet. */
  isSearching = $state(false);
  /** Goes up once a second: the rate's history is told anew. */
  seconds = $state.raw<readonly (number | null)[]>([]);
  #version = $state(0);

  readonly #log: EventLog;
  readonly #open: OpenWatch;
  readonly #schedule: Schedule;
  readonly #nowMs: () => number;
  readonly #observe: Observe | undefined;
  readonly #history: RateHistory;
  readonly #place: StreamPlace;
  #filter = new EventFilter('all', '');
  #close: (() => void) | null = null;
  #cancelFrame: (() => void) | null = null;
  #incoming: { batch: EventBatch; from: number }[] = [];
  #waiting = 0;
  #heldBatches: { batch: EventBatch; from: number }[] = [];
  #heldBytes = 0;
  #rate: { atMs: number; events: number }[] = [];
  #cleared = 0;
  #atEnd = true;

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.target = options.target;
    this.#open = options.open;
    this.#schedule = options.schedule;
    this.#nowMs = options.nowMs;
    this.#observe = options.observe;
    this.#log = options.log ?? new EventLog();
    this.#history = new RateHistory(options.nowMs());
    this.#place = new StreamPlace(options.target.startRevision);
    this.seconds = this.#history.seconds;
    this.#connect(options.target.startRevision);
  }

  /** Rows: the events that are kept and, under a filter, shown. */
  get length(): number {
    void this.#version;
    return this.#filter.isOff ? this.#log.length : this.#filter.length;
  }

  /** Events kept, shown or not. */
  get kept(): number {
    void this.#version;
    return this.#log.length;
  }

  get bytes(): number {
    void this.#version;
    return this.#log.bytes;
  }

  /** Older events that were let go to stay within the bounds. */
  get dropped(): number {
    void this.#version;
    return Math.max(0, this.#log.firstSeq - 1 - this.#cleared);
  }

  get isFiltered(): boolean {
    return this.shownType !== 'all' || this.searchText !== '';
  }

  /** Revision of the last event that arrived, or at which the watch was opened. */
  get lastRevision(): number {
    void this.#version;
    return this.#place.lastRevision;
  }

  /** Where the stream was opened first: what is older was there before, what is newer is news. */
  get openedRevision(): number {
    return this.#place.openedRevision;
  }

  /** The row's event; 0 is the oldest. */
  event(index: number): LogEvent | undefined {
    void this.#version;
    if (this.#filter.isOff) return this.#log.at(index);
    return this.#log.bySeq(this.#filter.seqAt(index));
  }

  get selected(): LogEvent | undefined {
    void this.#version;
    return this.selectedSeq === null ? undefined : this.#log.bySeq(this.selectedSeq);
  }

  /** The row of an event, or -1 if it has been let go or is not shown. */
  indexOfSeq(seq: number): number {
    void this.#version;
    if (!this.#filter.isOff) return this.#filter.indexOf(seq);
    return seq > this.#log.lastSeq ? -1 : Math.max(-1, seq - this.#log.firstSeq);
  }

  /** Whether the stream runs, or will again by itself. */
  get isOpen(): boolean {
    return this.status === 'opening' || this.status === 'live' || this.status === 'reconnecting';
  }

  /** Shows only events of a type that have a text in key or value. */
  narrow(shownType: ShownType, searchText: string): void {
    this.shownType = shownType;
    this.searchText = searchText;
    this.#filter = new EventFilter(shownType, searchText);
    this.#followLog();
    this.#version++;
  }

  /** The rows of now, read one by one: later arrivals do not come in between. */
  *rows(): Generator<LogEvent> {
    const log = this.#log.copy();
    const filter = new EventFilter(this.shownType, this.searchText);
    for (let seq = log.firstSeq; seq <= log.lastSeq; seq++) {
      const run = log.runOf(seq);
      if (run === undefined || !filter.shows(run.batch, seq - run.baseSeq)) continue;
      const event = log.read(seq);
      if (event !== undefined) yield event;
    }
  }

  /** Reads one event: the list stands still until `closeDetail` or `resume`. */
  select(seq: number): void {
    this.selectedSeq = seq;
    if (this.hold === null) this.#beginHold('reading');
  }

  /** Older events are read: the list stands still until its end is in view again. */
  scrolled(atEnd: boolean): void {
    this.#atEnd = atEnd;
    if (!atEnd && this.hold === null) this.#beginHold('reading');
    else if (atEnd && this.hold === 'reading' && this.selectedSeq === null) this.resume();
  }

  closeDetail(): void {
    this.selectedSeq = null;
    if (this.hold === 'reading' && this.#atEnd) this.resume();
  }

  /** Nobody looks at the list any more: what was only being read goes on. */
  leave(): void {
    this.selectedSeq = null;
    if (this.hold === 'reading') this.resume();
  }

  pause(): void {
    if (this.hold === null) this.#beginHold('paused');
    this.hold = 'paused';
  }

  /** Shows what was held and goes on live. */
  resume(): void {
    this.hold = null;
    this.selectedSeq = null;
    this.#atEnd = true;
    for (const { batch, from } of this.#heldBatches) this.#log.push(batch, from);
    this.#letHeldGo();
    this.#followLog();
    this.#version++;
    if (!this.holdIsFull) return;
    this.holdIsFull = false;
    this.#continueFromLast();
  }

  /** Forgets the events that are shown and held; the stream goes on. */
  clear(): void {
    this.#log.clear();
    this.#cleared = this.#log.lastSeq;
    this.#letHeldGo();
    if (this.selectedSeq !== null) this.closeDetail();
    this.#followLog();
    this.#version++;
  }

  /** Ends the stream; the events stay readable. */
  stop(): void {
    this.#disconnect();
    this.#flush();
    this.status = 'stopped';
    this.eventsPerSecond = 0;
  }

  /**
   * After `stop` or a failure: goes on where it ended, without a gap as long as the history is
   * there.
   */
  restart(): void {
    if (this.isOpen) return;
    if (this.status === 'compacted') this.continueFromEarliest();
    else this.#continueFromLast();
  }

  /** After a compaction: from the oldest revision that can still be watched. */
  continueFromEarliest(): void {
    this.#place.jump();
    this.#connect(this.compactRevision);
  }

  /**
   * Where to open the same watch again later, so that its newest events (at most `events`) come
   * back.
   */
  resumeRevision(events: number): number {
    const oldest = this.#log.at(Math.max(0, this.#log.length - events));
    if (oldest !== undefined) return oldest.modRevision;
    const { lastRevision } = this.#place;
    return lastRevision > 0 ? lastRevision + 1 : this.target.startRevision;
  }

  /** Call about once a second: the rate also has to fall when nothing arrives. */
  tick(): void {
    const now = this.#nowMs();
    this.#rate = this.#rate.filter((entry) => entry.atMs > now - RATE_WINDOW_MS);
    const events = this.#rate.reduce((sum, entry) => sum + entry.events, 0);
    this.eventsPerSecond = Math.round((events * 1_000) / RATE_WINDOW_MS);
    this.#history.pass(now, this.status === 'live');
    this.seconds = this.#history.seconds;
  }

  dispose(): void {
    this.#disconnect();
    this.#cancelFrame?.();
    this.#cancelFrame = null;
  }

  #beginHold(reason: HoldReason): void {
    // What has arrived but was not drawn yet belongs to the time before the hold.
    this.#flush();
    this.hold = reason;
    this.heldSinceMs = this.#nowMs();
  }

  #letHeldGo(): void {
    this.#heldBatches = [];
    this.#heldBytes = 0;
    this.held = 0;
  }

  #continueFromLast(): void {
    this.#connect(this.#place.resume());
  }

  #connect(startRevision: number): void {
    this.#disconnect();
    this.status = 'opening';
    this.error = '';
    let current = true;
    const close = this.#open(
      { ...this.target, startRevision },
      {
        onItems: (items) => {
          for (const item of items) if (current) this.#take(item);
        },
        onEnd: (error) => {
          if (current) this.#ended(error);
        },
      },
    );
    this.#close = () => {
      current = false;
      close();
    };
  }

  #disconnect(): void {
    this.#close?.();
    this.#close = null;
  }

  #ended(error: unknown): void {
    this.#close = null;
    if (this.status === 'compacted' || this.status === 'failed') return;
    this.status = error !== null && asCallError(error).code === 'Unavailable' ? 'lost' : 'failed';
    this.error = error === null ? '' : asCallError(error).message;
  }

  #take(item: WatchItem): void {
    switch (item.kind) {
      case 'opened':
        this.status = 'live';
        this.node = item.node;
        this.error = '';
        this.#place.opened(item.revision);
        return;
      case 'reconnecting':
        this.status = 'reconnecting';
        this.error = item.error;
        this.nextRevision = item.nextRevision;
        return;
      case 'compacted':
        this.status = 'compacted';
        this.compactRevision = item.compactRevision;
        this.#disconnect();
        return;
      case 'failed':
        this.status = 'failed';
        this.error = item.error;
        this.#disconnect();
        return;
      case 'batch':
        this.#arrived(new EventBatch(item.bytes));
        return;
      case 'events':
        // This view asks for packed events only.
        return;
    }
  }

  #arrived(batch: EventBatch): void {
    if (this.status === 'reconnecting') this.status = 'live';
    const from = this.#place.take(batch);
    const count = batch.length - from;
    if (count === 0) return;
    const now = this.#nowMs();
    this.lastEventMs = now;
    this.#rate.push({ atMs: now, events: count });
    this.#history.add(now, count);
    this.#observe?.(this, batch, from);
    if (this.hold !== null) {
      this.#holdBack(batch, from);
      return;
    }
    this.#incoming.push({ batch, from });
    this.#waiting += count;
    if (this.#waiting >= MAX_WAITING_EVENTS) this.#flush();
    this.#drawSoon();
  }

  #holdBack(batch: EventBatch, from: number): void {
    this.#heldBatches.push({ batch, from });
    this.#heldBytes += batch.byteLength;
    this.held += batch.length - from;
    if (this.held < MAX_HELD_EVENTS && this.#heldBytes < MAX_HELD_BYTES) return;
    this.holdIsFull = true;
    this.#disconnect();
  }

  #drawSoon(): void {
    this.#cancelFrame ??= this.#schedule(() => {
      this.#cancelFrame = null;
      if (this.#incoming.length > 0) this.#flush();
      else if (this.isSearching) this.#followLog();
    });
  }

  /** What is new is shown if the filter lets it; a long search goes on at the next frame. */
  #followLog(): void {
    if (this.#filter.isOff) {
      this.isSearching = false;
      return;
    }
    const untilMs = performance.now() + SEARCH_SLICE_MS;
    this.isSearching = !this.#filter.follow(this.#log, () => performance.now() < untilMs);
    this.#version++;
    if (this.isSearching) this.#drawSoon();
  }

  #flush(): void {
    if (this.#incoming.length === 0) return;
    for (const { batch, from } of this.#incoming) this.#log.push(batch, from);
    this.#incoming = [];
    this.#waiting = 0;
    this.#followLog();
    this.#version++;
  }
}
