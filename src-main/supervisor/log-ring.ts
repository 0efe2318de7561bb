import type { LogLine } from '../contract/views.ts';
import { LOG_LEVELS, type LogLevel } from './log-line.ts';

export interface LogQuery {
  /** Case-insensitive, in message and fields. */
  search?: string;
  /** This level and the more severe ones. */
  minLevel?: LogLevel;
  /** Lines after this one only. */
  afterSeq?: number;
  /** The newest so many. */
  limit?: number;
}

export interface LogRingLimits {
  maxLines: number;
  /** Of the raw text, so that few huge lines do not fill the memory either. */
  maxChars: number;
}

export const DEFAULT_LOG_RING_LIMITS: LogRingLimits = {
  maxLines: 5_000,
  maxChars: 4 * 1024 * 1024,
};

interface Entry {
  line: LogLine;
  /** Lower case, for the search. */
  text: string;
}

/** The newest lines of a log. */
export class LogRing {
  readonly #limits: LogRingLimits;
  #entries: Entry[] = [];
  /** Entries before this index are dropped; they are cut off now and then, not one by one. */
  #head = 0;
  #chars = 0;

  constructor(limits: LogRingLimits = DEFAULT_LOG_RING_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.length - this.#head;
  }

  push(line: LogLine, rawText: string): void {
    this.#entries.push({ line, text: rawText.toLowerCase() });
    this.#chars += rawText.length;
    while (
      this.size > this.#limits.maxLines ||
      (this.#chars > this.#limits.maxChars && this.size)
    ) {
      this.#chars -= (this.#entries[this.#head] as Entry).text.length;
      this.#head += 1;
    }
    if (this.#head > this.#limits.maxLines) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Oldest first. */
  query(query: LogQuery = {}): LogLine[] {
    const matches = logMatcher(query);
    const limit = query.limit ?? Number.POSITIVE_INFINITY;
    const found: LogLine[] = [];
    for (let i = this.#entries.length - 1; i >= this.#head && found.length < limit; i--) {
      const { line, text } = this.#entries[i] as Entry;
      if (line.seq <= (query.afterSeq ?? -1)) break;
      if (matches(line, text)) found.push(line);
    }
    return found.reverse();
  }
}

/** Whether a line is wanted; for subscribers that filter as they go, without its raw text. */
export function logMatcher(query: LogQuery): (line: LogLine, lowerCaseText?: string) => boolean {
  const search = query.search?.toLowerCase() ?? '';
  const minLevel = LOG_LEVELS.indexOf(query.minLevel ?? 'debug');
  return (line, text) => {
    if (LOG_LEVELS.indexOf(line.level) < minLevel) return false;
    if (search === '') return true;
    return (text ?? `${line.message} ${JSON.stringify(line.fields)}`.toLowerCase()).includes(
      search,
    );
  };
}
