/**
 * Entries of the log as bytes: InternalRequest of raftdeck/internal.proto. Nearly all of them are plain puts, so those
 * are written and read by hand, in one step and without a copy of the value on the way in; whatever has another shape
 * takes the generated codec. Both give the same bytes, which a test holds them to.
 */
import { MAX_VARINT_BYTES, varintBytes, writeVarint, writeVarint64 } from '../../base/varint.ts';
import type { PutRequest } from '../../proto/etcd/rpc.ts';
import { InternalRequest } from '../../proto/raftdeck/internal.ts';
import type { InternalRequestBody } from '../apply/types.ts';

const TAG_ID = 0x08;
const TAG_PUT = 0x12;
const TAG_KEY = 0x0a;
const TAG_VALUE = 0x12;

export function encodeEntry(id: bigint, request: InternalRequestBody): Buffer {
  if (request.$case === 'put' && isPlain(request.value)) return encodePut(id, request.value);
  return Buffer.from(InternalRequest.encode({ id, request }).finish());
}

/** The request's buffers are views of the entry's. Throws for bytes that are no request. */
export function decodeEntry(data: Buffer): InternalRequest {
  return decodePut(data) ?? InternalRequest.decode(data);
}

/** Key and value, both with something in them, and nothing else. */
function isPlain({ key, value, lease, prevKv, ignoreValue, ignoreLease }: PutRequest): boolean {
  return (
    key.length > 0 && value.length > 0 && lease === 0n && !(prevKv || ignoreValue || ignoreLease)
  );
}

function encodePut(id: bigint, { key, value }: PutRequest): Buffer {
  const putBytes = fieldBytes(key.length) + fieldBytes(value.length);
  const data = Buffer.allocUnsafe(1 + MAX_VARINT_BYTES + fieldBytes(putBytes));
  data[0] = TAG_ID;
  let at = writeVarint64(data, Number(id >> 32n), Number(BigInt.asUintN(32, id)), 1);
  data[at] = TAG_PUT;
  at = writeVarint(data, putBytes, at + 1);
  data[at] = TAG_KEY;
  at = writeVarint(data, key.length, at + 1);
  data.set(key, at);
  at += key.length;
  data[at] = TAG_VALUE;
  at = writeVarint(data, value.length, at + 1);
  data.set(value, at);
  return data.subarray(0, at + value.length);
}

function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

/** Undefined for anything but what `encodePut` writes. */
function decodePut(data: Buffer): InternalRequest | undefined {
  if (data[0] !== TAG_ID) return undefined;
  let at = 1;
  let low = 0;
  let high = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = data[at++];
    if (byte === undefined || shift > 63) return undefined;
    const bits = byte & 0x7f;
    if (shift < 32) low |= bits << shift;
    if (shift === 28) high = bits >>> 4;
    else if (shift > 28) high |= bits << (shift - 32);
    if (byte < 0x80) break;
  }
  const put = lengthAt(data, at, TAG_PUT);
  if (put === undefined || put.end !== data.length) return undefined;
  const key = lengthAt(data, put.start, TAG_KEY);
  if (key === undefined) return undefined;
  const value = lengthAt(data, key.end, TAG_VALUE);
  if (value === undefined || value.end !== data.length) return undefined;
  const id = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  const request = plainPut(data.subarray(key.start, key.end), data.subarray(value.start));
  return { id, request: { $case: 'put', value: request } };
}

/** Where the content of a field begins and ends; undefined if another field stands there, or not all of it. */
function lengthAt(
  data: Buffer,
  at: number,
  tag: number,
): { start: number; end: number } | undefined {
  if (data[at] !== tag) return undefined;
  let length = 0;
  let next = at + 1;
  for (let factor = 1; ; factor *= 128) {
    const byte = data[next++];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  const end = next + length;
  return end > data.length ? undefined : { start: next, end };
}

function plainPut(key: Buffer, value: Buffer): PutRequest {
  return { key, value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
}
