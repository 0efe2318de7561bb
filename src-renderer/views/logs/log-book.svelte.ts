import type { LogLine } from '../../../src-main/contract/views.ts';

/** Lines kept; beyond that the oldest go. */
export const MAX_LINES = 20_000;
/** How many go at once, so that not every new line moves all others. */
export const DROP_LINES = 2_000;
/** Lines held back while paused. */
export const MAX_HELD = 20_000;

export type MinLevel = 'debug' | 'info' | 'warn' | 'error';
const RANK: Readonly<Record<LogLine['level'], number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** The lines of all nodes by time, filtered, and held back while someone reads. */
export class LogBook {
  /** '' is every node. */
  node = $state('');
  minLevel = $state<MinLevel>('debug');
  query = $state('');
  loaded = $state(false);
  paused = $state(false);
  pausedAtMs = $state(0);
  heldCount = $state(0);
  heldDropped = $state(0);
  dropped = $state(0);
  #lines: LogLine[] = [];
  #held: LogLine[] = [];
  #version = $state(0);
  /** Where each line stands in time. */
  readonly #times = new WeakMap<LogLine, number>();
  readonly #lastTimes = new Map<string, number>();

  readonly shown: readonly LogLine[] = $derived.by(() => {
    void this.#version;
    const matches = this.#matcher();
    return this.#lines.filter(matches);
  });
  readonly warnings = $derived.by(() => this.#countOf('warn'));
  readonly errors = $derived.by(() => this.#countOf('error'));

  get total(): number {
    void this.#version;
    return this.#lines.length;
  }

  get isFiltered(): boolean {
    return this.node !== '' || this.minLevel !== 'debug' || this.query.trim() !== '';
  }

  take(lines: readonly LogLine[]): void {
    this.loaded = true;
    if (lines.length === 0) return;
    if (!this.paused) {
      this.#merge(lines);
      return;
    }
    this.#held.push(...lines);
    const over = this.#held.length - MAX_HELD;
    if (over > 0) {
      this.#held.splice(0, over);
      this.heldDropped += over;
    }
    this.heldCount = this.#held.length;
  }

  pause(nowMs: number): void {
    if (this.paused) return;
    this.paused = true;
    this.pausedAtMs = nowMs;
  }

  resume(): void {
    const held = this.#held;
    this.#held = [];
    this.heldCount = 0;
    this.heldDropped = 0;
    this.paused = false;
    if (held.length > 0) this.#merge(held);
  }

  clear(): void {
    this.#lines = [];
    this.#held = [];
    this.#lastTimes.clear();
    this.heldCount = 0;
    this.heldDropped = 0;
    this.dropped = 0;
    this.#version++;
  }

  showAll(): void {
    this.node = '';
    this.minLevel = 'debug';
    this.query = '';
  }

  #matcher(): (line: LogLine) => boolean {
    const { node } = this;
    const rank = RANK[this.minLevel];
    const words = this.query
      .toLowerCase()
      .split(/\s+/u)
      .filter((word) => word !== '');
    return (line) => {
      if (node !== '' && line.node !== node) return false;
      if (RANK[line.level] < rank) return false;
      if (words.length === 0) return true;
      const text = searchText(line);
      return words.every((word) => text.includes(word));
    };
  }

  #countOf(level: LogLine['level']): number {
    void this.#version;
    return this.#lines.reduce((sum, line) => sum + (line.level === level ? 1 : 0), 0);
  }

  /**
   * By time. Nodes are read one after another, so what arrives may belong before what is there;
   * within a node the order of its own lines stays, because the sort is stable and times of one
   * node never go back here.
   */
  #merge(lines: readonly LogLine[]): void {
    for (const line of lines) this.#place(line);
    const byTime = (a: LogLine, b: LogLine) => this.#timeOf(a) - this.#timeOf(b);
    const fresh = [...lines].sort(byTime);
    const first = fresh[0];
    const all = this.#lines;
    let at = all.length;
    while (first !== undefined && at > 0 && byTime(all[at - 1] as LogLine, first) > 0) at--;
    const tail = all.splice(at);
    const merged = tail.length === 0 ? fresh : [...tail, ...fresh].sort(byTime);
    for (const line of merged) all.push(line);
    if (all.length > MAX_LINES) {
      const over = Math.max(DROP_LINES, all.length - MAX_LINES);
      all.splice(0, over);
      this.dropped += over;
    }
    this.#version++;
  }

  /**
   * A line without a time, or from a clock that went back, stands where its node's last line
   * stands.
   */
  #place(line: LogLine): void {
    const last = this.#lastTimes.get(line.node) ?? 0;
    const time = Math.max(last, line.atMs ?? last);
    this.#lastTimes.set(line.node, time);
    this.#times.set(line, time);
  }

  #timeOf(line: LogLine): number {
    return this.#times.get(line) ?? 0;
  }
}

function searchText(line: LogLine): string {
  return `${line.node} ${line.message} ${fieldsText(line)}`.toLowerCase();
}

/** "key=value key=value", as the row shows it behind the message. */
export function fieldsText(line: LogLine): string {
  return Object.entries(line.fields)
    .filter(([key, value]) => key !== 'node' || value !== line.node)
    .map(([key, value]) => `${key}=${fieldText(value)}`)
    .join(' ');
}

export function fieldText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The line as one object of JSON, as a log file would have it. */
export function lineJson(line: LogLine): string {
  const { node, level, message, fields, atMs } = line;
  const time = atMs === null ? null : new Date(atMs).toISOString();
  return JSON.stringify({ time, level, node, message, ...fields });
}
