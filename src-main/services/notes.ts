import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { EXPERIMENT_IDS, type NoteSource, type NoteTopic, noteId } from '../contract/notes.ts';
import { systemErrorCode } from '../supervisor/atomic-file.ts';

/** Every source once, by a short name; the topics name it and add the section. */
export const SOURCES_FILE = 'sources.json';

const words = z.string().trim().min(1);
const text = z.strictObject({ en: words, zh: words });
const citation = z.strictObject({ source: noteId, section: words });
const claim = z.strictObject({
  ...text.shape,
  sources: z.array(citation).min(1),
});
const row = z.strictObject({
  id: noteId,
  label: text,
  etcd: claim.extend({ tryIt: z.enum(EXPERIMENT_IDS).optional() }),
  zookeeper: claim,
  consul: claim,
});

export const noteSourcesSchema = z.record(
  noteId,
  z.strictObject({ title: words, url: z.url({ protocol: /^https$/ }) }),
);
/** One file of resources/notes. */
export const noteFileSchema = z.strictObject({
  id: noteId,
  title: text,
  summary: text,
  rows: z.array(row).min(1),
});
type NoteSources = z.infer<typeof noteSourcesSchema>;
type NoteFile = z.infer<typeof noteFileSchema>;

/**
 * All topics, in the order of their file names. A file that is wrong, or names a source that there
 * is not, is left out, with a warning.
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
  const read = async <T>(name: string, parse: (value: unknown) => T): Promise<T | null> => {
    try {
      return parse(JSON.parse(await readFile(join(folder, name), 'utf8')));
    } catch (error) {
      logger.warn('a note cannot be read', { file: name, error: errorMessage(error) });
      return null;
    }
  };
  const sources = await read(SOURCES_FILE, (value) => noteSourcesSchema.parse(value));
  if (sources === null) return [];
  const topics: NoteTopic[] = [];
  const files = names.filter((name) => name.endsWith('.json') && name !== SOURCES_FILE).sort();
  for (const name of files) {
    const topic = await read(name, (value) => topicOf(noteFileSchema.parse(value), sources));
    if (topic !== null) topics.push(topic);
  }
  return topics;
}

/** Puts the sources in the place of their names. Throws for a name that there is not. */
export function topicOf(file: NoteFile, sources: NoteSources): NoteTopic {
  const cite = ({ source, section }: { source: string; section: string }): NoteSource => {
    const found = Object.hasOwn(sources, source) ? sources[source] : undefined;
    if (found === undefined) throw new Error(`${file.id} cites ${source}, which is no source`);
    return { ...found, section };
  };
  const rows = file.rows.map(({ id, label, etcd, zookeeper, consul }) => ({
    id,
    label,
    etcd: {
      ...{ en: etcd.en, zh: etcd.zh, sources: etcd.sources.map(cite) },
      ...(etcd.tryIt === undefined ? {} : { tryIt: etcd.tryIt }),
    },
    zookeeper: { ...zookeeper, sources: zookeeper.sources.map(cite) },
    consul: { ...consul, sources: consul.sources.map(cite) },
  }));
  return { id: file.id, title: file.title, summary: file.summary, rows };
}
