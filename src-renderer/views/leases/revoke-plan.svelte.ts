import { asCallError } from '../../api/client.ts';

/** Keys named in the dialog; the rest is a number. */
export const SAMPLE_KEYS = 8;
/** Leases that are asked for their keys at the same time. */
const CONCURRENT_READS = 8;

export interface RevokePort {
  /** Keys on a lease; throws NotFound if it is gone. */
  keys(id: string): Promise<{ keys: Uint8Array[] }>;
  revoke(ids: string[]): Promise<{ revoked: number }>;
}

export type RevokePhase = 'checking' | 'ready' | 'running' | 'failed';

export interface DoomedKey {
  key: Uint8Array;
  lease: string;
}

/** What revoking leases would delete, read just before it is decided. */
export class RevokePlan {
  /** Leases that are to be revoked; those found to be gone are left out. */
  ids = $state.raw<readonly string[]>([]);
  phase = $state<RevokePhase>('checking');
  keyCount = $state(0);
  sample = $state.raw<readonly DoomedKey[]>([]);
  /** Leases that ended before they could be revoked. */
  goneCount = $state(0);
  error = $state.raw<unknown>(null);
  /** The failure came while revoking, not while checking. */
  ranOnce = $state(false);
  readonly #port: RevokePort;

  constructor(ids: readonly string[], port: RevokePort) {
    this.ids = ids;
    this.#port = port;
  }

  async check(): Promise<void> {
    this.phase = 'checking';
    this.error = null;
    try {
      const found = await this.#readAll();
      const living = this.ids.filter((id) => found.has(id));
      this.goneCount += this.ids.length - living.length;
      this.ids = living;
      const keys = living.flatMap((id) => (found.get(id) ?? []).map((key) => ({ key, lease: id })));
      this.keyCount = keys.length;
      this.sample = keys.slice(0, SAMPLE_KEYS);
      this.phase = 'ready';
    } catch (error) {
      this.error = error;
      this.phase = 'failed';
    }
  }

  /**
   * Revokes; false if that failed. Some may then be revoked already, so that a retry checks again
   * first.
   */
  async run(): Promise<boolean> {
    if (this.phase !== 'ready' || this.ids.length === 0) return false;
    this.phase = 'running';
    try {
      await this.#port.revoke([...this.ids]);
      return true;
    } catch (error) {
      // Between check and revoke a lease may run out: then it is as was wanted.
      if (asCallError(error).code === 'NotFound') return this.#runRest();
      this.ranOnce = true;
      this.error = error;
      this.phase = 'failed';
      return false;
    }
  }

  async #runRest(): Promise<boolean> {
    await this.check();
    if (this.error !== null) return false;
    if (this.ids.length === 0) return true;
    this.phase = 'running';
    try {
      await this.#port.revoke([...this.ids]);
      return true;
    } catch (error) {
      this.ranOnce = true;
      this.error = error;
      this.phase = 'failed';
      return false;
    }
  }

  async #readAll(): Promise<Map<string, Uint8Array[]>> {
    const found = new Map<string, Uint8Array[]>();
    const waiting = [...this.ids];
    const worker = async () => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
        try {
          found.set(id, (await this.#port.keys(id)).keys);
        } catch (error) {
          if (asCallError(error).code !== 'NotFound') throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT_READS }, worker));
    return found;
  }
}
