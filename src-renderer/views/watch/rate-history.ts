/** Seconds of the past that are plotted. */
export const RATE_SECONDS = 120;

/**
 * How many events came in each second of the last two minutes. A second in which the stream was not
 * open is a gap, not a zero.
 */
export class RateHistory {
  /** Oldest first; the last one is the second of now, still counting. */
  #seconds: (number | null)[] = new Array<null>(RATE_SECONDS + 1).fill(null);
  #now: number;

  constructor(nowMs: number) {
    this.#now = Math.floor(nowMs / 1_000);
  }

  add(nowMs: number, events: number): void {
    this.pass(nowMs, true);
    const last = this.#seconds.length - 1;
    this.#seconds[last] = (this.#seconds[last] ?? 0) + events;
  }

  /** Time went on; call at least once a second while it shows. */
  pass(nowMs: number, isOpen: boolean): void {
    const second = Math.floor(nowMs / 1_000);
    const passed = Math.min(second - this.#now, this.#seconds.length);
    this.#now = Math.max(this.#now, second);
    if (passed > 0) {
      const fresh = new Array<number | null>(passed).fill(isOpen ? 0 : null);
      this.#seconds = [...this.#seconds.slice(passed), ...fresh];
    } else if (isOpen) {
      const last = this.#seconds.length - 1;
      this.#seconds[last] ??= 0;
    }
  }

  /** The whole seconds, oldest first. */
  get seconds(): readonly (number | null)[] {
    return this.#seconds.slice(0, RATE_SECONDS);
  }
}

/** Bars of a plot as one path: one per second, a gap where nothing was measured. */
export function barPath(
  seconds: readonly (number | null)[],
  maxY: number,
  width: number,
  height: number,
): string {
  const step = width / seconds.length;
  const bar = Math.max(1, step - (step > 4 ? 1.5 : 0.5));
  let path = '';
  seconds.forEach((value, index) => {
    if (value === null || value === 0 || maxY <= 0) return;
    const tall = Math.max(1, (Math.min(value, maxY) / maxY) * height);
    const x = (index * step).toFixed(1);
    path += `M${x} ${height}v${(-tall).toFixed(1)}h${bar.toFixed(1)}V${height}z`;
  });
  return path;
}
