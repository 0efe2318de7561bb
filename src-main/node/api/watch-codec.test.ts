import { expect, test } from 'vitest';
import { Event_EventType, type KeyValue } from '../../proto/etcd/kv.ts';
import { WatchResponse } from '../../proto/etcd/rpc.ts';
import type { WatchEvent } from '../mvcc/types.ts';
import { HeaderWriter } from './header-writer.ts';
import { encodeWatchAnswer, type WatchAnswer } from './watch-codec.ts';

const header = { clusterId: 2n ** 63n, memberId: 7n, revision: 300, raftTerm: 2 };
const plain: WatchAnswer = {
  header,
  watchId: 5,
  created: false,
  canceled: false,
  compactRevision: 0,
  cancelReason: '',
  fragment: false,
  events: [],
};

function pair(value: string): KeyValue {
  const key = Buffer.from('key');
  return {
    key,
    createRevision: 2,
    modRevision: 300,
    version: 3,
    value: Buffer.from(value),
    lease: 9n,
  };
}

function event(value: string, prevKv?: KeyValue): WatchEvent {
  return { type: Event_EventType.PUT, kv: pair(value), prevKv };
}

const deletion: WatchEvent = { type: Event_EventType.DELETE, kv: pair(''), prevKv: pair('old') };

test.each<[string, Partial<WatchAnswer>]>([
  ['one event', { events: [event('v')] }],
  ['several events', { events: [event('v', pair('old')), deletion, event('w'.repeat(20_000))] }],
  ['the first watcher', { watchId: 0, events: [event('v')] }],
  ['a watch id of the client', { watchId: 2 ** 40, events: [event('v')] }],
  ['a negative watch id', { watchId: -1, events: [event('v')] }],
  ['a fragment', { fragment: true, events: [event('v')] }],
  ['progress', {}],
  ['created', { created: true }],
  ['compacted', { canceled: true, compactRevision: 17 }],
  ['cancelled with a reason', { canceled: true, cancelReason: 'why' }],
  ['no header', { header: undefined, events: [event('v')] }],
])('%s is written as the generated codec writes it', (_, part) => {
  const answer = { ...plain, ...part };
  const expected = WatchResponse.encode({ ...answer, events: [...answer.events] }).finish();
  const headers = new HeaderWriter();
  expect(encodeWatchAnswer(headers, answer).equals(expected)).toBe(true);
  // Once more, from the bytes that the events keep.
  expect(encodeWatchAnswer(headers, answer).equals(expected)).toBe(true);
});

test('an event is encoded once for all who watch its key', () => {
  const shared = event('v');
  const headers = new HeaderWriter();
  encodeWatchAnswer(headers, { ...plain, watchId: 1, events: [shared] });
  const { encoded } = shared;
  expect(encoded).toBeDefined();
  encodeWatchAnswer(headers, { ...plain, watchId: 2, events: [shared] });
  expect(shared.encoded).toBe(encoded);
});
