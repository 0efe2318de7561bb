import { performance } from 'node:perf_hooks';
import { systemClock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { ConsistencyView, ReadView } from '../contract/scenarios.ts';
import type { Cluster } from './cluster.ts';
import { Poller } from './poller.ts';
import type { StreamSink, StreamSource } from './stream.ts';

const POLL_MS = 500;
/** Longer than an election: a read that waits for one says so only after it. */
const READ_TIMEOUT_MS = 4_000;

type Read = ReadView | { error: string };
type Told = { serializable: Read | null; linearizable: Read | null; isAsking: boolean };

/** The same key from every member, as it has it and as the cluster agrees on it, over and over. */
export function followReads(
  cluster: Cluster,
  key: Uint8Array,
  sink: StreamSink<ConsistencyView>,
): StreamSource {
  const told = new Map<string, Told>();
  const interest = cluster.monitor.follow(() => {});
  const read = async (name: string, serializable: boolean): Promise<Read> => {
    const url = cluster.monitor.urlOf(name) ?? '';
    const startedMs = performance.now();
    try {
      const request = { key: Buffer.from(key), serializable };
      const answer = await cluster.etcd.rangeAt(url, request, { timeoutMs: READ_TIMEOUT_MS });
      const kv = answer.kvs[0];
      return {
        value: kv?.value ?? null,
        modRevision: kv?.modRevision ?? 0,
        revision: answer.header?.revision ?? 0,
        tookMs: performance.now() - startedMs,
      };
    } catch (error) {
      return { error: errorMessage(error) };
    }
  };
  // A member that hangs is asked again once it has answered; the others are shown meanwhile.
  const ask = async (name: string) => {
    const one = told.get(name) ?? { serializable: null, linearizable: null, isAsking: false };
    told.set(name, one);
    if (one.isAsking) return;
    one.isAsking = true;
    const kinds = ['serializable', 'linearizable'] as const;
    const asked = kinds.map(async (kind) => {
      one[kind] = await read(name, kind === 'serializable');
      push();
    });
    await Promise.all(asked);
    one.isAsking = false;
  };
  const push = () => {
    const names = cluster.monitor.overview().nodes.map(({ name }) => name);
    const members = names.map((name) => {
      const { serializable = null, linearizable = null } = told.get(name) ?? {};
      return { name, serializable, linearizable };
    });
    sink.push({ members, atMs: Date.now() });
  };
  const poller = new Poller({
    read: async () => {
      for (const { name } of cluster.monitor.overview().nodes) void ask(name);
      push();
    },
    intervalMs: POLL_MS,
    clock: systemClock,
  });
  const polling = poller.follow(() => {});
  return {
    dispose: () => {
      polling.dispose();
      poller.dispose();
      interest.dispose();
    },
  };
}
