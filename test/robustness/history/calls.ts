import { Metadata, type ServiceError } from '@grpc/grpc-js';
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  type ResponseOp,
  TxnRequest,
} from '../../../src-main/proto/etcd/rpc.ts';
import type { KeyValue, TxnCompare, TxnStep, TxnStepOutput } from '../../sim/history.ts';
import type { TestClient } from '../../support/client.ts';
import { bytes, type Recorder, toKeyValue } from './recorder.ts';

/** After this a client gives up; what it asked for may still happen. */
const DEADLINE_MS = 1_000;

export interface Target {
  client: TestClient;
  name: string;
}

/** One unary call of a generated client, with a deadline. */
export function unary<Request, Response>(
  start: (
    request: Request,
    metadata: Metadata,
    options: { deadline: number },
    done: (error: ServiceError | null, response: Response) => void,
  ) => unknown,
  request: Request,
  deadlineMs = DEADLINE_MS,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    start(request, new Metadata(), { deadline: Date.now() + deadlineMs }, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

export const revisionOf = (response: { header?: { revision: number } | undefined }) => ({
  revision: response.header?.revision ?? 0,
});

/** The calls on keys of one client, each recorded. */
export class Calls {
  readonly #recorder: Recorder;
  readonly #client: number;

  constructor(recorder: Recorder, client: number) {
    this.#recorder = recorder;
    this.#client = client;
  }

  put(to: Target, key: string, value: string, lease = '0') {
    const call = this.#call('put', to, key, { value, lease });
    const request = { key: bytes(key), value: bytes(value), lease: BigInt(`0x${lease}`) };
    return this.#recorder.record(call, async () =>
      revisionOf(await unary(to.client.kv.put.bind(to.client.kv), PutRequest.fromPartial(request))),
    );
  }

  /** As it is now, or as it was at a revision. */
  get(to: Target, key: string, serializable: boolean, revision = 0) {
    const call = this.#call('get', to, key, { serializable, revision });
    const request = RangeRequest.fromPartial({ key: bytes(key), serializable, revision });
    return this.#recorder.record(call, async () => {
      const response = await unary(to.client.kv.range.bind(to.client.kv), request);
      const [kv] = response.kvs.map(toKeyValue);
      return { ...revisionOf(response), kv };
    });
  }

  range(to: Target, key: string, end: string, serializable: boolean) {
    const call = this.#call('range', to, key, { end, serializable, revision: 0 });
    const range = { key: bytes(key), rangeEnd: bytes(end), serializable };
    return this.#recorder.record(call, async () => {
      const request = RangeRequest.fromPartial(range);
      const response = await unary(to.client.kv.range.bind(to.client.kv), request);
      const { count } = response;
      return { ...revisionOf(response), kvs: response.kvs.map(toKeyValue), count };
    });
  }

  delete(to: Target, key: string) {
    const call = this.#call('delete', to, key, {});
    const request = DeleteRangeRequest.fromPartial({ key: bytes(key) });
    return this.#recorder.record(call, async () => {
      const response = await unary(to.client.kv.deleteRange.bind(to.client.kv), request);
      return { ...revisionOf(response), deleted: response.deleted };
    });
  }

  /** Puts `value` if the key is as it was read; as an append if there is an item. */
  putIf(to: Target, key: string, seen: KeyValue | undefined, value: string, item?: string) {
    const expectedModRevision = seen?.modRevision ?? 0;
    const input = { expectedModRevision, value };
    const call =
      item === undefined
        ? this.#call('cas', to, key, input)
        : this.#call('append', to, key, { ...input, item });
    const put: TxnStep = { kind: 'put', key, value, lease: '0' };
    const request = txnRequest(
      [{ key, modRevision: expectedModRevision }],
      [put],
      [{ kind: 'get', key }],
    );
    return this.#recorder.record(call, async () => {
      const response = await unary(to.client.kv.txn.bind(to.client.kv), request);
      const { succeeded } = response;
      const [step] = response.responses.map(stepOutput);
      return { ...revisionOf(response), succeeded, kv: step?.kind === 'get' ? step.kv : undefined };
    });
  }

  txn(to: Target, compares: TxnCompare[], success: TxnStep[], failure: TxnStep[]) {
    const call = this.#call('txn', to, '', { compares, success, failure });
    return this.#recorder.record(call, async () => {
      const request = txnRequest(compares, success, failure);
      const response = await unary(to.client.kv.txn.bind(to.client.kv), request);
      const steps = response.responses.map(stepOutput);
      return { ...revisionOf(response), succeeded: response.succeeded, steps };
    });
  }

  #call<Kind extends string>(kind: Kind, { name }: Target, key: string, input: object) {
    return { kind, client: this.#client, member: name, key, input };
  }
}

function txnRequest(compares: TxnCompare[], success: TxnStep[], failure: TxnStep[]): TxnRequest {
  return TxnRequest.fromPartial({
    compare: compares.map(({ key, modRevision }) => ({
      ...{ result: Compare_CompareResult.EQUAL, target: Compare_CompareTarget.MOD },
      ...{ key: bytes(key), targetUnion: { $case: 'modRevision', value: BigInt(modRevision) } },
    })),
    success: success.map(requestOp),
    failure: failure.map(requestOp),
  });
}

function requestOp(step: TxnStep): RequestOp {
  const key = bytes(step.key);
  if (step.kind === 'get') {
    return { request: { $case: 'requestRange', value: RangeRequest.fromPartial({ key }) } };
  }
  if (step.kind === 'delete') {
    const value = DeleteRangeRequest.fromPartial({ key });
    return { request: { $case: 'requestDeleteRange', value } };
  }
  const put = { key, value: bytes(step.value), lease: BigInt(`0x${step.lease}`) };
  return { request: { $case: 'requestPut', value: PutRequest.fromPartial(put) } };
}

function stepOutput({ response }: ResponseOp): TxnStepOutput {
  if (response?.$case === 'responseRange') {
    const [kv] = response.value.kvs.map(toKeyValue);
    return { kind: 'get', kv };
  }
  if (response?.$case === 'responseDeleteRange') {
    return { kind: 'delete', deleted: response.value.deleted };
  }
  return { kind: 'put' };
}
