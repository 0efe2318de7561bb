import type { FileHandle } from 'node:fs/promises';
import { PAGE_BYTES } from './format.ts';

/** What is gathered before it is written. A page that is larger has a buffer of its own. */
const BUFFER_BYTES = 1024 * 1024;

/** Where the pages of a new file are appended, through a bounded buffer. */
export class PageFile {
  readonly #file: FileHandle;
  readonly #full: Buffer[] = [];
  #open: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;
  #nextPage: number;
  /** Byte of the file where the next write goes. */
  #position: number;

  constructor(file: FileHandle, firstPage: number) {
    this.#file = file;
    this.#nextPage = firstPage;
    this.#position = firstPage * PAGE_BYTES;
  }

  /** How many pages the file has so far. */
  get pages(): number {
    return this.#nextPage;
  }

  /** Set once a buffer is full: the caller then waits for `drain` before it goes on. */
  get needsDrain(): boolean {
    return this.#full.length > 0;
  }

  /** Room for a page of at least `bytes`, of which the caller writes every one up to `bytes`. */
  append(bytes: number): { id: number; page: Buffer } {
    const pages = Math.ceil(bytes / PAGE_BYTES);
    const length = pages * PAGE_BYTES;
    if (length > BUFFER_BYTES - this.#used) this.#seal();
    const id = this.#nextPage;
    this.#nextPage += pages;
    let page: Buffer;
    if (length > BUFFER_BYTES) {
      page = Buffer.allocUnsafeSlow(length);
      this.#full.push(page);
    } else {
      page = this.#open.subarray(this.#used, this.#used + length);
      this.#used += length;
    }
    // What the buffer held before must not get into the file.
    page.fill(0, bytes);
    return { id, page };
  }

  async drain(): Promise<void> {
    for (const buffer of this.#full.splice(0)) {
      await writeAll(this.#file, buffer, this.#position);
      this.#position += buffer.length;
    }
  }

  async finish(): Promise<void> {
    this.#seal();
    await this.drain();
  }

  #seal(): void {
    if (this.#used === 0) return;
    this.#full.push(this.#open.subarray(0, this.#used));
    this.#open = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#used = 0;
  }
}

/** A write may take less than it is given. */
export async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
