import type { WatchEventView, WatchItem } from '../../../src-main/contract/views.ts';
import { asCallError } from '../../api/client.ts';
import { EventRing, eventBytes, type RingEvent } from './event-ring.ts';

/**
 * Events held while paused; when it is full the stream is closed and continued later from where it
 * stopped.
 */
export const MAX_HELD_EVENTS = 10_000;
export const MAX_HELD_BYTES = 32 * 1024 * 1024;
/** Events that wait for a frame: a page in the background gets none. */
export const MAX_WAITING_EVENTS = 5_000;
/** Span over which the rate is told. */
const RATE_WINDOW_MS = 2_000;

export interface WatchTarget {
  key: Uint8Array;
  /** Watch every key that starts with `key`. */
  prefix: boolean;
  /** 0: from now. */
  startRevision: number;
}

export interface WatchHandlers {
  onItems(items: readonly WatchItem[]): void;
  onEnd(error: unknown): void;
}

/** Opens the stream of a target from a revision (0: from now); returns how to close it. */
export type OpenWatch = (target: WatchTarget, handlers: WatchHandlers) => () => void;

/** Runs a function once before the next frame; returns how to cancel it. */
export type Schedule = (run: () => void) => () => void;

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
  /** Revision of the last event that arrived, or at which the watch was opened. */
  lastRevision = $state(0);
  eventsPerSecond = $state(0);
  /** Sequence number of the event that is read. */
  selectedSeq = $state<number | null>(null);
  #version = $state(0);

  readonly #ring: EventRing;
  readonly #open: OpenWatch;
  readonly #schedule: Schedule;
  readonly #nowMs: () => number;
  #close: (() => void) | null = null;
  #cancelFrame: (() => void) | null = null;
  #incoming: WatchEventView[] = [];
  #heldEvents: WatchEventView[] = [];
  #heldBytes = 0;
  #rate: { atMs: number; events: number }[] = [];
  /** Keys seen at the last revision: a continued stream begins with that revision again. */
  #seenAtLast = new Set<string>();
  #skipSeen = false;
  #atEnd = true;

  constructor(options: {
    id: number;
    target: WatchTarget;
    open: OpenWatch;
    schedule: Schedule;
    nowMs: () => number;
    ring?: EventRing;
  }) {
    this.id = options.id;
    this.target = options.target;
    this.#open = options.open;
    this.#schedule = options.schedule;
    this.#nowMs = options.nowMs;
    this.#ring = options.ring ?? new EventRing();
    this.#connect(options.target.startRevision);
  }

  /** Events kept. */
  get length(): number {
    void this.#version;
    return this.#ring.length;
  }

  get bytes(): number {
    void this.#version;
    return this.#ring.bytes;
  }

  /** Older events that were let go to stay within the bounds. */
  get dropped(): number {
    void this.#version;
    return this.#ring.pushed - this.#ring.length - this.#cleared;
  }
  #cleared = 0;

  /** 0 is the oldest kept. */
  event(index: number): RingEvent | undefined {
    void this.#version;
    return this.#ring.at(index);
  }

  get selected(): RingEvent | undefined {
    void this.#version;
    return this.selectedSeq === null ? undefined : this.#ring.bySeq(this.selectedSeq);
  }

  /** The row of an event, or -1 if it has been let go. */
  indexOfSeq(seq: number): number {
    void this.#version;
    return Math.max(-1, seq - (this.#ring.pushed - this.#ring.length) - 1);
  }

  /** Whether the stream runs, or will again by itself. */
  get isOpen(): boolean {
    return this.status === 'opening' || this.status === 'live' || this.status === 'reconnecting';
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

  pause(): void {
    if (this.hold === null) this.#beginHold('paused');
    this.hold = 'paused';
  }

  /** Shows what was held and goes on live. */
  resume(): void {
    this.hold = null;
    this.selectedSeq = null;
    this.#atEnd = true;
    for (const event of this.#heldEvents) this.#ring.push(event);
    this.#heldEvents = [];
    this.#heldBytes = 0;
    this.held = 0;
    this.#version++;
    if (!this.holdIsFull) return;
    this.holdIsFull = false;
    this.#continueFromLast();
  }

  /** Forgets the events that are shown and held; the stream goes on. */
  clear(): void {
    this.#ring.clear();
    this.#cleared = this.#ring.pushed;
    this.#heldEvents = [];
    this.#heldBytes = 0;
    this.held = 0;
    if (this.selectedSeq !== null) this.closeDetail();
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
    this.#seenAtLast.clear();
    this.#connect(this.compactRevision);
  }

  /**
   * Where to open the same watch again later, so that its newest events (at most `events`) come
   * back.
   */
  resumeRevision(events: number): number {
    const oldest = this.#ring.at(Math.max(0, this.#ring.length - events));
    if (oldest !== undefined) return oldest.modRevision;
    return this.lastRevision > 0 ? this.lastRevision + 1 : this.target.startRevision;
  }

  /** Call about once a second: the rate also has to fall when nothing arrives. */
  tick(): void {
    const from = this.#nowMs() - RATE_WINDOW_MS;
    this.#rate = this.#rate.filter((entry) => entry.atMs > from);
    const events = this.#rate.reduce((sum, entry) => sum + entry.events, 0);
    this.eventsPerSecond = Math.round((events * 1_000) / RATE_WINDOW_MS);
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

  #continueFromLast(): void {
    this.#skipSeen = this.#seenAtLast.size > 0;
    // With nothing seen at the last revision it was only the point of opening: go on right after
    // it.
    const next = this.#skipSeen ? this.lastRevision : this.lastRevision + 1;
    this.#connect(this.lastRevision === 0 ? this.target.startRevision : next);
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
          if (current) for (const item of items) this.#take(item);
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
        if (this.lastRevision === 0) {
          const { startRevision } = this.target;
          this.lastRevision = startRevision > 0 ? startRevision - 1 : item.revision;
        }
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
      case 'events':
        this.#arrived(item.events);
    }
  }

  #arrived(events: readonly WatchEventView[]): void {
    if (this.status === 'reconnecting') this.status = 'live';
    const fresh = this.#skipSeen ? this.#unseen(events) : events;
    if (fresh.length === 0) return;
    this.#remember(fresh);
    this.#rate.push({ atMs: this.#nowMs(), events: fresh.length });
    if (this.hold === null) {
      for (const event of fresh) this.#incoming.push(event);
      if (this.#incoming.length >= MAX_WAITING_EVENTS) this.#flush();
      this.#cancelFrame ??= this.#schedule(() => {
        this.#cancelFrame = null;
        this.#flush();
      });
      return;
    }
    for (const event of fresh) {
      this.#heldEvents.push(event);
      this.#heldBytes += eventBytes(event);
    }
    this.held = this.#heldEvents.length;
    if (this.held < MAX_HELD_EVENTS && this.#heldBytes < MAX_HELD_BYTES) return;
    this.holdIsFull = true;
    this.#disconnect();
  }

  #remember(events: readonly WatchEventView[]): void {
    const revision = events[events.length - 1]?.modRevision ?? this.lastRevision;
    if (revision !== this.lastRevision) this.#seenAtLast.clear();
    for (let i = events.length - 1; events[i]?.modRevision === revision; i--) {
      this.#seenAtLast.add(String(events[i]?.key));
    }
    this.lastRevision = revision;
  }

  /**
   * A transaction's events share a revision and may have come in part: only what was seen is left
   * out.
   */
  #unseen(events: readonly WatchEventView[]): readonly WatchEventView[] {
    const fresh = events.filter(
      (event) => event.modRevision > this.lastRevision || !this.#seenAtLast.has(String(event.key)),
    );
    const last = events[events.length - 1];
    if (last !== undefined && last.modRevision > this.lastRevision) this.#skipSeen = false;
    return fresh;
  }

  #flush(): void {
    if (this.#incoming.length === 0) return;
    for (const event of this.#incoming) this.#ring.push(event);
    this.#incoming = [];
    this.#version++;
  }
}
