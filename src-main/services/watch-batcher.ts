import type { Clock } from '../base/clock.ts';
import type { WatchEventView } from '../contract/views.ts';
import { packEvents, packedBytes } from '../contract/watch-batch.ts';

/** Events that follow one another more quickly than this travel together. */
export const GATHER_MS = 40;
/** A batch that is as large goes at once. */
export const MAX_BATCH_EVENTS = 1_000;
export const MAX_BATCH_BYTES = 1024 * 1024;

/**
 * Packs events into batches. After a pause the first goes at once; in a flood they gather, since
 * every frame costs the renderer a turn whatever is in it.
 */
export class WatchBatcher {
  readonly #clock: Clock;
  readonly #send: (count: number, bytes: Uint8Array) => void;
  #events: WatchEventView[] = [];
  #bytes = 0;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | null = null;

  constructor(clock: Clock, send: (count: number, bytes: Uint8Array) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  push(events: readonly WatchEventView[]): void {
    for (const event of events) {
      this.#events.push(event);
      this.#bytes += packedBytes(event);
      if (this.#events.length >= MAX_BATCH_EVENTS || this.#bytes >= MAX_BATCH_BYTES) this.flush();
    }
    if (this.#events.length === 0 || this.#cancelTimer !== null) return;
    const waitMs = this.#sentAtMs + GATHER_MS - this.#clock.nowMs();
    if (waitMs <= 0) this.flush();
    else this.#cancelTimer = this.#clock.setTimer(waitMs, () => this.flush());
  }

  /** What gathered goes now: also before anything else that is told of the watch. */
  flush(): void {
    this.dispose();
    if (this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    this.#bytes = 0;
    this.#sentAtMs = this.#clock.nowMs();
    this.#send(events.length, packEvents(events));
  }

  /** Nothing is sent any more by itself. */
  dispose(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
