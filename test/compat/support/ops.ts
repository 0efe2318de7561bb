import {
  type Compare,
  Compare_CompareTarget as Of,
  type PutRequest,
  type RangeRequest,
  Compare_CompareResult as Result,
  type TxnRequest,
} from '../../../src-main/proto/etcd/rpc.ts';
import type { CompatCase } from './compat.ts';
import { type GrpcClients, withClients } from './grpc.ts';
import { mask } from './mask.ts';

/** One character per byte. */
export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

export type GrpcCase = (clients: GrpcClients, base: number) => Promise<unknown>;
export type DefineCase = (name: string, run: GrpcCase) => void;

/** Cases whose answers are masked relative to the revision that they began with. */
export function grpcCases(compat: (name: string, run: CompatCase) => void): DefineCase {
  return (name, run) =>
    compat(name, (target) =>
      withClients(target, async (clients) => {
        const base = await clients.revision();
        return mask(await run(clients, base), base);
      }),
    );
}

/** The range of all keys with that prefix, which must not end in 0xff. */
export function prefix(text: string): { key: Buffer; rangeEnd: Buffer } {
  const rangeEnd = bytes(text);
  rangeEnd[rangeEnd.length - 1] = (rangeEnd[rangeEnd.length - 1] as number) + 1;
  return { key: bytes(text), rangeEnd };
}

export type Op = NonNullable<Parameters<GrpcClients['txn']>[0]['success']>[number];
type PartialTxn = Parameters<GrpcClients['txn']>[0];

export function put(key: string, value = '', extra: Partial<PutRequest> = {}): Op {
  const request = { key: bytes(key), value: bytes(value), ...extra };
  return { request: { $case: 'requestPut', value: request } };
}

export function get(key: string, end = '', extra: Partial<RangeRequest> = {}): Op {
  const request = { key: bytes(key), rangeEnd: bytes(end), ...extra };
  return { request: { $case: 'requestRange', value: request } };
}

export function del(key: string, end = '', prevKv = false): Op {
  const request = { key: bytes(key), rangeEnd: bytes(end), prevKv };
  return { request: { $case: 'requestDeleteRange', value: request } };
}

export function nested(value: PartialTxn): Op {
  return { request: { $case: 'requestTxn', value: value as Partial<TxnRequest> } };
}

/** Holds if the key's version is that; 0 for a missing key. */
export function versionIs(key: string, version: number, end = ''): Partial<Compare> {
  return {
    key: bytes(key),
    rangeEnd: bytes(end),
    result: Result.EQUAL,
    target: Of.VERSION,
    targetUnion: { $case: 'version', value: BigInt(version) },
  };
}
