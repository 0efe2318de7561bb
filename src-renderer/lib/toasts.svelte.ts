/**
 * Toasts are shown one at a time; a done one goes by itself, a failed one stays until it is closed.
 */
export const TOAST_MS = 6_000;
/** More than this wait for nobody: the oldest done one goes. */
export const MAX_TOASTS = 5;

export interface Toast {
  id: number;
  kind: 'done' | 'failed';
  text: string;
  /** The way on: Undo, Try again, Compare. */
  action?: { label: string; run: () => void };
}

export class Toasts {
  #list = $state.raw<readonly Toast[]>([]);
  #nextId = 1;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  /** The one that is shown: the newest. */
  get current(): Toast | null {
    return this.#list[this.#list.length - 1] ?? null;
  }

  /** It worked. */
  done(text: string, action?: Toast['action']): void {
    const id = this.#add('done', text, action);
    this.#timers.set(
      id,
      setTimeout(() => this.close(id), TOAST_MS),
    );
  }

  /** It did not. Never the only trace of a failure: the place where it happened says so too. */
  failed(text: string, action?: Toast['action']): void {
    this.#add('failed', text, action);
  }

  close(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#list = this.#list.filter((toast) => toast.id !== id);
  }

  #add(kind: Toast['kind'], text: string, action: Toast['action']): number {
    const id = this.#nextId++;
    const toast: Toast = action === undefined ? { id, kind, text } : { id, kind, text, action };
    const kept = this.#list.filter((other) => other.kind === 'failed').slice(-(MAX_TOASTS - 1));
    for (const other of this.#list) if (!kept.includes(other)) this.close(other.id);
    this.#list = [...kept, toast];
    return id;
  }
}
