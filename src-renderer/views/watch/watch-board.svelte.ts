import type { EventBatch } from '../../../src-main/contract/watch-batch.ts';
import { NoticeRules, type Notifier } from './notice-rules.svelte.ts';
import type { SavedWatches } from './saved-watches.ts';
import { type OpenWatch, type Schedule, WatchSession } from './watch-session.svelte.ts';
import { covers, sameTarget, type WatchTarget } from './watch-target.ts';

/** Watches that may be open at once: each keeps its own events and its own stream. */
export const MAX_SESSIONS = 8;
/** Watches shown side by side; more would leave no room for their rows. */
export const MAX_SHOWN = 4;
/** A new watch comes beside those that are shown up to so many, and takes a place after that. */
const BESIDE_UNASKED = 2;
/** Events of a watch that come back after a reload of the page. */
const MAX_REPLAYED_EVENTS = 1_000;

export interface BoardOptions {
  open: OpenWatch;
  schedule: Schedule;
  nowMs: () => number;
  notifier?: Notifier | undefined;
}

/** The watches of one cluster: which are open, and which of them are shown side by side. */
export class WatchBoard {
  sessions = $state.raw<readonly WatchSession[]>([]);
  /** Ids of those that are shown, in the order in which they stand. */
  shownIds = $state.raw<readonly number[]>([]);
  activeId = $state<number | null>(null);
  readonly rules: NoticeRules;

  readonly #open: OpenWatch;
  readonly #schedule: Schedule;
  readonly #nowMs: () => number;
  #lastId = 0;

  constructor({ open, schedule, nowMs, notifier }: BoardOptions) {
    this.#open = open;
    this.#schedule = schedule;
    this.#nowMs = nowMs;
    this.rules = new NoticeRules(nowMs, notifier);
  }

  readonly active = $derived(this.sessions.find((session) => session.id === this.activeId) ?? null);
  readonly shown = $derived(
    this.shownIds.flatMap((id) => this.sessions.filter((session) => session.id === id)),
  );
  readonly isFull = $derived(this.sessions.length >= MAX_SESSIONS);
  readonly eventsPerSecond = $derived(
    this.sessions.reduce((sum, session) => sum + session.eventsPerSecond, 0),
  );
  readonly kept = $derived(this.sessions.reduce((sum, session) => sum + session.kept, 0));
  readonly bytes = $derived(this.sessions.reduce((sum, session) => sum + session.bytes, 0));
  readonly isAnyRunning = $derived(
    this.sessions.some((session) => session.isOpen && session.hold !== 'paused'),
  );

  /** Opens a watch beside the others and shows it; null if there are as many as may be. */
  start(target: WatchTarget): WatchSession | null {
    if (this.isFull) return null;
    const session = new WatchSession({
      id: ++this.#lastId,
      target,
      open: this.#open,
      schedule: this.#schedule,
      nowMs: this.#nowMs,
      observe: (from, batch, index) => this.#observe(from, batch, index),
    });
    this.sessions = [...this.sessions, session];
    if (this.shownIds.length < BESIDE_UNASKED) this.showBeside(session.id);
    else this.showAlone(session.id);
    return session;
  }

  /** Shows the watch of a target, opened if there is none; null if there are as many as may be. */
  show(target: WatchTarget): WatchSession | null {
    const open = this.sessions.find((session) => sameTarget(session.target, target));
    if (open === undefined) return this.start(target);
    this.showAlone(open.id);
    return open;
  }

  /** In the place of the one that is active, or where it stands already. */
  showAlone(id: number): void {
    if (!this.shownIds.includes(id)) {
      const place = this.shownIds.indexOf(this.activeId ?? -1);
      if (place < 0) this.shownIds = [...this.shownIds.slice(0, MAX_SHOWN - 1), id];
      else this.shownIds = this.shownIds.with(place, id);
    }
    this.activeId = id;
  }

