import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

/** Bytes after which a log file is rotated, and how many old ones are kept beside it. */
export const LOG_FILE_BYTES = 8 * 1024 * 1024;
export const LOG_FILES_KEPT = 3;

/**
 * A pino destination that writes whole lines to a file and rotates it: `x.log`, `x.log.1` (newest) to `x.log.3`.
 * Synchronous, so that the last line before a crash is there. A full disk loses log lines, never the node.
 */
export class RotatingLogFile {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #kept: number;
  #fd: number;
  /** Bytes in the current file. */
  #size: number;

  constructor(path: string, maxBytes = LOG_FILE_BYTES, kept = LOG_FILES_KEPT) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#kept = kept;
    this.#fd = openSync(path, 'a');
    this.#size = fstatSync(this.#fd).size;
  }

  write(line: string): void {
    try {
      if (this.#size > 0 && this.#size + line.length > this.#maxBytes) this.#rotate();
      this.#size += writeSync(this.#fd, line);
    } catch {
      // Nowhere left to say it.
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #rotate(): void {
    closeSync(this.#fd);
    rmSync(`${this.#path}.${this.#kept}`, { force: true });
    for (let i = this.#kept - 1; i >= 1; i--) this.#move(`${this.#path}.${i}`, i + 1);
    this.#move(this.#path, 1);
    this.#fd = openSync(this.#path, 'a');
    this.#size = fstatSync(this.#fd).size;
  }

  #move(from: string, to: number): void {
    try {
      renameSync(from, `${this.#path}.${to}`);
    } catch {
      // It does not exist yet.
    }
  }
}
