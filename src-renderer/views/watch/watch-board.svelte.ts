import { equalBytes } from '../../lib/bytes.ts';
import type { SavedWatches } from './saved-watches.ts';
import {
  type OpenWatch,
  type Schedule,
  WatchSession,
  type WatchTarget,
} from './watch-session.svelte.ts';

/** Watches that may be open side by side: each keeps its own events and its own stream. */
export const MAX_SESSIONS = 8;

/** Events of a watch that come back when its view does. */
const MAX_REPLAYED_EVENTS = 1_000;

/** The watches of one cluster. */
export class WatchBoard {
  sessions = $state.raw<readonly WatchSession[]>([]);
  activeId = $state<number | null>(null);

  readonly #open: OpenWatch;
  readonly #schedule: Schedule;
  readonly #nowMs: () => number;
  #lastId = 0;

  constructor(open: OpenWatch, schedule: Schedule, nowMs: () => number) {
    this.#open = open;
    this.#schedule = schedule;
    this.#nowMs = nowMs;
  }

  readonly active = $derived(this.sessions.find((session) => session.id === this.activeId) ?? null);
  readonly isFull = $derived(this.sessions.length >= MAX_SESSIONS);
  readonly eventsPerSecond = $derived(
    this.sessions.reduce((sum, session) => sum + session.eventsPerSecond, 0),
  );
  readonly kept = $derived(this.sessions.reduce((sum, session) => sum + session.length, 0));

  /** Opens a watch beside the others and shows it; null if there are as many as may be. */
  start(target: WatchTarget): WatchSession | null {
    if (this.isFull) return null;
    const session = new WatchSession({
      id: ++this.#lastId,
      target,
      open: this.#open,
      schedule: this.#schedule,
      nowMs: this.#nowMs,
    });
    this.sessions = [...this.sessions, session];
    this.activeId = session.id;
    return session;
  }

  /** Shows the watch of a target, opened if there is none; null if there are as many as may be. */
  show(target: WatchTarget): WatchSession | null {
    const open = this.sessions.find(
      ({ target: other }) => other.prefix === target.prefix && equalBytes(other.key, target.key),
    );
    if (open === undefined) return this.start(target);
    this.activeId = open.id;
    return open;
  }

  /** What to open again when the view comes back. */
  saved(): SavedWatches {
    const running = this.sessions.filter((session) => session.isOpen || session.holdIsFull);
    return {
      targets: running.map((session) => ({
        ...session.target,
        startRevision: session.resumeRevision(MAX_REPLAYED_EVENTS),
      })),
      active: running.findIndex((session) => session.id === this.activeId),
    };
  }

  restore({ targets, active }: SavedWatches): void {
    for (const target of targets) this.start(target);
    this.activeId = this.sessions[active]?.id ?? this.activeId;
  }

  /** Closes a watch and forgets its events; its neighbour is shown next. */
  close(id: number): void {
    const index = this.sessions.findIndex((session) => session.id === id);
    if (index < 0) return;
    this.sessions[index]?.dispose();
    this.sessions = this.sessions.filter((session) => session.id !== id);
    if (this.activeId !== id) return;
    this.activeId = (this.sessions[index] ?? this.sessions[index - 1])?.id ?? null;
  }

  /** The connection to main is back: every watch goes on where it was cut off. */
  resumeLost(): void {
    for (const session of this.sessions) if (session.status === 'lost') session.restart();
  }

  tick(): void {
    for (const session of this.sessions) session.tick();
  }

  dispose(): void {
    for (const session of this.sessions) session.dispose();
    this.sessions = [];
  }
}
