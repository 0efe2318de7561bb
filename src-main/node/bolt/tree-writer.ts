import { assert } from '../../base/assert.ts';
import { compareBytes } from '../../base/bytes.ts';
import {
  BRANCH_PAGE,
  ELEMENT_BYTES,
  LEAF_PAGE,
  MAX_KEY_BYTES,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  writePageHeader,
} from './format.ts';
import type { PageFile } from './page-file.ts';

/** bbolt panics over a branch with fewer when a child of it shrinks. */
const MIN_CHILDREN = 2;

export interface BoltRow {
  key: Buffer;
  value: Buffer;
}

interface Child {
  key: Buffer;
  page: number;
}

/**
 * Writes one bucket's tree bottom-up from rows in key order. Holds one leaf's rows, and one page of
 * children for each level above.
 */
export class TreeWriter {
  readonly #file: PageFile;
  /** Element flags of all rows. */
  readonly #flags: number;
  readonly #levels: BranchLevel[] = [];
  #rows: BoltRow[] = [];
  #bytes = PAGE_HEADER_BYTES;
  #lastKey: Buffer | undefined;

  constructor(file: PageFile, flags = 0) {
    this.#file = file;
    this.#flags = flags;
  }

  /** Keys must ascend. The row's buffers must not change until its page is written. */
  add(row: BoltRow): void {
    const { key, value } = row;
    assert(key.length > 0 && key.length <= MAX_KEY_BYTES, `a key of ${key.length} bytes`);
    const ordered = this.#lastKey === undefined || compareBytes(key, this.#lastKey) > 0;
    assert(ordered, 'rows of a bucket out of order');
    this.#lastKey = key;
    const bytes = ELEMENT_BYTES + key.length + value.length;
    if (this.#rows.length > 0 && this.#bytes + bytes > PAGE_BYTES) this.#writeLeaf();
    this.#rows.push(row);
    this.#bytes += bytes;
  }

  /** Writes what is left; answers the root page. */
  finish(): number {
    const bottom = this.#levels[0];
    if (this.#rows.length > 0 || bottom === undefined) this.#writeLeaf();
    for (let i = 0; ; i++) {
      const level = this.#levels[i] as BranchLevel;
      // A level with one child in all is not needed: the child is the root.
      if (level.onlyChild !== undefined) return level.onlyChild;
      level.finish();
    }
  }

  #writeLeaf(): void {
    const rows = this.#rows;
    const { id, page } = this.#file.append(this.#bytes);
    const overflow = page.length / PAGE_BYTES - 1;
    writePageHeader(page, { id, flags: LEAF_PAGE, count: rows.length, overflow });
    let element = PAGE_HEADER_BYTES;
    let data = element + rows.length * ELEMENT_BYTES;
    for (const { key, value } of rows) {
      page.writeUInt32LE(this.#flags, element);
      page.writeUInt32LE(data - element, element + 4);
      page.writeUInt32LE(key.length, element + 8);
      page.writeUInt32LE(value.length, element + 12);
      page.set(key, data);
      page.set(value, data + key.length);
      data += key.length + value.length;
      element += ELEMENT_BYTES;
    }
    // A copy: the key may be a view of a large row.
    this.#level(0).add({ key: Buffer.from(rows[0]?.key ?? []), page: id });
    this.#rows = [];
    this.#bytes = PAGE_HEADER_BYTES;
  }

  #level(i: number): BranchLevel {
    let level = this.#levels[i];
    if (level === undefined) {
      level = new BranchLevel(this.#file, (child) => this.#level(i + 1).add(child));
      this.#levels.push(level);
    }
    return level;
  }
}

/** The branch pages of one level. Holds back as many children as make sure that no page has one. */
class BranchLevel {
  readonly #file: PageFile;
  readonly #toParent: (child: Child) => void;
  #children: Child[] = [];
  /** How many of the children go into the next page, and its size. */
  #fitting = 0;
  #bytes = PAGE_HEADER_BYTES;
  #total = 0;

  constructor(file: PageFile, toParent: (child: Child) => void) {
    this.#file = file;
    this.#toParent = toParent;
  }

  /** The page of the level's one child; undefined if it has more. */
  get onlyChild(): number | undefined {
    return this.#total === 1 ? this.#children[0]?.page : undefined;
  }

  add(child: Child): void {
    this.#total++;
    this.#push(child);
    if (this.#children.length < this.#fitting + MIN_CHILDREN) return;
    this.#write(this.#fitting);
  }

  finish(): void {
    const left = this.#children.length;
    if (left > this.#fitting && left >= 2 * MIN_CHILDREN) this.#write(left - MIN_CHILDREN);
    this.#write(this.#children.length);
  }

  #push(child: Child): void {
    const isNext = this.#fitting === this.#children.length;
    this.#children.push(child);
    const bytes = ELEMENT_BYTES + child.key.length;
    if (!isNext) return;
    if (this.#fitting >= MIN_CHILDREN && this.#bytes + bytes > PAGE_BYTES) return;
    this.#fitting++;
    this.#bytes += bytes;
  }

  /** Writes a page of the first `count` children and measures the others anew. */
  #write(count: number): void {
    const children = this.#children.slice(0, count);
    const rest = this.#children.slice(count);
    const keyBytes = children.reduce((sum, { key }) => sum + key.length, 0);
    const bytes = PAGE_HEADER_BYTES + count * ELEMENT_BYTES + keyBytes;
    const { id, page } = this.#file.append(bytes);
    const overflow = page.length / PAGE_BYTES - 1;
    writePageHeader(page, { id, flags: BRANCH_PAGE, count, overflow });
    let element = PAGE_HEADER_BYTES;
    let data = element + count * ELEMENT_BYTES;
    for (const child of children) {
      page.writeUInt32LE(data - element, element);
      page.writeUInt32LE(child.key.length, element + 4);
      page.writeBigUInt64LE(BigInt(child.page), element + 8);
      page.set(child.key, data);
      data += child.key.length;
      element += ELEMENT_BYTES;
    }
    this.#children = [];
    this.#fitting = 0;
    this.#bytes = PAGE_HEADER_BYTES;
    for (const child of rest) this.#push(child);
    this.#toParent({ key: (children[0] as Child).key, page: id });
  }
}
