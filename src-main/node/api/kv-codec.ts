/**
 * Codecs for the requests and answers that make up nearly all of a node's work: a plain put, a read of one key, their
 * answers. They are written by hand, in one pass and into one buffer; whatever has another shape takes the generated
 * codec. Both give the same bytes, which a test holds them to.
 */
import { varintBytes, writeVarint } from '../../base/varint.ts';
import type { KeyValue } from '../../proto/etcd/kv.ts';
import {
  KVService,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  RangeResponse,
} from '../../proto/etcd/rpc.ts';
import type { UnaryDescriptor } from '../rpc/service.ts';
import {
  HEADER_FIELD_BYTES,
  HeaderWriter,
  NUMBER_FIELD_BYTES,
  numberBytes,
  writeNumber,
} from './header-writer.ts';

const TAG_1_BYTES = 0x0a;
const TAG_2_BYTES = 0x12;
const TAG_5_BYTES = 0x2a;
const TAG_2_VARINT = 0x10;
const TAG_3_VARINT = 0x18;
const TAG_4_VARINT = 0x20;
/** RangeRequest.serializable, which is true whenever it is sent. */
const TAG_7_VARINT = 0x38;
const EMPTY: Buffer = Buffer.alloc(0);

/** The descriptors of KVService with these codecs. One for each server: it remembers its member's ids. */
export function kvDescriptors(): {
  put: UnaryDescriptor<PutRequest, PutResponse>;
  range: UnaryDescriptor<RangeRequest, RangeResponse>;
} {
  const headers = new HeaderWriter();
  return {
    put: {
      ...KVService.put,
      requestDeserialize: decodePut,
      responseSerialize: (response) => encodePutResponse(headers, response),
    },
    range: {
      ...KVService.range,
      requestDeserialize: decodeRange,
      responseSerialize: (response) => encodeRangeResponse(headers, response),
    },
  };
}

/** Key and value are views. Throws for bytes that are no such request. */
export function decodePut(bytes: Buffer): PutRequest {
  if (bytes[0] !== TAG_1_BYTES) return PutRequest.decode(bytes);
  const keyAt = contentAt(bytes, 0);
  const keyEnd = keyAt + lengthBefore(bytes, 0);
  if (bytes[keyEnd] !== TAG_2_BYTES) return PutRequest.decode(bytes);
  const valueAt = contentAt(bytes, keyEnd);
  if (valueAt + lengthBefore(bytes, keyEnd) !== bytes.length) return PutRequest.decode(bytes);
  const key = bytes.subarray(keyAt, keyEnd);
  const value = bytes.subarray(valueAt);
  return { key, value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
}

/** The key is a view. Throws for bytes that are no such request. */
export function decodeRange(bytes: Buffer): RangeRequest {
  if (bytes[0] !== TAG_1_BYTES) return RangeRequest.decode(bytes);
  const keyAt = contentAt(bytes, 0);
  const keyEnd = keyAt + lengthBefore(bytes, 0);
  const serializable =
    keyEnd + 2 === bytes.length && bytes[keyEnd] === TAG_7_VARINT && bytes[keyEnd + 1] === 1;
  if (!serializable && keyEnd !== bytes.length) return RangeRequest.decode(bytes);
  return {
    key: bytes.subarray(keyAt, keyEnd),
    rangeEnd: EMPTY,
    limit: 0,
    revision: 0,
    sortOrder: RangeRequest_SortOrder.NONE,
    sortTarget: RangeRequest_SortTarget.KEY,
    serializable,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
}

/** Where the content of the field begins whose tag of one byte stands at `at`. */
function contentAt(bytes: Buffer, at: number): number {
  let next = at + 1;
  while ((bytes[next] ?? 0) >= 0x80) next++;
  return next + 1;
}

/** The length of that content; Infinity if it is not written as we would. */
function lengthBefore(bytes: Buffer, at: number): number {
  let length = 0;
  let factor = 1;
  for (let next = at + 1; next < at + 5; next++) {
    const byte = bytes[next] ?? 0;
    length += (byte & 0x7f) * factor;
    if (byte < 0x80) return length;
    factor *= 128;
  }
  return Number.POSITIVE_INFINITY;
}

export function encodePutResponse(headers: HeaderWriter, response: PutResponse): Buffer {
  const { header, prevKv } = response;
  if (header === undefined || prevKv !== undefined) {
    return Buffer.from(PutResponse.encode(response).finish());
  }
  const bytes = Buffer.allocUnsafe(HEADER_FIELD_BYTES);
  return bytes.subarray(0, headers.write(bytes, 0, header));
}

export function encodeRangeResponse(headers: HeaderWriter, response: RangeResponse): Buffer {
  const { header, kvs, more, count } = response;
  if (header === undefined) return Buffer.from(RangeResponse.encode(response).finish());
  const sizes: number[] = [];
  let most = HEADER_FIELD_BYTES + 2 + NUMBER_FIELD_BYTES;
  for (const kv of kvs) {
    if (kv.lease !== 0n) return Buffer.from(RangeResponse.encode(response).finish());
    const size = pairBytes(kv);
    sizes.push(size);
    most += 1 + varintBytes(size) + size;
  }
  const bytes = Buffer.allocUnsafe(most);
  let at = headers.write(bytes, 0, header);
  for (let i = 0; i < kvs.length; i++) {
    bytes[at] = TAG_2_BYTES;
    at = writeVarint(bytes, sizes[i] as number, at + 1);
    at = writePair(bytes, at, kvs[i] as KeyValue);
  }
  if (more) {
    bytes[at++] = TAG_3_VARINT;
    bytes[at++] = 1;
  }
  at = writeNumber(bytes, TAG_4_VARINT, count, at);
  return bytes.subarray(0, at);
}

function pairBytes({ key, value, createRevision, modRevision, version }: KeyValue): number {
  return (
    bytesFieldBytes(key.length) +
    numberBytes(createRevision) +
    numberBytes(modRevision) +
    numberBytes(version) +
    bytesFieldBytes(value.length)
  );
}

/** Protobuf leaves out what is empty or zero. */
function bytesFieldBytes(length: number): number {
  return length === 0 ? 0 : 1 + varintBytes(length) + length;
}

function writePair(bytes: Buffer, start: number, kv: KeyValue): number {
  let at = writeBytes(bytes, TAG_1_BYTES, kv.key, start);
  at = writeNumber(bytes, TAG_2_VARINT, kv.createRevision, at);
  at = writeNumber(bytes, TAG_3_VARINT, kv.modRevision, at);
  at = writeNumber(bytes, TAG_4_VARINT, kv.version, at);
  return writeBytes(bytes, TAG_5_BYTES, kv.value, at);
}

function writeBytes(bytes: Buffer, tag: number, content: Buffer, at: number): number {
  if (content.length === 0) return at;
  bytes[at] = tag;
  const start = writeVarint(bytes, content.length, at + 1);
  bytes.set(content, start);
  return start + content.length;
}
