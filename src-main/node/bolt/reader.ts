import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { compareBytes } from '../../base/bytes.ts';
import { boltInvalid, noBucket } from './errors.ts';
import {
  BRANCH_PAGE,
  BUCKET_BYTES,
  BUCKET_FLAG,
  decodeMetaPage,
  ELEMENT_BYTES,
  LEAF_PAGE,
  META_BYTES,
  type Meta,
  PAGE_HEADER_BYTES,
  readPageHeader,
  readPageNumber,
} from './format.ts';
import type { BoltRow } from './tree-writer.ts';

/** Sizes of pages that a file may have: that of the memory pages of whoever wrote it. */
const MIN_PAGE_BYTES = 512;
const MAX_PAGE_BYTES = 65_536;
/** A page with its overflow above this is taken for a corrupt one before memory is spent on it. */
const MAX_NODE_BYTES = 256 * 1024 * 1024;
/** No tree of any real size comes near it. */
const MAX_DEPTH = 32;
/** Rows handed out before the event loop gets its turn. */
const ROWS_PER_TURN = 1_000;
const DIGEST_BYTES = 32;
const READ_BYTES = 256 * 1024;

/** A page, or what stands for one in the value of a small bucket. */
interface Node {
  bytes: Buffer;
  isLeaf: boolean;
  count: number;
}

interface Element {
  flags: number;
  key: Buffer;
  /** Of a leaf. */
  value: Buffer;
  /** Of a branch. */
  child: number;
}

/**
 * A bbolt database opened for reading, from etcd or from us, with or without a digest behind it. It
 * is read page by page, and each page is checked before anything of it is handed out.
 */
