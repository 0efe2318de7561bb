import type { Fill, LoadResult } from '../loads.ts';
import { callOn } from './call.ts';
import { ClientConnection } from './connection.ts';
import { fillRequest, headerRevision, Path } from './messages.ts';

/** Keys in one transaction: etcd's default limit is 128 operations. */
const KEYS_PER_TXN = 100;
const TXNS_IN_FLIGHT = 16;

/** Puts keys 0 to `keys`, in order, and checks every answer. */
export async function runFill({ address, keys, rounds }: Fill): Promise<LoadResult> {
  const connection = await ClientConnection.connect(address.host, address.port);
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  let next = 0;
  const total = keys * rounds;
  const loop = async (): Promise<void> => {
    while (next < total) {
      const at = next;
      const from = at % keys;
      const count = Math.min(KEYS_PER_TXN, keys - from, total - at);
      next += count;
      const answer = await callOn(connection, address, Path.txn, fillRequest(from, from + count));
      if (headerRevision(answer, 0, answer.length) <= 1) throw new Error('a wrong answer to a txn');
    }
  };
  try {
    await Promise.all(Array.from({ length: TXNS_IN_FLIGHT }, loop));
  } finally {
    connection.close();
  }
  const { user, system } = process.cpuUsage(cpu);
  return {
    operations: total,
    seconds: (performance.now() - startedMs) / 1000,
    buckets: [],
    succeeded: total,
    errors: 0,
    firstError: '',
    cpuSeconds: (user + system) / 1e6,
  };
}
