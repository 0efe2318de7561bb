/**
 * etcd's messages as the load generator needs them: requests are made once and their keys written over, answers are
 * read without making objects. The generated codecs would cost more than all the rest of the client.
 */
import {
  PutRequest,
  RangeRequest,
  type RequestOp,
  TxnRequest,
  WatchRequest,
} from '../../../src-main/proto/etcd/rpc.ts';

export const KEY_BYTES = 16;
export const VALUE_BYTES = 256;

export const Path = {
  leaseGrant: '/etcdserverpb.Lease/LeaseGrant',
  put: '/etcdserverpb.KV/Put',
  range: '/etcdserverpb.KV/Range',
  txn: '/etcdserverpb.KV/Txn',
  compact: '/etcdserverpb.KV/Compact',
  watch: '/etcdserverpb.Watch/Watch',
  status: '/etcdserverpb.Maintenance/Status',
} as const;

const GRPC_PREFIX_BYTES = 5;
/** Where the key stands in a request that begins with its key field: prefix, tag and length. */
export const KEY_AT: number = GRPC_PREFIX_BYTES + 2;

/** "k" and the number in fifteen digits. */
export function writeKey(target: Buffer, at: number, number: number): void {
  target[at] = 0x6b;
  let rest = number;
  for (let i = at + KEY_BYTES - 1; i > at; i--) {
    target[i] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

export function keyOf(number: number): Buffer {
  const key = Buffer.alloc(KEY_BYTES);
  writeKey(key, 0, number);
  return key;
}

/** The key again and again, so that a reader can tell whose value it is. */
export function valueFor(key: Buffer): Buffer {
  return Buffer.alloc(VALUE_BYTES, key);
}

/** A message with gRPC's prefix. */
export function framed(message: Uint8Array): Buffer {
  const out = Buffer.alloc(GRPC_PREFIX_BYTES + message.length);
  out.writeUInt32BE(message.length, 1);
  out.set(message, GRPC_PREFIX_BYTES);
  return out;
}

/** A put whose key (at KEY_AT) and value are written over by `aimPut`. */
export function putTemplate(): Buffer {
  const key = keyOf(0);
  return framed(PutRequest.encode(PutRequest.fromPartial({ key, value: valueFor(key) })).finish());
}

export function aimPut(template: Buffer, number: number): void {
  writeKey(template, KEY_AT, number);
  const value = template.length - VALUE_BYTES;
  for (let at = value; at < template.length; at += KEY_BYTES) {
    template.copy(template, at, KEY_AT, KEY_AT + KEY_BYTES);
  }
}

/** A read of one key, which is written over at KEY_AT. */
export function rangeTemplate(serializable: boolean): Buffer {
  return framed(
    RangeRequest.encode(RangeRequest.fromPartial({ key: keyOf(0), serializable })).finish(),
  );
}

/** Keys [from, to) with their values in one transaction, to fill a store. */
export function fillRequest(from: number, to: number): Buffer {
  const success: RequestOp[] = [];
  for (let number = from; number < to; number++) {
    const key = keyOf(number);
    const value = PutRequest.fromPartial({ key, value: valueFor(key) });
    success.push({ request: { $case: 'requestPut', value } });
  }
  return framed(TxnRequest.encode(TxnRequest.fromPartial({ success })).finish());
}

/** A range over [from, to). */
export function spanRequest(from: number, to: number): Buffer {
  const request = RangeRequest.fromPartial({ key: keyOf(from), rangeEnd: keyOf(to) });
  return framed(RangeRequest.encode(request).finish());
}

export function watchRequest(number: number): Buffer {
  const value = { key: keyOf(number) };
  const requestUnion = { $case: 'createRequest' as const, value };
  return framed(WatchRequest.encode(WatchRequest.fromPartial({ requestUnion })).finish());
}

/** Reads protobuf's wire format where it stands; one object for a whole process. */
class WireReader {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;
  /** Of the field at hand: its number, and for one with a length where its content ends. */
  field = 0;
  wireType = 0;

  start(bytes: Buffer, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Steps to the next field; false at the end. */
  next(): boolean {
    if (this.at >= this.end) return false;
    const tag = this.varint();
    this.field = tag >>> 3;
    this.wireType = tag & 7;
    return true;
  }

  isAt(field: number, wireType: number): boolean {
    return this.field === field && this.wireType === wireType;
  }

  /** Exact up to 2^53; beyond it only its bytes are skipped. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  }

  skip(): void {
    if (this.wireType === 2) {
      const length = this.varint();
      this.at += length;
    } else if (this.wireType === 0) this.varint();
    else throw new Error(`a field of wire type ${this.wireType}`);
    if (this.at > this.end) throw new Error('a field reaches past its message');
  }
}

const wire = new WireReader();

/** The revision in the header of any answer, whose header is its field 1; 0 if there is none. */
export function headerRevision(bytes: Buffer, start: number, end: number): number {
  wire.start(bytes, start, end);
  while (wire.next()) {
    if (!wire.isAt(1, 2)) {
      wire.skip();
      continue;
    }
    const headerEnd = wire.varint() + wire.at;
    while (wire.at < headerEnd && wire.next()) {
      if (wire.isAt(3, 0)) return wire.varint();
      wire.skip();
    }
  }
  return 0;
}

/** Whether an answer is exactly this key with the value that `valueFor` gives it. */
export function isAnswerFor(bytes: Buffer, start: number, end: number, request: Buffer): boolean {
  wire.start(bytes, start, end);
  let found = 0;
  let count = 0;
  while (wire.next()) {
    if (wire.isAt(2, 2)) {
      const kvEnd = wire.varint() + wire.at;
      if (isPairOf(bytes, kvEnd, request)) found++;
      wire.at = kvEnd;
    } else if (wire.isAt(4, 0)) count = wire.varint();
    else wire.skip();
  }
  return found === 1 && count === 1;
}

function isPairOf(bytes: Buffer, kvEnd: number, request: Buffer): boolean {
  let key = false;
  let value = false;
  while (wire.at < kvEnd && wire.next()) {
    if ((wire.field === 1 || wire.field === 5) && wire.wireType === 2) {
      const length = wire.varint();
      const at = wire.at;
      wire.at += length;
      if (wire.field === 1) key = length === KEY_BYTES && isKeyAt(bytes, at, request);
      else value = length === VALUE_BYTES && isValueAt(bytes, at, request);
    } else wire.skip();
  }
  return key && value;
}

function isKeyAt(bytes: Buffer, at: number, request: Buffer): boolean {
  return request.compare(bytes, at, at + KEY_BYTES, KEY_AT, KEY_AT + KEY_BYTES) === 0;
}

function isValueAt(bytes: Buffer, at: number, request: Buffer): boolean {
  return isKeyAt(bytes, at, request) && isKeyAt(bytes, at + VALUE_BYTES - KEY_BYTES, request);
}

/** How many keys a range answered, and its count field. */
export function rangeCounts(
  bytes: Buffer,
  start: number,
  end: number,
): { kvs: number; count: number } {
  wire.start(bytes, start, end);
  let kvs = 0;
  let count = 0;
  while (wire.next()) {
    if (wire.isAt(4, 0)) count = wire.varint();
    else {
      if (wire.field === 2) kvs++;
      wire.skip();
    }
  }
  return { kvs, count };
}

/** What a watch response says, in an object that is used again. */
export const watchAnswer = {
  watchId: 0,
  created: false,
  canceled: false,
  events: 0,
  /** mod_revision of the last event. */
  lastRevision: 0,
  /** Whether the events' revisions ascend. */
  ascending: true,
};

export function readWatchAnswer(bytes: Buffer, start: number, end: number): typeof watchAnswer {
  const answer = watchAnswer;
  answer.watchId = 0;
  answer.created = false;
  answer.canceled = false;
  answer.events = 0;
  answer.lastRevision = 0;
  answer.ascending = true;
  wire.start(bytes, start, end);
  while (wire.next()) {
    const { field, wireType } = wire;
    if (field === 11 && wireType === 2) {
      const eventEnd = wire.varint() + wire.at;
      const revision = eventRevision(eventEnd);
      answer.ascending &&= revision > answer.lastRevision;
      answer.lastRevision = revision;
      answer.events++;
      wire.at = eventEnd;
    } else if (wireType !== 0) wire.skip();
    else if (field === 2) answer.watchId = wire.varint();
    else if (field === 3) answer.created = wire.varint() !== 0;
    else if (field === 4) answer.canceled = wire.varint() !== 0;
    else wire.skip();
  }
  return answer;
}

function eventRevision(eventEnd: number): number {
  while (wire.at < eventEnd && wire.next()) {
    if (!wire.isAt(2, 2)) {
      wire.skip();
      continue;
    }
    const kvEnd = wire.varint() + wire.at;
    while (wire.at < kvEnd && wire.next()) {
      if (wire.isAt(3, 0)) return wire.varint();
      wire.skip();
    }
  }
  return 0;
}
