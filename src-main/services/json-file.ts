import { readFile, rename } from 'node:fs/promises';
import type { z } from 'zod';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { systemErrorCode, writeFileAtomic } from '../supervisor/atomic-file.ts';
import { failure } from './errors.ts';

/**
 * One small JSON file of the data folder. A file that cannot be read is moved aside with a warning,
 * so that neither the app is stuck nor its content lost.
 */
export class JsonFile<T> {
  readonly path: string;
  readonly #schema: z.ZodType<T>;
  readonly #logger: Logger;
  /** Writes run one after the other: the last one wins. */
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, schema: z.ZodType<T>, logger: Logger) {
    this.path = path;
    this.#schema = schema;
    this.#logger = logger;
  }

  /** null where there is none (any more). Throws DataDir where the folder cannot be read. */
  async read(): Promise<T | null> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return null;
      throw failure('DataDir', `cannot read ${this.path}: ${errorMessage(error)}`);
    }
    try {
      return this.#schema.parse(JSON.parse(text));
    } catch (error) {
      const aside = `${this.path}.broken`;
      const fields = { file: this.path, aside, error: errorMessage(error) };
      this.#logger.warn('unreadable file moved aside', fields);
      await rename(this.path, aside);
      return null;
    }
  }

  /** Throws DataDir. */
  write(value: T): Promise<void> {
    const write = async () => {
      try {
        await writeFileAtomic(this.path, `${JSON.stringify(value, null, 2)}\n`);
      } catch (error) {
        throw failure('DataDir', `cannot write ${this.path}: ${errorMessage(error)}`);
      }
    };
    const result = this.#writing.then(write);
    this.#writing = result.catch(() => {});
    return result;
  }
}
