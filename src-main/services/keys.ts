import { prefixEnd, successor } from '../base/bytes.ts';
import type { CallOutput, CallParsed } from '../contract/calls.ts';
import type { KeyDetail, KeyPage, KeyRow } from '../contract/views.ts';
import type { KeyValue } from '../proto/etcd/kv.ts';
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  type TxnResponse,
} from '../proto/etcd/rpc.ts';
import type { CallOptions, EtcdConnection } from '../remote/connection.ts';
import { RemoteError } from '../remote/errors.ts';
import { failure } from './errors.ts';
import { hexToLease, leaseToHex } from './ids.ts';

/**
 * Keys of the first request of a page; how many the next ones take follows from how long these keys
 * were.
 */
const FIRST_CHUNK_ROWS = 1_000;
/** What one answer should stay below: half of what etcd clients take by default. */
const CHUNK_BYTES = 2 * 1024 * 1024;
/** Bytes of a key-value besides its key, about. */
const ROW_OVERHEAD_BYTES = 32;
/** etcd's --max-txn-ops is 128 by default. */
const MAX_TXN_OPS = 128;
/** Keys in one delete transaction, well below etcd's limit of 1.5 MiB for a request. */
const MAX_TXN_BYTES = 1024 * 1024;

const MAX_PUT_ATTEMPTS = 4;

/** Where an empty prefix begins: the smallest key there is. */
export const FIRST_KEY = Buffer.from([0]);

export async function listKeys(
  etcd: EtcdConnection,
  input: CallParsed<'keys.list'>,
  options: CallOptions,
): Promise<KeyPage> {
  const prefix = Buffer.from(input.prefix);
  const rangeEnd = prefixEnd(prefix);
  const start = prefix.length === 0 ? FIRST_KEY : prefix;
  let key = input.after === undefined ? start : successor(input.after);
  let revision = input.revision ?? 0;
  let count: number | null = null;
  let more = true;
  let chunkRows = FIRST_CHUNK_ROWS;
  const rows: KeyRow[] = [];
  while (more && rows.length < input.limit) {
    const limit = Math.min(chunkRows, input.limit - rows.length);
    const page = await etcd.range({ key, rangeEnd, limit, revision, keysOnly: true }, options);
    // The rest of the listing is read at the revision of its first answer.
    if (revision === 0) revision = page.header?.revision ?? 0;
    // It comes with the answer; counting the whole prefix again would cost a request for each page.
    count ??= page.count;
    more = page.more;
    const last = page.kvs.at(-1);
    if (last === undefined) break;
    for (const kv of page.kvs) rows.push(toRow(kv, null));
    key = successor(last.key);
    chunkRows = rowsPerChunk(page.kvs);
  }
  return { rows, count: count ?? 0, revision, next: more ? (rows.at(-1)?.key ?? null) : null };
}

function rowsPerChunk(kvs: readonly KeyValue[]): number {
  const bytes = kvs.reduce((sum, kv) => sum + kv.key.length + ROW_OVERHEAD_BYTES, 0);
  return Math.max(1, Math.floor((CHUNK_BYTES * kvs.length) / bytes));
}

export async function countKeys(
  etcd: EtcdConnection,
  input: CallParsed<'keys.count'>,
  options: CallOptions,
): Promise<CallOutput<'keys.count'>> {
  const { header, count } = await etcd.range(
    { ...toRange(input), revision: input.revision ?? 0, countOnly: true },
    options,
  );
  return { count, revision: input.revision || (header?.revision ?? 0) };
}

export async function getKey(
  etcd: EtcdConnection,
  input: CallParsed<'keys.get'>,
  options: CallOptions,
): Promise<KeyDetail | null> {
  const key = Buffer.from(input.key);
  const response = await etcd.range({ key, revision: input.revision ?? 0 }, options);
  const kv = response.kvs[0];
  if (kv === undefined) return null;
  const ttl = kv.lease === 0n ? null : (await etcd.leaseTimeToLive(kv.lease, false, options)).TTL;
  return {
    ...toRow(kv, kv.value.length),
    valueBytes: kv.value.length,
    value: kv.value,
    // An old revision may name a lease that has ended since.
    leaseTtl: ttl !== null && ttl < 0 ? null : ttl,
    revision: response.header?.revision ?? 0,
  };
}

/**
 * Writes a key. Without `lease` it keeps the one it has; with `expectModRevision` it is written
 * only if it is still at that revision. Both hold at the moment of the write, not of an earlier
 * read. Throws Conflict.
 */
export async function putKey(
  etcd: EtcdConnection,
  input: CallParsed<'keys.put'>,
  options: CallOptions,
): Promise<CallOutput<'keys.put'>> {
  const key = Buffer.from(input.key);
  const { expectModRevision: expected, lease } = input;
  const request: PutRequest = { ...PutRequest.create(), key, value: Buffer.from(input.value) };
  if (lease != null) request.lease = hexToLease(lease);
  if (expected !== undefined) {
    const ignoreLease = lease === undefined && expected > 0;
    const response = await putIf(etcd, { ...request, ignoreLease }, expected, options);
    if (!response.succeeded) throw conflict(expected, response);
    return { revision: response.header?.revision ?? 0 };
  }
  if (lease !== undefined) {
    const { header } = await etcd.put(request, options);
    return { revision: header?.revision ?? 0 };
  }
  return putKeepingLease(etcd, request, options);
}

/**
 * Not as one transaction of two branches: it would carry the value twice, and a value may be as
 * large as a request. The key may come and go between the two attempts, so they are repeated a few
 * times.
 */
