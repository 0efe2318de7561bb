/* Pages of a bbolt file. README.md in this folder has the layout and a worked example. */

export const PAGE_BYTES = 4096;
export const PAGE_HEADER_BYTES = 16;
/** Of a row in a leaf, and of a child in a branch. */
export const ELEMENT_BYTES = 16;
export const META_BYTES = 64;
export const BUCKET_BYTES = 16;
export const MAX_KEY_BYTES = 32_768;

export const BRANCH_PAGE = 0x01;
export const LEAF_PAGE = 0x02;
export const META_PAGE = 0x04;
export const FREELIST_PAGE = 0x10;

/** Flag of a leaf's element whose value is a bucket. */
export const BUCKET_FLAG = 0x01;

const MAGIC = 0xed0cdaed;
const VERSION = 2;
const CHECKSUM_AT = META_BYTES - 8;
/** Where the freelist's page should be if the freelist is not kept. */
const NO_FREELIST = 0xffff_ffff_ffff_ffffn;

export interface PageHeader {
  id: number;
  flags: number;
  count: number;
  /** Pages behind the first one. */
  overflow: number;
}

export interface Meta {
  pageBytes: number;
  rootPage: number;
  /** 0 if the file keeps none. */
  freelistPage: number;
  /** Pages of the file. */
  pages: number;
  transaction: number;
}

export function writePageHeader(page: Buffer, header: PageHeader): void {
  page.writeBigUInt64LE(BigInt(header.id), 0);
  page.writeUInt16LE(header.flags, 8);
  page.writeUInt16LE(header.count, 10);
  page.writeUInt32LE(header.overflow, 12);
}

export function readPageHeader(page: Buffer): PageHeader {
  return {
    id: readPageNumber(page, 0),
    flags: page.readUInt16LE(8),
    count: page.readUInt16LE(10),
    overflow: page.readUInt32LE(12),
  };
}

/** A number that a file of any real size has; NaN for one beyond 2^53, which is above every limit. */
export function readPageNumber(bytes: Buffer, at: number): number {
  const number = bytes.readBigUInt64LE(at);
  return number <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(number) : Number.NaN;
}

/** A whole meta page. */
export function encodeMetaPage(page: number, meta: Meta): Buffer {
  const bytes = Buffer.alloc(meta.pageBytes);
  writePageHeader(bytes, { id: page, flags: META_PAGE, count: 0, overflow: 0 });
  const body = bytes.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + META_BYTES);
  body.writeUInt32LE(MAGIC, 0);
  body.writeUInt32LE(VERSION, 4);
  body.writeUInt32LE(meta.pageBytes, 8);
  body.writeBigUInt64LE(BigInt(meta.rootPage), 16);
  body.writeBigUInt64LE(BigInt(meta.freelistPage), 32);
  body.writeBigUInt64LE(BigInt(meta.pages), 40);
  body.writeBigUInt64LE(BigInt(meta.transaction), 48);
  body.writeBigUInt64LE(fnv1a64(body.subarray(0, CHECKSUM_AT)), CHECKSUM_AT);
  return bytes;
}

/** The meta that a page holds; undefined if it holds none, one of another version or a torn one. */
export function decodeMetaPage(page: Buffer): Meta | undefined {
  if (page.length < PAGE_HEADER_BYTES + META_BYTES) return undefined;
  const body = page.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + META_BYTES);
  if (body.readUInt32LE(0) !== MAGIC || body.readUInt32LE(4) !== VERSION) return undefined;
  if (body.readBigUInt64LE(CHECKSUM_AT) !== fnv1a64(body.subarray(0, CHECKSUM_AT))) {
    return undefined;
  }
  const keepsFreelist = body.readBigUInt64LE(32) !== NO_FREELIST;
  return {
    pageBytes: body.readUInt32LE(8),
    rootPage: readPageNumber(body, 16),
    freelistPage: keepsFreelist ? readPageNumber(body, 32) : 0,
    pages: readPageNumber(body, 40),
    transaction: readPageNumber(body, 48),
  };
}

export function encodeBucket(rootPage: number): Buffer {
  const value = Buffer.alloc(BUCKET_BYTES);
  value.writeBigUInt64LE(BigInt(rootPage), 0);
  return value;
}

/** FNV-1a of 64 bits. Only metas are hashed by it: 56 bytes each. */
export function fnv1a64(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
