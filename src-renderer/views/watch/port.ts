import type { ContractClient } from '../../api/client.ts';
import { prefixRangeEnd } from '../../lib/bytes.ts';
import type { OpenWatch, Schedule } from './watch-session.svelte.ts';

/** The contract infers bytes over an ArrayBuffer of their own, which all bytes in a page are. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

/** Watches of one cluster, over the contract. */
export function openWatch(client: ContractClient, clusterId: string): OpenWatch {
  return ({ key, prefix, startRevision }, { onItems, onEnd }) => {
    const handle = client.open(
      'watch.open',
      {
        clusterId,
        key: own(key),
        ...(prefix ? { rangeEnd: own(prefixRangeEnd(key)) } : {}),
        ...(startRevision > 0 ? { startRevision } : {}),
      },
      { onItems, onEnd },
    );
    return () => handle.close();
  };
}

export const beforeNextFrame: Schedule = (run) => {
  const frame = requestAnimationFrame(run);
  return () => cancelAnimationFrame(frame);
};
