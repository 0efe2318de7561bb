export interface Flushable {
  flush(): void;
}

/**
 * Flushes what was touched in this turn of the event loop, after the turn's input has been handled:
 * answers that come about together leave together. Each `schedule` flushes once.
 */
export class TurnScheduler {
  #dirty: Flushable[] = [];

  schedule(flushable: Flushable): void {
    this.#dirty.push(flushable);
    if (this.#dirty.length === 1) setImmediate(() => this.#run());
  }

  #run(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const flushable of dirty) flushable.flush();
  }
}
