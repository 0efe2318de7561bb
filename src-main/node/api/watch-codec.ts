/**
 * The codec of watch responses: an event is encoded once, however many watch its key, and only header and watch id are
 * written for each. Responses of another kind take the generated codec, which gives the same bytes.
 */
import { varintBytes, writeVarint } from '../../base/varint.ts';
import { Event } from '../../proto/etcd/kv.ts';
import { type WatchRequest, WatchResponse, WatchService } from '../../proto/etcd/rpc.ts';
import type { WatchEvent } from '../mvcc/types.ts';
import type { BidiDescriptor } from '../rpc/service.ts';
import {
  HEADER_FIELD_BYTES,
  HeaderWriter,
  NUMBER_FIELD_BYTES,
  writeNumber,
} from './header-writer.ts';

const TAG_WATCH_ID = 0x10;
const TAG_FRAGMENT = 0x38;
const TAG_EVENTS = 0x5a;

/** A response whose events are shared with others. */
export interface WatchAnswer extends Omit<WatchResponse, 'events'> {
  events: readonly WatchEvent[];
}

/** WatchService.watch with this codec. One for each server: it remembers its member's ids. */
export function watchDescriptor(): BidiDescriptor<WatchRequest, WatchAnswer> {
  const headers = new HeaderWriter();
  return {
    ...WatchService.watch,
    responseSerialize: (answer) => encodeWatchAnswer(headers, answer),
  };
}

export function encodeWatchAnswer(headers: HeaderWriter, answer: WatchAnswer): Buffer {
  const { header, watchId, events, fragment } = answer;
  if (header === undefined || events.length === 0 || watchId < 0 || isControl(answer)) {
    return Buffer.from(WatchResponse.encode({ ...answer, events: [...events] }).finish());
  }
  let most = HEADER_FIELD_BYTES + NUMBER_FIELD_BYTES + 2;
  for (const event of events) most += encodedEvent(event).length;
  const bytes = Buffer.allocUnsafe(most);
  let at = headers.write(bytes, 0, header);
  at = writeNumber(bytes, TAG_WATCH_ID, watchId, at);
  if (fragment) at = writeNumber(bytes, TAG_FRAGMENT, 1, at);
  for (const event of events) {
    const encoded = encodedEvent(event);
    bytes.set(encoded, at);
    at += encoded.length;
  }
  return bytes.subarray(0, at);
}

function isControl({ created, canceled, compactRevision, cancelReason }: WatchAnswer): boolean {
  return created || canceled || compactRevision !== 0 || cancelReason !== '';
}

/** With tag and length. */
function encodedEvent(event: WatchEvent): Buffer {
  event.encoded ??= encodeEvent(event);
  return event.encoded;
}

function encodeEvent(event: WatchEvent): Buffer {
  const message = Event.encode(event).finish();
  const bytes = Buffer.allocUnsafe(1 + varintBytes(message.length) + message.length);
  bytes[0] = TAG_EVENTS;
  bytes.set(message, writeVarint(bytes, message.length, 1));
  return bytes;
}
