import { displayBytes } from '../../lib/bytes.ts';
import { startsWith } from './watch-target.ts';

export const MAX_RULES = 20;
export const MAX_THRESHOLD = 100_000;
export const MAX_WINDOW_SECONDS = 3_600;
/** After a rule has notified it keeps silent for so long, and counts. */
export const SILENCE_MS = 30_000;

export interface NoticeRule {
  /** Keys that start with this; empty is every key. */
  prefix: Uint8Array;
  type: 'any' | 'put' | 'delete';
  /** Notify once so many events came … */
  threshold: number;
  /** … within so many seconds; of no account for a threshold of 1. */
  seconds: number;
}

export type Permission = 'default' | 'granted' | 'denied' | 'unsupported';

export interface Notice {
  ruleId: number;
  rule: NoticeRule;
  /** Events that met the rule since it last notified. */
  count: number;
  /** The last of them. */
  key: string;
  isDelete: boolean;
  sessionId: number;
}

/** Where notices go: the desktop's notifications, or a test. */
export interface Notifier {
  permission(): Permission;
  /** Must be called by a hand on the page: hosts ask only then. */
  request(): Promise<Permission>;
  show(notice: Notice): void;
}

/** One rule and what it has seen. */
export class RunningRule {
  readonly id: number;
  readonly rule: NoticeRule;
  isOn = $state(true);
  /** Events that met it, in all. */
  met = $state(0);
  /** When it last notified, Unix milliseconds; 0 never. */
  notifiedMs = $state(0);
  /** Times of the last events that met it; a ring as long as the threshold. */
  readonly #times: Float64Array;
  #at = 0;
  #filled = 0;
  #seen = 0;
  #seenAtNotice = 0;

  constructor(id: number, rule: NoticeRule) {
    this.id = id;
    this.rule = rule;
    this.#times = new Float64Array(rule.threshold);
  }

  meets(key: Uint8Array, isDelete: boolean): boolean {
    const { type, prefix } = this.rule;
    if (!this.isOn || (type !== 'any' && (type === 'delete') !== isDelete)) return false;
    return startsWith(key, prefix);
  }

  /** Counts an event; how many there were since the last notice if it is time for one, else 0. */
  count(nowMs: number): number {
    const { threshold, seconds } = this.rule;
    this.#times[this.#at] = nowMs;
    this.#at = (this.#at + 1) % threshold;
    this.#filled = Math.min(threshold, this.#filled + 1);
    this.#seen++;
    // The ring is full, so the next place is the oldest.
    const spanMs = nowMs - (this.#times[this.#at] ?? 0);
    const isMet = this.#filled === threshold && (threshold === 1 || spanMs <= seconds * 1_000);
    if (!isMet || nowMs - this.notifiedMs < SILENCE_MS) return 0;
    const count = this.#seen - this.#seenAtNotice;
    this.#seenAtNotice = this.#seen;
    this.#filled = 0;
    this.notifiedMs = nowMs;
    return count;
  }

  /** Once a second: the count is told then, not for each of thousands. */
  tick(): void {
    this.met = this.#seen;
  }
}

/** The rules of one cluster. They see what any open watch sees. */
export class NoticeRules {
  list = $state.raw<readonly RunningRule[]>([]);
  readonly #nowMs: () => number;
  readonly #notifier: Notifier | undefined;
  #lastId = 0;

  constructor(nowMs: () => number, notifier?: Notifier) {
    this.#nowMs = nowMs;
    this.#notifier = notifier;
  }

  readonly isAnyOn = $derived(this.list.some((rule) => rule.isOn));
  readonly isFull = $derived(this.list.length >= MAX_RULES);

  get permission(): Permission {
    return this.#notifier?.permission() ?? 'unsupported';
  }

  async request(): Promise<Permission> {
    return (await this.#notifier?.request()) ?? 'unsupported';
  }

  add(rule: NoticeRule): void {
    if (this.isFull) return;
    this.list = [...this.list, new RunningRule(++this.#lastId, rule)];
  }

  remove(id: number): void {
    this.list = this.list.filter((rule) => rule.id !== id);
  }

  wants(key: Uint8Array, isDelete: boolean): boolean {
    return this.list.some((running) => running.meets(key, isDelete));
  }

  tick(): void {
    for (const running of this.list) running.tick();
  }

  see(key: Uint8Array, isDelete: boolean, sessionId: number): void {
    for (const running of this.list) {
      if (!running.meets(key, isDelete)) continue;
      const count = running.count(this.#nowMs());
      if (count === 0 || this.permission !== 'granted') continue;
      const { id, rule } = running;
      this.#notifier?.show({
        ruleId: id,
        rule,
        count,
        key: displayBytes(key),
        isDelete,
        sessionId,
      });
    }
  }
}
