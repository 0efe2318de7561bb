import type { EtcdConnection } from '../remote/connection.ts';
import { RemoteError } from '../remote/errors.ts';

/** Looked for at every revision; it need not exist. */
const KEY = Buffer.from('\0');
const PROBE_TIMEOUT_MS = 2_000;

/**
 * Learns the compacted revision of a store that does not tell it. Reading below it fails with
 * Compacted, so it is the lowest revision that can still be read: found by bisection, and
 * afterwards confirmed with one cheap read.
 */
export class CompactionProbe {
  readonly #etcd: EtcdConnection;
  /** null: not known yet; 0: nothing was compacted. */
  #compactRevision: number | null = null;

  constructor(etcd: EtcdConnection) {
    this.#etcd = etcd;
  }

  get compactRevision(): number | null {
    return this.#compactRevision;
  }

  /** From elsewhere. It never goes backwards. */
  learned(revision: number): void {
    // etcd's gauge is -1 before the first compaction.
    this.#compactRevision = Math.max(this.#compactRevision ?? 0, revision, 0);
  }

  /** Throws RemoteError when the store cannot be asked. */
  async look(currentRevision: number): Promise<void> {
    const lowest = Math.max(1, this.#compactRevision ?? 1);
    if (currentRevision < lowest) return;
    if (await this.#canRead(lowest)) {
      this.#compactRevision ??= 0;
      return;
    }
    let gone = lowest;
    let readable = currentRevision;
    while (readable - gone > 1) {
      const middle = Math.floor((gone + readable) / 2);
      if (await this.#canRead(middle)) readable = middle;
      else gone = middle;
    }
    this.#compactRevision = readable;
  }

  async #canRead(revision: number): Promise<boolean> {
    try {
      await this.#etcd.range(
        { key: KEY, revision, countOnly: true },
        { timeoutMs: PROBE_TIMEOUT_MS },
      );
      return true;
    } catch (error) {
      if (error instanceof RemoteError && error.code === 'Compacted') return false;
      throw error;
    }
  }
}
