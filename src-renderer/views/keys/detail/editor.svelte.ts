import type { KeyDetail } from '../../../../src-main/contract/views.ts';
import { asCallError } from '../../../api/client.ts';
import { equalBytes } from '../../../lib/bytes.ts';
import type { ViewKind } from './content.ts';
import { Draft, type DraftRecord } from './draft.svelte.ts';

/** Edits that may be open at once; each holds its value twice. */
export const MAX_DRAFTS = 50;

/** What the editor needs of a cluster. */
export interface EditorPort {
  get(key: Uint8Array): Promise<KeyDetail | null>;
  /**
   * A compare-and-swap on the mod revision; throws an error with code Conflict if the key has moved
   * on.
   */
  put(key: Uint8Array, value: Uint8Array, expectModRevision: number): Promise<{ revision: number }>;
}

export type SaveOutcome = 'saved' | 'conflict' | 'failed' | 'refused';

/**
 * The edits of one cluster's keys: an edit lives until it is saved or discarded, whatever key is
 * looked at.
 */
export class Editor {
  drafts = $state.raw<readonly Draft[]>([]);
  readonly #port: EditorPort;
  readonly #onSaved: (key: Uint8Array, revision: number) => void;

  constructor(port: EditorPort, onSaved: (key: Uint8Array, revision: number) => void) {
    this.#port = port;
    this.#onSaved = onSaved;
  }

  of(key: Uint8Array): Draft | null {
    return this.drafts.find((draft) => equalBytes(draft.key, key)) ?? null;
  }

  /** Takes up edits that were kept; what is being edited already is newer and stays. */
  restore(records: readonly DraftRecord[]): void {
    const kept = records.filter((record) => this.of(record.key) === null);
    const room = MAX_DRAFTS - this.drafts.length;
    this.drafts = [...this.drafts, ...kept.slice(0, Math.max(0, room)).map(Draft.restore)];
  }

  /**
   * The edit of a key, begun if there is none; null if there are too many. It begins in the view
   * that is looked at, where that can be edited.
   */
  begin(detail: KeyDetail, view?: ViewKind): Draft | null {
    const open = this.of(detail.key);
    if (open !== null) return open;
    // An edit that changed nothing is not worth keeping.
    const kept = this.drafts.filter((draft) => draft.isChanged);
    if (kept.length >= MAX_DRAFTS) return null;
    const draft = new Draft(detail, view);
    this.drafts = [...kept, draft];
    return draft;
  }

  discard(draft: Draft): void {
    this.drafts = this.drafts.filter((other) => other !== draft);
  }

  save(draft: Draft): Promise<SaveOutcome> {
    return this.#put(draft, draft.baseModRevision);
  }

  /** After a conflict: writes over what was shown, and over nothing newer. */
  overwrite(draft: Draft): Promise<SaveOutcome> {
    if (draft.save.kind !== 'conflict') return Promise.resolve('refused');
    const { theirs } = draft.save;
    draft.baseValue = theirs?.value ?? new Uint8Array();
    draft.baseModRevision = theirs?.modRevision ?? 0;
    return this.#put(draft, draft.baseModRevision);
  }

  /** After a conflict: saves what was made of both edits, over what was shown and nothing newer. */
  saveMerged(draft: Draft, text: string): Promise<SaveOutcome> {
    if (draft.save.kind !== 'conflict') return Promise.resolve('refused');
    draft.text = text;
    return this.overwrite(draft);
  }

  /** After a conflict: back to the edit, which a later save checks again. */
  keepEditing(draft: Draft): void {
    draft.save = { kind: 'idle' };
  }

  async #put(draft: Draft, expected: number): Promise<SaveOutcome> {
    const value = draft.bytes;
    if (!value.ok || draft.save.kind === 'saving') return 'refused';
    draft.save = { kind: 'saving' };
    try {
      const { revision } = await this.#port.put(draft.key, value.bytes, expected);
      return this.#saved(draft, value.bytes, revision);
    } catch (error) {
      if (asCallError(error).code === 'Conflict') return this.#conflict(draft, value.bytes);
      draft.save = { kind: 'failed', error };
      return 'failed';
    }
  }

  #saved(draft: Draft, value: Uint8Array, revision: number): SaveOutcome {
    const now = draft.bytes;
    if (now.ok && !equalBytes(now.bytes, value)) {
      // It was edited further while the save ran: the edit goes on over the saved value.
      draft.baseValue = value;
      draft.baseModRevision = revision;
      draft.save = { kind: 'idle' };
      draft.stage = 'edit';
    } else {
      this.discard(draft);
    }
    this.#onSaved(draft.key, revision);
    return 'saved';
  }

  async #conflict(draft: Draft, value: Uint8Array): Promise<SaveOutcome> {
    try {
      const theirs = await this.#port.get(draft.key);
      if (theirs !== null && equalBytes(theirs.value, value)) {
        // An earlier save whose answer was lost has arrived, or someone wrote the very same.
        return this.#saved(draft, value, theirs.modRevision);
      }
      draft.save = { kind: 'conflict', theirs };
      return 'conflict';
    } catch (error) {
      draft.save = { kind: 'failed', error };
      return 'failed';
    }
  }
}