  /** Beside those that are shown; false if there is no place. */
  showBeside(id: number): boolean {
    if (!this.shownIds.includes(id)) {
      if (this.shownIds.length >= MAX_SHOWN) return false;
      this.shownIds = [...this.shownIds, id];
    }
    this.activeId = id;
    return true;
  }

  /** Takes one of several out of view; it runs on. */
  hide(id: number): void {
    if (this.shownIds.length <= 1) return;
    const place = this.shownIds.indexOf(id);
    this.shownIds = this.shownIds.filter((other) => other !== id);
    if (this.activeId === id) this.activeId = this.shownIds[Math.max(0, place - 1)] ?? null;
  }

  /** The next in the list, or the one before; shown where the active one stands. */
  step(by: 1 | -1): void {
    const at = this.sessions.findIndex((session) => session.id === this.activeId);
    const next = this.sessions.at((at + by) % this.sessions.length);
    if (next !== undefined) this.showAlone(next.id);
  }

  /** Closes a watch and forgets its events; its neighbour is shown next. */
  close(id: number): void {
    const index = this.sessions.findIndex((session) => session.id === id);
    if (index < 0) return;
    this.sessions[index]?.dispose();
    this.sessions = this.sessions.filter((session) => session.id !== id);
    this.shownIds = this.shownIds.filter((other) => other !== id);
    if (this.activeId !== id) return;
    const neighbour = this.sessions[index] ?? this.sessions[index - 1];
    this.activeId = this.shownIds.at(-1) ?? null;
    if (this.activeId === null && neighbour !== undefined) this.showAlone(neighbour.id);
  }

  pauseAll(): void {
    for (const session of this.sessions) if (session.isOpen) session.pause();
  }

  resumeAll(): void {
    for (const session of this.sessions) if (session.hold === 'paused') session.resume();
  }

  /** The connection to main is back: every watch goes on where it was cut off. */
  resumeLost(): void {
    for (const session of this.sessions) if (session.status === 'lost') session.restart();
  }

  /** What to open again after a reload of the page. */
  saved(): SavedWatches {
    const running = this.sessions.filter((session) => session.isOpen || session.holdIsFull);
    return {
      targets: running.map((session) => ({
        ...session.target,
        startRevision: session.resumeRevision(MAX_REPLAYED_EVENTS),
      })),
      shown: this.shownIds
        .map((id) => running.findIndex((session) => session.id === id))
        .filter((index) => index >= 0),
      active: running.findIndex((session) => session.id === this.activeId),
    };
  }

  restore({ targets, shown, active }: SavedWatches): void {
    for (const target of targets) this.start(target);
    const idAt = (index: number) => this.sessions[index]?.id;
    const ids = shown.flatMap((index) => idAt(index) ?? []).slice(0, MAX_SHOWN);
    if (ids.length > 0) this.shownIds = ids;
    const activeId = idAt(active);
    this.activeId =
      activeId !== undefined && this.shownIds.includes(activeId)
        ? activeId
        : (this.shownIds[0] ?? null);
  }

  tick(): void {
    for (const session of this.sessions) session.tick();
    this.rules.tick();
  }

  dispose(): void {
    for (const session of this.sessions) session.dispose();
    this.sessions = [];
    this.shownIds = [];
    this.activeId = null;
  }

  /** An event that several watches see counts once: for the first of them. */
  #observe(session: WatchSession, batch: EventBatch, from: number): void {
    if (!this.rules.isAnyOn) return;
    const before = this.sessions.slice(0, this.sessions.indexOf(session));
    for (let i = from; i < batch.length; i++) {
      // What was there before the watch is no news.
      if (batch.modRevision(i) <= session.openedRevision) continue;
      const key = batch.key(i);
      const isDelete = batch.isDelete(i);
      if (!this.rules.wants(key, isDelete)) continue;
      const isSeenBefore = before.some(
        (other) =>
          other.status === 'live' && !other.holdIsFull && covers(other.target, key, isDelete),
      );
      if (!isSeenBefore) this.rules.see(key, isDelete, session.id);
    }
  }
}
