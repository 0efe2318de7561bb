import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { NoteTopic } from '../contract/views.ts';
import { systemErrorCode } from '../supervisor/atomic-file.ts';

const cell = z.strictObject({ en: z.string().min(1), zh: z.string().min(1) });
const row = z.strictObject({ label: cell, etcd: cell, zookeeper: cell, consul: cell });
const source = z.strictObject({
  label: z.string().min(1),
  url: z.url({ protocol: /^https$/ }),
});

/** One file of resources/notes. */
export const noteTopicSchema: z.ZodType<NoteTopic> = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]{1,64}$/),
  title: cell,
  summary: cell,
  rows: z.array(row).min(1),
  sources: z.array(source),
});

/**
 * All topics, in the order of their file names. A file that is wrong is left out, with a warning.
 */
export async function loadNotes(folder: string, logger: Logger): Promise<NoteTopic[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    logger.warn('no notes', { folder });
    return [];
  }
  const topics: NoteTopic[] = [];
  for (const name of names.filter((n) => n.endsWith('.json')).sort()) {
    try {
      const value: unknown = JSON.parse(await readFile(join(folder, name), 'utf8'));
      topics.push(noteTopicSchema.parse(value));
    } catch (error) {
      logger.warn('a note cannot be read', { file: name, error: errorMessage(error) });
    }
  }
  return topics;
}
