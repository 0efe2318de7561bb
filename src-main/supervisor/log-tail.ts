import { type FileHandle, open, stat } from 'node:fs/promises';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Disposable } from '../base/disposable.ts';
import type { LogLine } from '../contract/views.ts';
import { systemErrorCode } from './atomic-file.ts';
import { Emitter } from './emitter.ts';
import { parseLogLine } from './log-line.ts';
import { type LogQuery, LogRing, type LogRingLimits } from './log-ring.ts';

/**
 * How often a followed file is looked at. Asking is dearer than watching, but true on every file
 * system.
 */
const POLL_MS = 200;
/** What is read of a log that was there before. */
const MAX_HISTORY_BYTES = 512 * 1024;
const READ_BYTES = 64 * 1024;
/** A longer line is cut into pieces of this size. */
const MAX_LINE_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

export interface LogTailOptions {
  file: string;
  node: string;
  limits?: LogRingLimits;
  clock?: Clock;
  pollMs?: number;
}

/**
 * Follows one node's JSON-line log across rotation (renamed or replaced) and truncation. A line
 * counts once its newline is there; what is no JSON is kept as plain text.
 */
export class LogTail implements Disposable {
  readonly file: string;
  readonly #node: string;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #ring: LogRing;
  readonly #lines = new Emitter<LogLine[]>();
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES);
  #handle: FileHandle | null = null;
  #offset = 0;
  /** A line whose end has not been written yet. */
  #partial: Buffer = Buffer.alloc(0);
  /** The history was cut within a line, whose rest is dropped. */
  #skipToNewline = false;
  #openedBefore = false;
  #nextSeq = 1;
  #polling: Promise<void> | null = null;
  #cancelTimer: (() => void) | null = null;
  #disposed = false;
  /** The last read failed, and that was said. */
  #failing = false;

  constructor(options: LogTailOptions) {
    this.file = options.file;
    this.#node = options.node;
    this.#clock = options.clock ?? systemClock;
    this.#pollMs = options.pollMs ?? POLL_MS;
    this.#ring = new LogRing(options.limits);
  }

  /** Keeps reading until disposed. */
  follow(): void {
    if (this.#disposed || this.#cancelTimer !== null) return;
    const next = () => {
      this.#cancelTimer = this.#clock.setTimer(this.#pollMs, async () => {
        await this.poll();
        if (!this.#disposed) next();
      });
    };
    next();
    void this.poll();
  }

  query(query?: LogQuery): LogLine[] {
    return this.#ring.query(query);
  }

  /** New lines, in batches, as they are read. */
  onLines(listener: (lines: LogLine[]) => void): Disposable {
    return this.#lines.on(listener);
  }

  /** Reads what is there now. */
  poll(): Promise<void> {
    this.#polling ??= this.#readNew().finally(() => {
      this.#polling = null;
    });
    return this.#polling;
  }

  dispose(): void {
    this.#disposed = true;
    this.#cancelTimer?.();
    this.#lines.dispose();
    const close = () => this.#close();
    if (this.#polling === null) void close();
    else void this.#polling.then(close);
  }

  async #readNew(): Promise<void> {
    const fresh: LogLine[] = [];
    try {
      if (this.#handle === null && !(await this.#open())) return;
      await this.#readToEnd(fresh);
      if (await this.#wasReplaced()) {
        // The old file was read to its end; the new one is read from its start.
        await this.#close();
        this.#partial = Buffer.alloc(0);
        if (await this.#open()) await this.#readToEnd(fresh);
      }
      this.#failing = false;
    } catch (error) {
      // A log that cannot be read must not take the supervisor down; the next poll tries anew.
      await this.#close();
      if (!this.#failing) this.#append(`cannot read ${this.file}: ${String(error)}`, fresh, true);
      this.#failing = true;
    } finally {
      if (fresh.length > 0 && !this.#disposed) this.#lines.emit(fresh);
    }
  }

  async #open(): Promise<boolean> {
    if (this.#disposed) return false;
    try {
      this.#handle = await open(this.file, 'r');
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return false;
      throw error;
    }
    this.#offset = 0;
    if (!this.#openedBefore) {
      const { size } = await this.#handle.stat();
      this.#offset = Math.max(0, size - MAX_HISTORY_BYTES);
      this.#skipToNewline = this.#offset > 0;
    }
    this.#openedBefore = true;
    return true;
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  async #wasReplaced(): Promise<boolean> {
    if (this.#handle === null) return false;
    try {
      const [ours, named] = await Promise.all([this.#handle.stat(), stat(this.file)]);
      return ours.ino !== named.ino || ours.dev !== named.dev;
    } catch (error) {
      // Renamed away and not created anew yet: the old one may still grow.
      if (systemErrorCode(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async #readToEnd(fresh: LogLine[]): Promise<void> {
    while (this.#handle !== null && !this.#disposed) {
      const { bytesRead } = await this.#handle.read(this.#buffer, 0, READ_BYTES, this.#offset);
      if (bytesRead > 0) {
        this.#offset += bytesRead;
        this.#split(Buffer.from(this.#buffer.subarray(0, bytesRead)), fresh);
        continue;
      }
      const { size } = await this.#handle.stat();
      if (size >= this.#offset) return;
      // Truncated in place: what was begun is gone.
      this.#offset = 0;
      this.#partial = Buffer.alloc(0);
      this.#skipToNewline = false;
    }
  }

  #split(chunk: Buffer, fresh: LogLine[]): void {
    let rest = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk]);
    for (;;) {
      const end = rest.indexOf(NEWLINE);
      if (end < 0 && rest.length < MAX_LINE_BYTES) break;
      const length = end < 0 ? MAX_LINE_BYTES : Math.min(end, MAX_LINE_BYTES);
      const line = rest.subarray(0, length);
      rest = rest.subarray(length === end ? length + 1 : length);
      if (this.#skipToNewline) this.#skipToNewline = length !== end;
      else this.#append(line.toString('utf8').trimEnd(), fresh);
    }
    this.#partial = Buffer.from(rest);
  }

  #append(text: string, fresh: LogLine[], isError = false): void {
    if (text === '') return;
    const parsed = parseLogLine(text);
    const level = isError ? 'error' : parsed.level;
    const line: LogLine = { seq: this.#nextSeq++, node: this.#node, ...parsed, level };
    this.#ring.push(line, text);
    fresh.push(line);
  }
}
