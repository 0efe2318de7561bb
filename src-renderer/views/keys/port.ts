import type { ContractClient } from '../../api/client.ts';
import { prefixRangeEnd, toHex } from '../../lib/bytes.ts';
import type { CreateKey } from './create-form.svelte.ts';
import type { DeletePort } from './delete-plan.svelte.ts';
import type { KeyBrowserPort } from './key-browser.svelte.ts';
import type { FetchLevel } from './list/key-tree.svelte.ts';

export interface KeysPort extends KeyBrowserPort, DeletePort {
  create: CreateKey;
  level: FetchLevel;
}

/** The contract infers bytes over an ArrayBuffer of their own, which all bytes in a page are. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

/** The key browser's needs, met by the contract for one cluster. */
export function keysPort(
  client: ContractClient,
  clusterId: string,
  encodePrefix: (text: string) => Uint8Array,
): KeysPort {
  return {
    listPage: ({ prefix, after, limit, revision }, signal) =>
      client.call(
        'keys.list',
        {
          clusterId,
          prefix: own(prefix),
          limit,
          ...(after === undefined ? {} : { after: own(after) }),
          ...(revision === undefined ? {} : { revision }),
        },
        { signal },
      ),
    level: ({ prefix, separator, from, limit, revision }, signal) =>
      client.call(
        'keys.level',
        {
          clusterId,
          prefix: own(prefix),
          separator: own(separator),
          limit,
          ...(from === undefined ? {} : { from: own(from) }),
          ...(revision === undefined ? {} : { revision }),
        },
        { signal },
      ),
    get: (key, signal) => {
      const options = signal === undefined ? {} : { signal };
      return client.call('keys.get', { clusterId, key: own(key) }, options);
    },
    put: (key, value, expectModRevision) =>
      client.call('keys.put', { clusterId, key: own(key), value: own(value), expectModRevision }),
    create: ({ key, value, lease }) =>
      client.call('keys.put', {
        clusterId,
        key: own(key),
        value: own(value),
        expectModRevision: 0,
        ...(lease === undefined ? {} : { lease }),
      }),
    list: (prefix, limit) => client.call('keys.list', { clusterId, prefix: own(prefix), limit }),
    deleteKeys: (keys, expectModRevision) =>
      client.call('keys.delete', {
        clusterId,
        keys: keys.map(own),
        ...(expectModRevision === undefined ? {} : { expectModRevision }),
      }),
    deletePrefix: (prefix) => {
      const rangeEnd = own(prefixRangeEnd(prefix));
      return client.call('keys.deleteRange', { clusterId, key: own(prefix), rangeEnd });
    },
    delay: (run, ms) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    encodePrefix,
    nameOf: toHex,
  };
}
