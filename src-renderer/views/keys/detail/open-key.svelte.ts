import type { KeyDetail } from '../../../../src-main/contract/views.ts';

export type OpenState =
  | { kind: 'none' }
  | { kind: 'loading' }
  | { kind: 'ready'; detail: KeyDetail }
  /** The key was listed but is not there any more. */
  | { kind: 'gone' }
  | { kind: 'failed'; error: unknown };

export type GetKey = (key: Uint8Array, signal?: AbortSignal) => Promise<KeyDetail | null>;

/** The key that is looked at. Opening another cancels the read under way. */
export class OpenKey {
  key = $state.raw<Uint8Array | null>(null);
  state = $state.raw<OpenState>({ kind: 'none' });
  /** A read is under way over data that is shown. */
  reloading = $state(false);
  readonly #get: GetKey;
  #abort: AbortController | null = null;

  constructor(get: GetKey) {
    this.#get = get;
  }

  readonly detail = $derived(this.state.kind === 'ready' ? this.state.detail : null);

  open(key: Uint8Array): Promise<void> {
    this.key = key;
    this.state = { kind: 'loading' };
    return this.#read(key);
  }

  /** Reads the same key again; what is shown stays until the answer is there. */
  reload(): Promise<void> {
    return this.key === null ? Promise.resolve() : this.#read(this.key);
  }

  close(): void {
    this.#abort?.abort();
    this.key = null;
    this.state = { kind: 'none' };
    this.reloading = false;
  }

  async #read(key: Uint8Array): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.reloading = true;
    try {
      const detail = await this.#get(key, abort.signal);
      if (abort.signal.aborted) return;
      this.state = detail === null ? { kind: 'gone' } : { kind: 'ready', detail };
    } catch (error) {
      if (abort.signal.aborted) return;
      this.state = { kind: 'failed', error };
    }
    this.reloading = false;
  }
}
