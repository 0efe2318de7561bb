import { errorMessage } from '../../src-main/base/errors.ts';

/** Who an event belongs to: a process that died gets none any more, one that is paused gets them when it goes on. */
export interface Owner {
  readonly alive: boolean;
  readonly paused: boolean;
  /** Takes an event whose time came during the pause. */
  defer(event: SimEvent): void;
}

export interface SimEvent {
  atMs: number;
  /** Breaks ties: first scheduled, first run. */
  sequence: number;
  owner: Owner | undefined;
  /** What comes by one way stays in order; undefined for what is local, or by itself. */
  lane: object | undefined;
  /** Undefined once it ran or was cancelled. */
  callback: (() => void) | undefined;
}

/** Events that run in one phase of the real event loop; after each of them all microtasks drain. */
const EVENTS_PER_PHASE = 256;

/**
 * Virtual time and the one queue of everything that will happen. Between two events no time passes, and nothing
 * outside of the queue makes anything happen, so a run depends on its seed alone.
 */
export class World {
  nowMs = 0;
  /** Events run so far. */
  steps = 0;
  /** Called after each event and its microtasks. */
  afterStep: (owner: Owner | undefined) => void = () => {};
  /** An event threw: its process would have died of it. */
  onError: (error: unknown, owner: Owner | undefined) => void = (error) => {
    throw error;
  };
  readonly #heap: SimEvent[] = [];
  #sequence = 0;

  /** Runs `callback` after `delayMs`; the result cancels it. */
  after(delayMs: number, callback: () => void, owner?: Owner, lane?: object): () => void {
    const event: SimEvent = {
      atMs: this.nowMs + Math.max(delayMs, 0),
      sequence: this.#sequence++,
      owner,
      lane,
      callback,
    };
    this.#push(event);
    return () => {
      event.callback = undefined;
    };
  }

  /** Puts an event that was deferred back, to run after `delayMs` and in its old order among its like. */
  again(event: SimEvent, delayMs: number): void {
    event.atMs = this.nowMs + delayMs;
    event.sequence = this.#sequence++;
    this.#push(event);
  }

  /** Resolves after `delayMs`; never, if the owner dies before. */
  sleep(delayMs: number, owner?: Owner): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve, owner));
  }

  /** Runs events until `done` says so, or time would pass `untilMs`. */
  async run(untilMs: number, done: () => boolean): Promise<void> {
    let running = true;
    const turn = () => {
      if (!running) return;
      if (done()) running = false;
      else running = this.#step(untilMs);
    };
    while (running) {
      await new Promise<void>((resolve) => {
        // Node drains the microtasks between two immediates of one phase.
        for (let i = 1; i < EVENTS_PER_PHASE; i++) setImmediate(turn);
        setImmediate(() => {
          turn();
          resolve();
        });
      });
    }
  }

  /** False if there is nothing left to run. */
  #step(untilMs: number): boolean {
    // What the event before left to its microtasks is done by now.
    if (this.steps > 0) this.afterStep(this.#last);
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.atMs > untilMs) {
        this.nowMs = Math.max(this.nowMs, untilMs);
        return false;
      }
      this.#pop();
      const { callback, owner } = event;
      if (callback === undefined || owner?.alive === false) continue;
      if (owner?.paused === true) {
        owner.defer(event);
        continue;
      }
      this.nowMs = event.atMs;
      event.callback = undefined;
      this.steps++;
      this.#last = owner;
      try {
        callback();
      } catch (error) {
        this.onError(error, owner);
      }
      return true;
    }
  }

  #last: Owner | undefined;

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as SimEvent;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as SimEvent;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as SimEvent)) child++;
      const below = heap[child] as SimEvent;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

/** For traces. */
export function describeError(error: unknown): string {
  const stack = error instanceof Error ? error.stack : undefined;
  return stack ?? errorMessage(error);
}
