import type { Transport } from '../../src-main/contract/wire.ts';

declare global {
  interface Window {
    /** Exposed by Electron's preload; absent in a browser. */
    raftdeck?: Transport;
  }
}

/** Electron's door to main, or null in a browser. */
export function ipcTransport(host: Pick<Window, 'raftdeck'>): Transport | null {
  return host.raftdeck ?? null;
}
