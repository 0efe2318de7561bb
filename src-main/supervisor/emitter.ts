import type { Disposable } from '../base/disposable.ts';

/** Tells its listeners, in the order they came. */
export class Emitter<T> implements Disposable {
  readonly #listeners = new Set<(value: T) => void>();

  on(listener: (value: T) => void): Disposable {
    // A wrapper of its own, so that one function may listen twice.
    const entry = (value: T) => listener(value);
    this.#listeners.add(entry);
    return { dispose: () => void this.#listeners.delete(entry) };
  }

  emit(value: T): void {
    for (const listener of [...this.#listeners]) listener(value);
  }

  dispose(): void {
    this.#listeners.clear();
  }
}
