/** How a lease's time is read; null: it has ended. */
export type ReadTtl = (id: string) => Promise<{ ttl: number; grantedTtl: number } | null>;

/** Someone may renew the lease at any time, so it is read again this often while it is shown. */
export const READ_EVERY_MS = 5_000;
/** Servers tell whole seconds: a reading that differs by less changes nothing. */
const READING_ERROR_MS = 1_000;

/** The time that is left on the lease of the key that is looked at. */
export class LeaseClock {
  readonly id: string;
  grantedTtl = $state<number | null>(null);
  /** On this machine's clock; null until it is known. */
  endsAtMs = $state<number | null>(null);
  hasEnded = $state(false);
  readonly #read: ReadTtl;
  readonly #now: () => number;
  #isClosed = false;

  constructor(id: string, read: ReadTtl, now: () => number = Date.now) {
    this.id = id;
    this.#read = read;
    this.#now = now;
  }

  /** What came with the key itself: shown until the first reading. */
  begin(ttl: number | null): void {
    if (ttl === null) this.hasEnded = true;
    else this.endsAtMs = this.#now() + ttl * 1_000;
  }

  /** Reads the lease; a failure leaves what is known, which goes on counting down. */
  async read(): Promise<void> {
    try {
      const found = await this.#read(this.id);
      if (this.#isClosed) return;
      this.hasEnded = found === null;
      if (found === null) return;
      this.grantedTtl = found.grantedTtl;
      const endsAtMs = this.#now() + found.ttl * 1_000;
      const known = this.endsAtMs;
      if (known === null || Math.abs(known - endsAtMs) > READING_ERROR_MS) this.endsAtMs = endsAtMs;
    } catch {
      // The cluster may be away; the key's own reading says so.
    }
  }

  /** Whole seconds as people count down: 4.2 s left reads 5. Null: not known, or ended. */
  secondsLeft(nowMs: number): number | null {
    if (this.hasEnded || this.endsAtMs === null) return null;
    return Math.max(0, Math.ceil((this.endsAtMs - nowMs) / 1_000));
  }

  dispose(): void {
    this.#isClosed = true;
  }
}
