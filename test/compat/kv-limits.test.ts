import { status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import { PutRequest, TxnRequest } from '../../src-main/proto/etcd/rpc.ts';
import { compatSuite } from './support/compat.ts';
import { failure, type GrpcClients } from './support/grpc.ts';
import {
  bytes,
  type DefineCase,
  del,
  get,
  grpcCases,
  nested,
  type Op,
  put,
  versionIs,
} from './support/ops.ts';

compatSuite('limits of requests, with the flags as they come', [], (compat) => {
  defineOperations(grpcCases(compat));
  defineSizes(grpcCases(compat));
});

const MAX_TXN_OPS = 128;
const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;
/** What the wire takes beyond that. */
const WIRE_OVERHEAD_BYTES = 512 * 1024;

const many = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** How many operations or compares were taken, or what refused them. */
async function verdict(clients: GrpcClients, request: Parameters<GrpcClients['txn']>[0]) {
  const answer = clients.txn(request);
  return answer.then(
    ({ responses }) => responses.length,
    () => failure(answer),
  );
}

function defineOperations(compat: DefineCase): void {
  compat('128 operations or compares on a path are taken, 129 are not', async (clients) => {
    const verdicts: unknown[] = [];
    for (const count of [MAX_TXN_OPS, MAX_TXN_OPS + 1]) {
      const puts = many(count, (i) => put(`mo/${i}`));
      for (const request of [
        { success: puts },
        { failure: puts },
        { success: many(count, (i) => get(`mo/${i}`)) },
        { success: many(count, () => del('mo/none')) },
        { compare: many(count, (i) => versionIs(`mo/none/${i}`, 0)) },
        { compare: many(count, () => versionIs('mo/none', 0)), success: [put('mo/0')] },
        { success: [nested({ success: puts.slice(1) })] },
        { success: [nested({ failure: puts.slice(1) }), put('mo/last')] },
        { success: [nested({ compare: many(count - 1, () => versionIs('mo/none', 0)) })] },
        { success: [nested({ success: [nested({ success: puts.slice(2) })] })] },
        // The branches are counted apart.
        { success: puts, failure: puts },
      ]) {
        verdicts.push(await verdict(clients, request));
      }
    }
    expect(verdicts[0]).toBe(MAX_TXN_OPS);
    expect(verdicts[11]).toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: 'etcdserver: too many operations in txn request',
    });
    return verdicts;
  });

  compat('what is deep takes from what is wide', async (clients) => {
    const deep = (levels: number, inner: Op[]): Op[] =>
      levels === 0 ? inner : [nested({ success: deep(levels - 1, inner) })];
    const verdicts = [];
    for (const width of [117, 118, 119]) {
      const inner = many(width, (i) => put(`dw/${i}`));
      verdicts.push(await verdict(clients, { success: deep(10, inner) }));
    }
    expect(verdicts[0]).toBe(1);
    return verdicts;
  });
}

function defineSizes(compat: DefineCase): void {
  compat('requests a little below the limit and above it', async (clients) => {
    const key = bytes('si/a');
    // etcd's entry adds 17 or 18 bytes, depending on the member's id.
    const overhead = (request: Parameters<typeof PutRequest.fromPartial>[0]) =>
      PutRequest.encode(PutRequest.fromPartial(request)).finish().length;
    const fixed = overhead({ key, value: Buffer.alloc(MAX_REQUEST_BYTES) }) - MAX_REQUEST_BYTES;
    const ofSize = (encoded: number) => ({ key, value: Buffer.alloc(encoded - fixed) });
    const outcomes: unknown[] = [];
    for (const encoded of [MAX_REQUEST_BYTES - 18, MAX_REQUEST_BYTES - 16]) {
      expect(overhead(ofSize(encoded))).toBe(encoded);
      const answer = clients.put(ofSize(encoded));
      outcomes.push(
        await answer.then(
          () => 'taken',
          () => failure(answer),
        ),
      );
    }
    expect(outcomes).toEqual([
      'taken',
      { code: status.INVALID_ARGUMENT, message: 'etcdserver: request is too large' },
    ]);
    return [outcomes, (await clients.range({ key })).kvs[0]?.value.length];
  });

  compat('transactions and deletes a little below the limit and above it', async (clients) => {
    const verdicts: unknown[] = [];
    for (const encoded of [MAX_REQUEST_BYTES - 18, MAX_REQUEST_BYTES - 16]) {
      const txn = (length: number) => ({
        compare: [versionIs('si/none', 0)],
        success: [put('si/b', 'x'.repeat(length)), get('si/b', '', { keysOnly: true })],
      });
      const fixed =
        TxnRequest.encode(TxnRequest.fromPartial(txn(1_400_000))).finish().length - 1_400_000;
      verdicts.push(await verdict(clients, txn(encoded - fixed)));
      const answer = clients.deleteRange({ key: Buffer.alloc(encoded - 4, 'k') });
      verdicts.push(
        await answer.then(
          ({ deleted }) => deleted,
          () => failure(answer),
        ),
      );
    }
    expect(verdicts.slice(0, 2)).toEqual([2, 0]);
    return verdicts;
  });

  compat('reads are limited by the wire alone', async (clients) => {
    const below = bytes('r'.repeat(MAX_REQUEST_BYTES + WIRE_OVERHEAD_BYTES - 100));
    const above = bytes('r'.repeat(MAX_REQUEST_BYTES + WIRE_OVERHEAD_BYTES + 1));
    const cut = [
      await failure(clients.range({ key: above })),
      await failure(clients.put({ key: bytes('si/c'), value: above })),
      await failure(clients.txn({ success: [get(above.toString('latin1'))] })),
    ];
    // The connection goes on.
    expect((await clients.range({ key: below })).count).toBe(0);
    expect((await clients.txn({ success: [get(below.toString('latin1'))] })).succeeded).toBe(true);
    expect(cut.every(({ code }) => code === status.RESOURCE_EXHAUSTED)).toBe(true);
    return cut;
  });

  compat('an answer may be larger than any request', async (clients) => {
    const value = Buffer.alloc(1_000_000, 'v');
    for (let i = 0; i < 12; i++) await clients.put({ key: bytes(`la/${i}`), value });
    const { kvs } = await clients.range({ key: bytes('la/'), rangeEnd: bytes('la0') });
    expect(kvs.every((kv) => kv.value.equals(value))).toBe(true);
    return kvs.length;
  });
}
