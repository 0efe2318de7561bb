import type { ConnectionState, ContractClient } from '../api/client.ts';

/** Whether main is there, and since when not. */
export class ConnectionStore {
  state = $state<ConnectionState>('connecting');
  /** Unix milliseconds; null while connected and before the first connection. */
  lostSinceMs = $state<number | null>(null);
  readonly #dispose: () => void;

  constructor(client: ContractClient, nowMs: () => number) {
    let wasOpen = false;
    this.#dispose = client.onState((state) => {
      this.state = state;
      if (state === 'open') {
        wasOpen = true;
        this.lostSinceMs = null;
      } else if (wasOpen || state === 'closed') {
        this.lostSinceMs ??= nowMs();
      }
    });
  }

  dispose(): void {
    this.#dispose();
  }
}