async function putKeepingLease(
  etcd: EtcdConnection,
  request: PutRequest,
  options: CallOptions,
): Promise<CallOutput<'keys.put'>> {
  for (let attempt = 0; attempt < MAX_PUT_ATTEMPTS; attempt++) {
    try {
      const { header } = await etcd.put({ ...request, ignoreLease: true }, options);
      return { revision: header?.revision ?? 0 };
    } catch (error) {
      // A key that is not there has no lease to keep, and etcd refuses to be told so.
      if (!(error instanceof RemoteError) || !/key not found/.test(error.message)) throw error;
    }
    const response = await putIf(etcd, request, 0, options);
    if (response.succeeded) return { revision: response.header?.revision ?? 0 };
  }
  throw failure('Conflict', 'the key comes and goes faster than it can be written');
}

function putIf(
  etcd: EtcdConnection,
  request: PutRequest,
  expectModRevision: number,
  options: CallOptions,
): Promise<TxnResponse> {
  return etcd.txn(
    {
      compare: [compareMod(request.key, expectModRevision)],
      success: [{ request: { $case: 'requestPut', value: request } }],
      failure: [readBack(request.key)],
    },
    options,
  );
}

export async function deleteKeys(
  etcd: EtcdConnection,
  input: CallParsed<'keys.delete'>,
  options: CallOptions,
): Promise<CallOutput<'keys.delete'>> {
  const { expectModRevision: expected } = input;
  const keys = input.keys.map((key) => Buffer.from(key));
  if (expected !== undefined) {
    const [key] = keys;
    if (keys.length !== 1 || key === undefined) {
      throw failure('InvalidArgument', 'expectModRevision is for a single key');
    }
    const compare = [compareMod(key, expected)];
    const response = await etcd.txn(
      { compare, success: [deleteOp(key)], failure: [readBack(key)] },
      options,
    );
    if (!response.succeeded) throw conflict(expected, response);
    return { deleted: deletedBy(response), revision: response.header?.revision ?? 0 };
  }
  let deleted = 0;
  let revision = 0;
  for (const batch of batches(unique(keys))) {
    const response = await etcd.txn({ success: batch.map(deleteOp) }, options);
    deleted += deletedBy(response);
    revision = response.header?.revision ?? revision;
  }
  return { deleted, revision };
}

export async function deleteKeyRange(
  etcd: EtcdConnection,
  input: CallParsed<'keys.deleteRange'>,
  options: CallOptions,
): Promise<CallOutput<'keys.deleteRange'>> {
  const { header, deleted } = await etcd.deleteRange(toRange(input), options);
  return { deleted, revision: header?.revision ?? 0 };
}

/** The contract's range: an empty key, which etcd does not take, is the first there is. */
export function toRange(input: { key: Uint8Array; rangeEnd?: Uint8Array | undefined }): {
  key: Buffer;
  rangeEnd: Buffer;
} {
  const rangeEnd = Buffer.from(input.rangeEnd ?? []);
  if (input.key.length === 0 && rangeEnd.length === 0) {
    throw failure('InvalidArgument', 'a key has at least one byte');
  }
  return { key: input.key.length === 0 ? FIRST_KEY : Buffer.from(input.key), rangeEnd };
}

export function toRow(kv: KeyValue, valueBytes: number | null): KeyRow {
  return {
    key: kv.key,
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
    version: kv.version,
    lease: leaseToHex(kv.lease),
    valueBytes,
  };
}

function compareMod(key: Buffer, revision: number): Compare {
  return {
    ...Compare.create(),
    key,
    target: Compare_CompareTarget.MOD,
    result: Compare_CompareResult.EQUAL,
    targetUnion: { $case: 'modRevision', value: BigInt(revision) },
  };
}

function readBack(key: Buffer): RequestOp {
  const value = { ...RangeRequest.create(), key, keysOnly: true };
  return { request: { $case: 'requestRange', value } };
}

function deleteOp(key: Buffer): RequestOp {
  const value = { ...DeleteRangeRequest.create(), key };
  return { request: { $case: 'requestDeleteRange', value } };
}

function deletedBy(response: TxnResponse): number {
  let deleted = 0;
  for (const { response: part } of response.responses) {
    if (part?.$case === 'responseDeleteRange') deleted += part.value.deleted;
  }
  return deleted;
}

function conflict(expected: number, response: TxnResponse): Error {
  const part = response.responses[0]?.response;
  const now = part?.$case === 'responseRange' ? part.value.kvs[0]?.modRevision : undefined;
  const hint = 'Look at the current value, then decide again.';
  if (now === undefined) {
    return failure('Conflict', `the key no longer exists; revision ${expected} was expected`, hint);
  }
  const was = expected === 0 ? 'it was expected not to exist' : `revision ${expected} was expected`;
  return failure('Conflict', `the key is at mod revision ${now} now; ${was}`, hint);
}

function unique(keys: readonly Buffer[]): Buffer[] {
  // etcd refuses a transaction that touches a key twice.
  return [...new Map(keys.map((key) => [key.toString('latin1'), key])).values()];
}

function* batches(keys: readonly Buffer[]): Generator<Buffer[]> {
  let batch: Buffer[] = [];
  let bytes = 0;
  for (const key of keys) {
    if (batch.length >= MAX_TXN_OPS || bytes + key.length > MAX_TXN_BYTES) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(key);
    bytes += key.length;
  }
  if (batch.length > 0) yield batch;
}
