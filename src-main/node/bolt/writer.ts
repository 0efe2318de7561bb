import type { FileHandle } from 'node:fs/promises';
import {
  BUCKET_FLAG,
  encodeBucket,
  encodeMetaPage,
  FREELIST_PAGE,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  writePageHeader,
} from './format.ts';
import { PageFile, writeAll } from './page-file.ts';
import { type BoltRow, TreeWriter } from './tree-writer.ts';

export type { BoltRow } from './tree-writer.ts';

/** A bucket to be written. */
export interface BoltBucket {
  name: string;
  /** In ascending order of the keys. */
  rows: AsyncIterable<BoltRow> | Iterable<BoltRow>;
}

const META_PAGES = 2;

/**
 * Writes a bbolt database into an empty file, in one pass: each page once, the meta pages last. What
 * it holds in memory does not grow with the number of rows. Buckets come in ascending order of their
 * names. Answers the size of the file in bytes; it is not synced.
 */
export async function writeBoltFile(
  file: FileHandle,
  buckets: Iterable<BoltBucket>,
): Promise<number> {
  const pages = new PageFile(file, META_PAGES);
  const freelist = pages.append(PAGE_HEADER_BYTES);
  writePageHeader(freelist.page, { id: freelist.id, flags: FREELIST_PAGE, count: 0, overflow: 0 });
  const root = new TreeWriter(pages, BUCKET_FLAG);
  for (const { name, rows } of buckets) {
    const tree = new TreeWriter(pages);
    for await (const row of rows) {
      tree.add(row);
      if (pages.needsDrain) await pages.drain();
    }
    root.add({ key: Buffer.from(name), value: encodeBucket(tree.finish()) });
  }
  const rootPage = root.finish();
  await pages.finish();
  for (let page = 0; page < META_PAGES; page++) {
    const meta = {
      pageBytes: PAGE_BYTES,
      rootPage,
      freelistPage: freelist.id,
      pages: pages.pages,
      transaction: page,
    };
    await writeAll(file, encodeMetaPage(page, meta), page * PAGE_BYTES);
  }
  return pages.pages * PAGE_BYTES;
}
