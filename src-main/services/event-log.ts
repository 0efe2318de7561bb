import type { ClusterEvent } from '../contract/views.ts';

const MAX_EVENTS = 200;

export type NewEvent = Pick<ClusterEvent, 'node' | 'kind' | 'text'> & {
  detail?: ClusterEvent['detail'];
};

/** The newest events of one cluster, as the app saw them. */
export class EventLog {
  readonly #wallClockMs: () => number;
  #events: ClusterEvent[] = [];
  #nextId = 1;

  constructor(wallClockMs: () => number) {
    this.#wallClockMs = wallClockMs;
  }

  add(event: NewEvent): void {
    const { node, kind, text, detail = {} } = event;
    const atMs = this.#wallClockMs();
    this.#events = [{ id: this.#nextId++, atMs, node, kind, text, detail }, ...this.#events];
    this.#events.length = Math.min(this.#events.length, MAX_EVENTS);
  }

  /** Newest first. */
  list(): ClusterEvent[] {
    return this.#events;
  }
}
