import type { Disposable } from '../base/disposable.ts';

/** A value that changes: tells its listeners the newest. */
export class Signal<T> {
  readonly #listeners = new Set<(value: T) => void>();

  on(listener: (value: T) => void): Disposable {
    const entry = (value: T) => listener(value);
    this.#listeners.add(entry);
    return { dispose: () => void this.#listeners.delete(entry) };
  }

  emit(value: T): void {
    for (const listener of [...this.#listeners]) listener(value);
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }
}
