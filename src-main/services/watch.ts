import { systemClock } from '../base/clock.ts';
import type { StreamParsed } from '../contract/streams.ts';
import type { WatchEventView, WatchItem } from '../contract/views.ts';
import { type Event, Event_EventType } from '../proto/etcd/kv.ts';
import type { EtcdConnection } from '../remote/connection.ts';
import { type WatchReport, WatchSubscription } from '../remote/watch.ts';
import { leaseToHex } from './ids.ts';
import { toRange } from './keys.ts';
import type { StreamSink, StreamSource, Weight } from './stream.ts';
import { WatchBatcher } from './watch-batcher.ts';

export function openWatch(
  etcd: EtcdConnection,
  input: StreamParsed<'watch.open'>,
  sink: StreamSink<WatchItem>,
  nodeName: (endpoint: string) => string,
): StreamSource {
  const batcher = input.packed
    ? new WatchBatcher(systemClock, (count, bytes) => sink.push({ kind: 'batch', count, bytes }))
    : null;
  const subscription = new WatchSubscription(
    etcd,
    {
      ...toRange(input),
      startRevision: input.startRevision ?? 0,
      prevKv: input.prevValue,
      only: input.only,
    },
    (report) => {
      const item = toItem(report, nodeName);
      if (batcher !== null && item.kind === 'events') {
        batcher.push(item.events);
        return;
      }
      // What came before goes before.
      batcher?.flush();
      sink.push(item);
      if (report.kind === 'failed') sink.end();
    },
  );
  return {
    pause: () => subscription.pause(),
    resume: () => subscription.resume(),
    dispose() {
      batcher?.dispose();
      subscription.dispose();
    },
  };
}

export function weighWatchItem(item: WatchItem): Weight {
  if (item.kind === 'batch') return { count: item.count, bytes: item.bytes.length };
  if (item.kind !== 'events') return { count: 1, bytes: 0 };
  let bytes = 0;
  for (const event of item.events) {
    bytes += event.key.length + (event.value?.length ?? 0) + (event.prevValue?.length ?? 0);
  }
  return { count: item.events.length, bytes };
}

function toItem(report: WatchReport, nodeName: (endpoint: string) => string): WatchItem {
  switch (report.kind) {
    case 'opened':
      return { kind: 'opened', revision: report.revision, node: nodeName(report.endpoint) };
    case 'events': {
      const now = Date.now();
      return { kind: 'events', events: report.events.map((event) => toEventView(event, now)) };
    }
    case 'reconnecting':
      return {
        kind: 'reconnecting',
        nextRevision: report.nextRevision,
        error: report.error.message,
      };
    default:
      return report;
  }
}

function toEventView(event: Event, receivedAtMs: number): WatchEventView {
  const { kv, prevKv } = event;
  const isPut = event.type === Event_EventType.PUT;
  return {
    type: isPut ? 'put' : 'delete',
    key: kv?.key ?? new Uint8Array(),
    value: isPut ? (kv?.value ?? null) : null,
    prevValue: prevKv?.value ?? null,
    modRevision: kv?.modRevision ?? 0,
    createRevision: kv?.createRevision ?? 0,
    version: kv?.version ?? 0,
    lease: leaseToHex(kv?.lease ?? 0n),
    receivedAtMs,
  };
}
