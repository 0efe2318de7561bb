import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { storageError } from './errors.ts';

/*
 * LMDB's own format, as far as it has to be checked before LMDB opens a file: the package ends the
 * whole process when it fails to open one. Two meta pages, of which each holds (after a page header
 * of 24 bytes) magic, version, an address, the map size, the trees of free pages and of tables (48
 * bytes each; the first begins with the page size), the last page's number and the transaction's.
 */
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const META_BYTES = 160;
const MAGIC_AT = 24;
const VERSION_AT = 28;
const PAGE_SIZE_AT = 48;
const LAST_PAGE_AT = 144;
const MIN_PAGE_BYTES = 256;
const MAX_PAGE_BYTES = 65_536;
/** Far above any quota. A file that claims more is not made that long, even if only by a hole. */
const MAX_STATE_BYTES = 2 ** 40;

/** Throws StateCorrupt for a file that LMDB could not open. */
export function checkStateFile(path: string): void {
  const file = openSync(path, 'r+');
  try {
    const first = readMeta(file, 0);
    const pageBytes = first?.readUInt32LE(PAGE_SIZE_AT) ?? 0;
    const isPageSize = pageBytes >= MIN_PAGE_BYTES && pageBytes <= MAX_PAGE_BYTES;
    const second = isPageSize ? readMeta(file, pageBytes) : undefined;
    if (first === undefined || second === undefined) {
      throw stateCorrupt(`${path} is not a state file`);
    }
    // Touching a page behind the end would end the process, too: a file that was cut short gets
    // empty pages, which LMDB refuses with an error when it meets them. A sound file is shorter
    // only by free pages.
    const bytes = (Math.max(lastPage(first), lastPage(second)) + 1) * pageBytes;
    if (bytes > MAX_STATE_BYTES) throw stateCorrupt(`${path} says that it has ${bytes} bytes`);
    if (fstatSync(file).size < bytes) ftruncateSync(file, bytes);
  } finally {
    closeSync(file);
  }
}

function stateCorrupt(message: string) {
  return storageError('StateCorrupt', message, {
    hint: 'Restore the folder from a backup, or remove this member and let it rejoin.',
  });
}

function lastPage(meta: Buffer): number {
  return Number(meta.readBigUInt64LE(LAST_PAGE_AT));
}

/** A meta page's beginning; undefined if it is none. */
function readMeta(file: number, at: number): Buffer | undefined {
  const meta = Buffer.alloc(META_BYTES);
  if (readSync(file, meta, 0, META_BYTES, at) !== META_BYTES) return undefined;
  if (meta.readUInt32LE(MAGIC_AT) !== MAGIC) return undefined;
  // The upper half holds flags.
  return meta.readUInt16LE(VERSION_AT) === VERSION ? meta : undefined;
}
