import type { Entry } from '../../proto/raftdeck/raft.ts';

/** Entries and bytes applied in one turn, so that heartbeats and reads go on during a long catch-up. */
const SLICE_ENTRIES = 512;
const SLICE_BYTES = 4 * 1024 * 1024;

/** Committed entries that wait to be applied. Bounded by what Raft lets be uncommitted and by the log itself. */
export class ApplyQueue {
  #entries: Entry[] = [];
  #head = 0;

  get empty(): boolean {
    return this.#head === this.#entries.length;
  }

  push(entries: Entry[]): void {
    if (this.empty) {
      this.#entries = entries;
      this.#head = 0;
    } else {
      for (const entry of entries) this.#entries.push(entry);
    }
  }

  /** The next slice, at least one entry if there is any. */
  take(): Entry[] {
    const start = this.#head;
    let bytes = 0;
    while (this.#head < this.#entries.length && this.#head - start < SLICE_ENTRIES) {
      bytes += (this.#entries[this.#head] as Entry).data.length;
      this.#head++;
      if (bytes >= SLICE_BYTES) break;
    }
    return this.#entries.slice(start, this.#head);
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
  }
}
