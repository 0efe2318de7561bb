import {
  type CompactionRequest,
  type CompactionResponse,
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  KVService,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type RequestOp,
  type TxnRequest,
  type TxnResponse,
} from '../../proto/etcd/rpc.ts';
import { type CallContext, type ServiceImplementation, unary } from '../rpc/service.ts';
import type { Backend } from './backend.ts';
import {
  checkDeleteRange,
  checkDeleteRangeSize,
  checkPut,
  checkPutSize,
  checkRange,
  checkTxn,
  checkTxnSize,
} from './checks.ts';
import type { Guard } from './guard.ts';
import { kvDescriptors } from './kv-codec.ts';
import { withOpHeaders } from './txn-headers.ts';

export function kvService(backend: Backend, guard: Guard): ServiceImplementation {
  const kv = new KvApi(backend);
  const { put, range } = kvDescriptors();
  return {
    name: 'etcdserverpb.KV',
    methods: [
      unary(
        range,
        guard.unary(
          (request) => kv.range(request),
          ({ serializable }) => serializable,
        ),
      ),
      unary(
        put,
        guard.unary((request, context) => kv.put(request, context)),
      ),
      unary(
        KVService.deleteRange,
        guard.unary((request, context) => kv.deleteRange(request, context)),
      ),
      unary(
        KVService.txn,
        guard.unary((request, context) => kv.txn(request, context)),
      ),
      unary(
        KVService.compact,
        guard.unary((request, context) => kv.compact(request, context)),
      ),
    ],
  };
}

class KvApi {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async range(request: RangeRequest): Promise<RangeResponse> {
    checkRange(request);
    if (!request.serializable) await this.#backend.linearizableRead();
    const response = this.#backend.state.range(request);
    return { ...response, header: this.#backend.header() };
  }

  async put(request: PutRequest, caller: CallContext): Promise<PutResponse> {
    checkPut(request);
    checkPutSize(request, this.#backend.limits.maxRequestBytes);
    const { response, revision } = await this.#backend.propose<'put'>(
      { $case: 'put', value: request },
      caller,
    );
    return { ...response, header: this.#backend.header(revision) };
  }

  async deleteRange(
    request: DeleteRangeRequest,
    caller: CallContext,
  ): Promise<DeleteRangeResponse> {
    checkDeleteRange(request);
    checkDeleteRangeSize(request, this.#backend.limits.maxRequestBytes);
    const { response, revision } = await this.#backend.propose<'deleteRange'>(
      { $case: 'deleteRange', value: request },
      caller,
    );
    return { ...response, header: this.#backend.header(revision) };
  }

  async txn(request: TxnRequest, caller: CallContext): Promise<TxnResponse> {
    const { maxTxnOps, maxRequestBytes } = this.#backend.limits;
    checkTxn(request, maxTxnOps);
    if (isReadOnly(request)) {
      if (!isSerializable(request)) await this.#backend.linearizableRead();
      const response = this.#backend.state.readOnlyTxn(request);
      const header = this.#backend.header();
      return { ...withOpHeaders(response, header.revision), header };
    }
    checkTxnSize(request, maxRequestBytes);
    const { response, revision } = await this.#backend.propose<'txn'>(
      { $case: 'txn', value: request },
      caller,
    );
    return { ...withOpHeaders(response, revision), header: this.#backend.header(revision) };
  }

  async compact(request: CompactionRequest, caller: CallContext): Promise<CompactionResponse> {
    await this.#backend.propose<'compaction'>({ $case: 'compaction', value: request }, caller);
    if (request.physical) await this.#backend.state.compactionFinished(request.revision);
    return { header: this.#backend.header() };
  }
}

/** As in etcd, a nested transaction goes through the log even if it only reads. */
function isReadOnly({ success, failure }: TxnRequest): boolean {
  const reads = ({ request }: RequestOp): boolean => request?.$case === 'requestRange';
  return success.every(reads) && failure.every(reads);
}

/**
 * Local state will do if every read says so. A transaction of compares alone says nothing, so it is
 * linearizable.
 */
function isSerializable({ success, failure }: TxnRequest): boolean {
  const serializable = ({ request }: RequestOp): boolean =>
    request?.$case === 'requestRange' && request.value.serializable;
  return (
    success.length + failure.length > 0 &&
    success.every(serializable) &&
    failure.every(serializable)
  );
}
