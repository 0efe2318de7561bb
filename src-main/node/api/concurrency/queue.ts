/**
 * The queue behind a lock or an election (etcd's recipe, client/v3/concurrency): one key
 * `name/<lease in hex>` per candidate, in the order of creation. The oldest has the turn, and each
 * of the others waits for the deletion of the one before it alone, so that a release wakes one
 * candidate and not all of them.
 */
import { prefixEnd } from '../../../base/bytes.ts';
import { Event_EventType as EventType, type KeyValue } from '../../../proto/etcd/kv.ts';
import {
  type Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  PutRequest,
  RangeRequest,
  type RequestOp,
  type ResponseOp,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  type TxnRequest,
  type TxnResponse,
} from '../../../proto/etcd/rpc.ts';
import type { Backend } from '../backend.ts';
import { checkTxn, checkTxnSize } from '../checks.ts';
import { callEnded } from './errors.ts';
import { follow } from './follow.ts';

/** A candidate's key. */
export interface Place {
  readonly key: Buffer;
  /** Tells this key from a later one of the same name. */
  readonly createRevision: number;
}

export interface TakenPlace extends Place {
  /** False: the lease had a place already, and keeps it. */
  readonly isNew: boolean;
  readonly hasTurn: boolean;
  /** As it was before, if the place is not new. */
  readonly value: Buffer;
  /** Of the transaction. */
  readonly revision: number;
}

export class Queue {
  readonly prefix: Buffer;
  readonly #backend: Backend;

  constructor(backend: Backend, name: Buffer) {
    this.#backend = backend;
    this.prefix = Buffer.concat([name, Buffer.from('/')]);
  }

  /** Makes a key for the lease, or finds the one that it has. */
  async take(lease: bigint, value: Buffer): Promise<TakenPlace> {
    const key = Buffer.concat([this.prefix, Buffer.from(lease.toString(16))]);
    const { response, revision } = await proposeTxn(this.#backend, {
      compare: [createdAt(key, 0)],
      success: [putOp(key, value, lease), rangeOp(this.#oldest())],
      failure: [rangeOp(RangeRequest.fromPartial({ key })), rangeOp(this.#oldest())],
    });
    const isNew = response.succeeded;
    const own = isNew ? undefined : rangeOf(response.responses[0])[0];
    const createRevision = own?.createRevision ?? revision;
    const oldest = rangeOf(response.responses[1])[0];
    return {
      key,
      createRevision,
      isNew,
      hasTurn: oldest === undefined || oldest.createRevision === createRevision,
      value: own?.value ?? value,
      revision,
    };
  }

  /** Resolves once no older key is left. Rejects when the call ends before. */
  async turnOf({ createRevision }: Place, signal: AbortSignal): Promise<void> {
    const { state } = this.#backend;
    const older = RangeRequest.fromPartial({
      ...this.#all(),
      limit: 1,
      sortOrder: SortOrder.DESCEND,
      sortTarget: SortTarget.CREATE,
      maxCreateRevision: createRevision - 1,
    });
    for (;;) {
      if (signal.aborted) throw callEnded();
      await this.#backend.linearizableRead(signal);
      if (signal.aborted) throw callEnded();
      const predecessor = state.range(older).kvs[0];
      if (predecessor === undefined) return;
      const from = { key: predecessor.key, end: undefined, startRevision: state.revision + 1 };
      await follow(state.hub, from, signal, ({ events }) =>
        events.some(({ type }) => type === EventType.DELETE) ? 'enough' : 'more',
      ).ended;
    }
  }

  /** The key that has the turn. Linearizable. */
  async holder(signal: AbortSignal): Promise<KeyValue | undefined> {
    await this.#backend.linearizableRead(signal);
    return this.#backend.state.range(this.#oldest()).kvs[0];
  }

  #oldest(): RangeRequest {
    return RangeRequest.fromPartial({
      ...this.#all(),
      limit: 1,
      sortOrder: SortOrder.ASCEND,
      sortTarget: SortTarget.CREATE,
    });
  }

  #all(): { key: Buffer; rangeEnd: Buffer } {
    return { key: this.prefix, rangeEnd: prefixEnd(this.prefix) };
  }
}

/** Whether the key is still the same one, in the state of this member. */
export function isPresent(backend: Backend, { key, createRevision }: Place): boolean {
  const { kvs } = backend.state.range(RangeRequest.fromPartial({ key }));
  return kvs[0]?.createRevision === createRevision;
}

export interface Outcome {
  /** False: the key is gone, or another one of the same name is there. */
  done: boolean;
  revision: number;
}

/** Gives the key another value, if it is still there. */
export async function updatePlace(
  backend: Backend,
  { key, createRevision }: Place,
  value: Buffer,
  lease: bigint,
): Promise<Outcome> {
  return ifPresent(backend, key, createRevision, putOp(key, value, lease));
}

/** Deletes the key, if it is still there. */
export async function leavePlace(
  backend: Backend,
  { key, createRevision }: Place,
): Promise<Outcome> {
  const value = { key, rangeEnd: Buffer.alloc(0), prevKv: false };
  const op: RequestOp = { request: { $case: 'requestDeleteRange', value } };
  return ifPresent(backend, key, createRevision, op);
}

async function ifPresent(
  backend: Backend,
  key: Buffer,
  createRevision: number,
  op: RequestOp,
): Promise<Outcome> {
  const compare = [createdAt(key, createRevision)];
  const { response, revision } = await proposeTxn(backend, { compare, success: [op], failure: [] });
  return { done: response.succeeded, revision };
}

/**
 * Without the signal of the call: whether a key was made must be known, also when nobody waits for
 * the answer any more, or it would stay behind until its lease ends.
 */
async function proposeTxn(
  backend: Backend,
  value: TxnRequest,
): Promise<{ response: TxnResponse; revision: number }> {
  checkTxn(value, backend.limits.maxTxnOps);
  checkTxnSize(value, backend.limits.maxRequestBytes);
  return backend.propose<'txn'>({ $case: 'txn', value });
}

function createdAt(key: Buffer, revision: number): Compare {
  return {
    result: CompareResult.EQUAL,
    target: CompareTarget.CREATE,
    key,
    targetUnion: { $case: 'createRevision', value: BigInt(revision) },
    rangeEnd: Buffer.alloc(0),
  };
}

function putOp(key: Buffer, value: Buffer, lease: bigint): RequestOp {
  const put = PutRequest.fromPartial({ key, value, lease });
  return { request: { $case: 'requestPut', value: put } };
}

function rangeOp(value: RangeRequest): RequestOp {
  return { request: { $case: 'requestRange', value } };
}

function rangeOf(op: ResponseOp | undefined): KeyValue[] {
  return op?.response?.$case === 'responseRange' ? op.response.value.kvs : [];
}
