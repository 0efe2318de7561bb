import { SvelteMap } from 'svelte/reactivity';
import type { OwnNote } from '../../../src-main/contract/notes.ts';
import { type ContractClient, errorText } from '../../api/client.ts';
import { MAX_OWN_NOTE_CHARS } from '../../lib/limits.ts';

/** So long after the last key a note is saved by itself. */
export const SAVE_AFTER_MS = 700;

export type SaveState = 'saved' | 'unsaved' | 'saving' | 'failed' | 'tooLong';

export function noteKey(topicId: string, rowId: string): string {
  return `${topicId}/${rowId}`;
}

interface Draft {
  text: string;
  state: SaveState;
  error: string | null;
}

/** What a person wrote beside the rows: saved while they write, and kept by the app. */
export class OwnNotesModel {
  /** Why they could not be read; null if they could. */
  loadError = $state<string | null>(null);
  readonly #saved = new SvelteMap<string, string>();
  readonly #drafts = new SvelteMap<string, Draft>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #client: Pick<ContractClient, 'call'>;

  constructor(client: Pick<ContractClient, 'call'>) {
    this.#client = client;
  }

  async load(): Promise<void> {
    this.loadError = null;
    try {
      this.#take(await this.#client.call('notes.own', {}));
    } catch (error) {
      this.loadError = errorText(error);
    }
  }

  /** As it stands in the field, saved or not. */
  textOf(key: string): string {
    return this.#drafts.get(key)?.text ?? this.#saved.get(key) ?? '';
  }

  stateOf(key: string): SaveState {
    return this.#drafts.get(key)?.state ?? 'saved';
  }

  errorOf(key: string): string | null {
    return this.#drafts.get(key)?.error ?? null;
  }

  write(key: string, text: string): void {
    this.#clearTimer(key);
    const isTooLong = text.length > MAX_OWN_NOTE_CHARS;
    this.#drafts.set(key, { text, state: isTooLong ? 'tooLong' : 'unsaved', error: null });
    if (isTooLong) return;
    this.#timers.set(
      key,
      setTimeout(() => void this.save(key), SAVE_AFTER_MS),
    );
  }

  /** Now, if there is anything to save. */
  async save(key: string): Promise<void> {
    this.#clearTimer(key);
    const draft = this.#drafts.get(key);
    if (draft === undefined || draft.state === 'tooLong' || draft.state === 'saving') return;
    const { text } = draft;
    const [topicId = '', rowId = ''] = key.split('/');
    this.#drafts.set(key, { text, state: 'saving', error: null });
    try {
      await this.#client.call('notes.setOwn', { topicId, rowId, text });
      this.#saved.set(key, text);
      this.#settle(key, text, null);
    } catch (error) {
      this.#settle(key, text, errorText(error));
    }
  }

  /** What waits is saved now: the view goes away. */
  flush(): void {
    for (const key of [...this.#timers.keys()]) void this.save(key);
  }

  /** What was written on while it was saved waits for a save of its own. */
  #settle(key: string, text: string, error: string | null): void {
    const draft = this.#drafts.get(key);
    if (draft === undefined || draft.text !== text || draft.state !== 'saving') return;
    if (error === null) this.#drafts.delete(key);
    else this.#drafts.set(key, { text, state: 'failed', error });
  }

  #take(notes: readonly OwnNote[]): void {
    this.#saved.clear();
    for (const { topicId, rowId, text } of notes) this.#saved.set(noteKey(topicId, rowId), text);
  }

  #clearTimer(key: string): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }
}