export class BoltFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #fileBytes: number;
  readonly #meta: Meta;

  private constructor(path: string, file: FileHandle, fileBytes: number, meta: Meta) {
    this.path = path;
    this.#file = file;
    this.#fileBytes = fileBytes;
    this.#meta = meta;
  }

  /** Throws BoltInvalid for what is no bbolt database or is shorter than it says. */
  static async open(path: string): Promise<BoltFile> {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const meta = await readMeta(file, path);
      if (!(meta.pages * meta.pageBytes <= size)) throw boltInvalid(path, 'it is cut short');
      return new BoltFile(path, file, size, meta);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Whether a snapshot's digest stands behind the database. A file copied from a data folder has none. */
  get hasDigest(): boolean {
    return this.#fileBytes % MIN_PAGE_BYTES === DIGEST_BYTES;
  }

  /** Reads the whole file and throws BoltInvalid unless the digest behind it is that of the file. */
  async checkDigest(): Promise<void> {
    if (!this.hasDigest) throw boltInvalid(this.path, 'no digest stands behind it');
    const hash = createHash('sha256');
    const end = this.#fileBytes - DIGEST_BYTES;
    for (let at = 0; at < end; at += READ_BYTES) {
      hash.update(await this.#read(at, Math.min(READ_BYTES, end - at)));
    }
    const digest = await this.#read(end, DIGEST_BYTES);
    if (!hash.digest().equals(digest)) throw boltInvalid(this.path, 'its digest does not match');
  }

  /** Names of the buckets, in order. */
  async buckets(): Promise<string[]> {
    const names: string[] = [];
    for await (const { flags, key } of this.#walk(await this.#page(this.#meta.rootPage))) {
      if ((flags & BUCKET_FLAG) !== 0) names.push(key.toString());
    }
    return names;
  }

  /** The bucket's rows, in order. Throws BoltNoBucket, and BoltInvalid wherever it meets damage. */
  async *rows(bucket: string): AsyncGenerator<BoltRow, undefined> {
    let rows = 0;
    for await (const { flags, key, value } of this.#walk(await this.#root(bucket))) {
      if ((flags & BUCKET_FLAG) !== 0) continue;
      yield { key, value };
      if (++rows % ROWS_PER_TURN === 0) await nextTurn();
    }
    return undefined;
  }

  async #root(bucket: string): Promise<Node> {
    const name = Buffer.from(bucket);
    for await (const { flags, key, value } of this.#walk(await this.#page(this.#meta.rootPage))) {
      if ((flags & BUCKET_FLAG) === 0 || !key.equals(name)) continue;
      if (value.length < BUCKET_BYTES) throw boltInvalid(this.path, `bucket "${bucket}" is torn`);
      const page = readPageNumber(value, 0);
      return page === 0 ? this.#inline(value.subarray(BUCKET_BYTES)) : this.#page(page);
    }
    throw noBucket(this.path, bucket);
  }

  /**
   * All rows of a tree, depth first. That keys ascend shows that no page with rows is met twice; of
   * those without, a few could stand for more than anybody could walk, so all are counted.
   */
  async *#walk(root: Node): AsyncGenerator<Element, undefined> {
    const path: { node: Node; next: number }[] = [{ node: root, next: 0 }];
    let last: Buffer | undefined;
    let pages = 0;
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      if (top.next === top.node.count) {
        path.pop();
        continue;
      }
      const element = this.#element(top.node, top.next++);
      if (top.node.isLeaf) {
        if (last !== undefined && compareBytes(element.key, last) <= 0) {
          throw boltInvalid(this.path, 'keys out of order');
        }
        last = element.key;
        yield element;
        continue;
      }
      if (path.length >= MAX_DEPTH) throw boltInvalid(this.path, 'a tree without end');
      const node = await this.#page(element.child);
      pages += Math.ceil(node.bytes.length / this.#meta.pageBytes);
      if (pages > this.#meta.pages) throw boltInvalid(this.path, 'a page that comes twice');
      path.push({ node, next: 0 });
    }
    return undefined;
  }

  async #page(id: number): Promise<Node> {
    const { pageBytes, pages } = this.#meta;
    // Written so that a number that cannot be one is refused, too.
    if (!(id >= 2 && id < pages)) throw boltInvalid(this.path, `page ${id} of ${pages}`);
    const first = await this.#read(id * pageBytes, pageBytes);
    const header = readPageHeader(first);
    const { flags, overflow } = header;
    if (header.id !== id || (flags !== LEAF_PAGE && flags !== BRANCH_PAGE)) {
      throw boltInvalid(this.path, `page ${id} is not what it should be`);
    }
    const length = (overflow + 1) * pageBytes;
    if (id + overflow >= pages || length > MAX_NODE_BYTES) {
      throw boltInvalid(this.path, `page ${id} is larger than the file`);
    }
    const bytes = overflow === 0 ? first : await this.#read(id * pageBytes, length);
    return this.#node(bytes, flags, header.count, `page ${id}`);
  }

  #inline(bytes: Buffer): Node {
    if (bytes.length < PAGE_HEADER_BYTES) throw boltInvalid(this.path, 'a small bucket is torn');
    const { flags, count } = readPageHeader(bytes);
    if (flags !== LEAF_PAGE) throw boltInvalid(this.path, 'a small bucket is not a leaf');
    return this.#node(bytes, flags, count, 'a small bucket');
  }

  #node(bytes: Buffer, flags: number, count: number, what: string): Node {
    const isLeaf = flags === LEAF_PAGE;
    if (PAGE_HEADER_BYTES + count * ELEMENT_BYTES > bytes.length || (!isLeaf && count === 0)) {
      throw boltInvalid(this.path, `${what} has ${count} elements`);
    }
    return { bytes, isLeaf, count };
  }

  #element({ bytes, isLeaf }: Node, i: number): Element {
    const at = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    const flags = isLeaf ? bytes.readUInt32LE(at) : 0;
    const start = at + bytes.readUInt32LE(isLeaf ? at + 4 : at);
    const middle = start + bytes.readUInt32LE(isLeaf ? at + 8 : at + 4);
    const end = isLeaf ? middle + bytes.readUInt32LE(at + 12) : middle;
    if (end > bytes.length || start === middle) {
      throw boltInvalid(this.path, 'a row reaches beyond its page');
    }
    return {
      flags,
      key: bytes.subarray(start, middle),
      value: bytes.subarray(middle, end),
      child: isLeaf ? 0 : readPageNumber(bytes, at + 8),
    };
  }

  async #read(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    const got = await readFull(this.#file, bytes, position);
    if (got < length) throw boltInvalid(this.path, 'it is cut short');
    return bytes;
  }
}

/** The newer of the two metas. If the first one is torn, nobody says where the second one is. */
async function readMeta(file: FileHandle, path: string): Promise<Meta> {
  let best: Meta | undefined;
  const candidates = [0];
  for (let size = MIN_PAGE_BYTES; size <= MAX_PAGE_BYTES; size *= 2) candidates.push(size);
  for (const position of candidates) {
    const bytes = Buffer.alloc(PAGE_HEADER_BYTES + META_BYTES);
    await readFull(file, bytes, position);
    const meta = decodeMetaPage(bytes);
    if (meta === undefined || !isPageSize(meta.pageBytes)) continue;
    // What looks like a meta anywhere else is a row's value.
    if (position !== 0 && position !== meta.pageBytes) continue;
    if (best === undefined || meta.transaction > best.transaction) best = meta;
  }
  if (best === undefined) throw boltInvalid(path, 'it is not a bbolt database');
  return best;
}

function isPageSize(bytes: number): boolean {
  return bytes >= MIN_PAGE_BYTES && bytes <= MAX_PAGE_BYTES && (bytes & (bytes - 1)) === 0;
}

async function readFull(file: FileHandle, bytes: Buffer, position: number): Promise<number> {
  let at = 0;
  while (at < bytes.length) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
}
