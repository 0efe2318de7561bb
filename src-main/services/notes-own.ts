import { join } from 'node:path';
import { z } from 'zod';
import type { Logger } from '../base/logger.ts';
import type { CallParsed } from '../contract/calls.ts';
import { MAX_OWN_NOTE_CHARS, noteId, type OwnNote } from '../contract/notes.ts';
import { failure } from './errors.ts';
import { JsonFile } from './json-file.ts';

const FILE = 'own-notes.json';
/** More than there are rows, also after some were renamed. */
export const MAX_OWN_NOTES = 500;

const schema = z.strictObject({
  schemaVersion: z.literal(1),
  notes: z
    .array(
      z.strictObject({
        topicId: noteId,
        rowId: noteId,
        text: z.string().min(1).max(MAX_OWN_NOTE_CHARS),
        updatedAtMs: z.number().int().nonnegative(),
      }),
    )
    .max(MAX_OWN_NOTES),
});
type File = z.infer<typeof schema>;

/** What a person wrote beside the notes: <dataDir>/own-notes.json. */
export class OwnNotes {
  readonly #file: JsonFile<File>;
  readonly #wallClockMs: () => number;
  #notes: OwnNote[];

  private constructor(file: JsonFile<File>, notes: OwnNote[], wallClockMs: () => number) {
    this.#file = file;
    this.#notes = notes;
    this.#wallClockMs = wallClockMs;
  }

  static async open(
    dataDir: string,
    logger: Logger,
    wallClockMs: () => number = Date.now,
  ): Promise<OwnNotes> {
    const file = new JsonFile(join(dataDir, FILE), schema, logger);
    return new OwnNotes(file, (await file.read())?.notes ?? [], wallClockMs);
  }

  list(): OwnNote[] {
    return this.#notes;
  }

  /** Throws FailedPrecondition when there are too many, DataDir. */
  async set({ topicId, rowId, text }: CallParsed<'notes.setOwn'>): Promise<OwnNote[]> {
    const others = this.#notes.filter((note) => note.topicId !== topicId || note.rowId !== rowId);
    if (text.trim() === '') return this.#save(others);
    if (others.length >= MAX_OWN_NOTES) {
      throw failure('FailedPrecondition', `there are ${MAX_OWN_NOTES} notes already`);
    }
    return this.#save([...others, { topicId, rowId, text, updatedAtMs: this.#wallClockMs() }]);
  }

  /**
   * Known at once, so that two notes that are saved at a time are both in the file; what cannot be
   * written is taken back.
   */
  async #save(notes: OwnNote[]): Promise<OwnNote[]> {
    const before = this.#notes;
    this.#notes = notes;
    try {
      await this.#file.write({ schemaVersion: 1, notes });
    } catch (error) {
      if (this.#notes === notes) this.#notes = before;
      throw error;
    }
    return this.#notes;
  }
}
