import type { ContractClient } from '../../../api/client.ts';
import type { HistoryPort } from './key-history.svelte.ts';
import type { ReadTtl } from './lease-clock.svelte.ts';

export interface DetailPort extends HistoryPort {
  leaseTtl: ReadTtl;
}

/** The contract infers bytes over an ArrayBuffer of their own, which all bytes in a page are. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

/** What the detail of a key needs of one cluster, met by the contract. */
export function detailPort(client: ContractClient, clusterId: string): DetailPort {
  return {
    history: (key, before, limit, signal) =>
      client.call(
        'keys.history',
        { clusterId, key: own(key), limit, ...(before === undefined ? {} : { before }) },
        { signal },
      ),
    deletions: (key, signal) =>
      client.call('keys.deletions', { clusterId, key: own(key) }, { signal }),
    getAt: (key, revision, signal) =>
      client.call('keys.get', { clusterId, key: own(key), revision }, { signal }),
    put: (key, value, expectModRevision) =>
      client.call('keys.put', { clusterId, key: own(key), value: own(value), expectModRevision }),
    leaseTtl: (id) => client.call('leases.ttl', { clusterId, id }),
  };
}
