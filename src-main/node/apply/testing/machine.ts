import {
  type AlarmRequest_AlarmAction,
  type AlarmType,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RangeResponse,
  type RequestOp,
  TxnRequest,
} from '../../../proto/etcd/rpc.ts';
import type { StateStore } from '../../storage/types.ts';
import { type BatchingStateMachine, createStateMachine } from '../state-machine.ts';
import type { ApplyResponses, ApplyResult, InternalRequestBody, RequestKind } from '../types.ts';

/** Keys and values as one character per byte. */
export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
export const text = (buffer: Uint8Array): string => Buffer.from(buffer).toString('latin1');

/** What a test gives of a message: byte fields as text, the rest as it is. */
type Loose<T> = { [K in keyof T]?: T[K] extends Buffer ? string : T[K] };

function strict<T extends object>(loose: T): object {
  return Object.fromEntries(
    Object.entries(loose).map(([name, value]) => [
      name,
      typeof value === 'string' ? bytes(value) : value,
    ]),
  );
}

export const rangeRequest = (loose: Loose<RangeRequest>): RangeRequest =>
  RangeRequest.fromPartial(strict(loose));
export const putRequest = (loose: Loose<PutRequest>): PutRequest =>
  PutRequest.fromPartial(strict(loose));
export const deleteRequest = (loose: Loose<DeleteRangeRequest>): DeleteRangeRequest =>
  DeleteRangeRequest.fromPartial(strict(loose));
export const txnRequest = (loose: Partial<TxnRequest>): TxnRequest => TxnRequest.fromPartial(loose);

export const putOp = (loose: Loose<PutRequest>): RequestOp => ({
  request: { $case: 'requestPut', value: putRequest(loose) },
});
export const rangeOp = (loose: Loose<RangeRequest>): RequestOp => ({
  request: { $case: 'requestRange', value: rangeRequest(loose) },
});
export const deleteOp = (loose: Loose<DeleteRangeRequest>): RequestOp => ({
  request: { $case: 'requestDeleteRange', value: deleteRequest(loose) },
});
export const txnOp = (loose: Partial<TxnRequest>): RequestOp => ({
  request: { $case: 'requestTxn', value: txnRequest(loose) },
});

/** Runs scheduled work when the test says so. */
export class ManualSchedule {
  #tasks: (() => void)[] = [];

  readonly schedule = (task: () => void): void => {
    this.#tasks.push(task);
  };

  get idle(): boolean {
    return this.#tasks.length === 0;
  }

  /** One round: tasks that these schedule wait for the next. */
  turn(): void {
    for (const task of this.#tasks.splice(0)) task();
  }

  drain(limit = 100_000): void {
    for (let i = 0; i < limit && !this.idle; i++) this.turn();
    if (!this.idle) throw new Error('the scheduled work does not come to an end');
  }
}

/** A state machine with counted entries, as a test drives it. */
export class Machine {
  readonly state: BatchingStateMachine;
  readonly tasks = new ManualSchedule();
  readonly store: StateStore;

  constructor(store: StateStore) {
    this.store = store;
    const options = { maxTxnOps: 128, quotaBytes: 0, memberId: 1n };
    this.state = createStateMachine(store, options, { schedule: this.tasks.schedule });
  }

  apply(request: InternalRequestBody): ApplyResult {
    return this.state.apply(this.state.appliedIndex + 1, 1, { id: 0n, request });
  }

  /** Applies what must succeed. */
  do<K extends RequestKind>(
    $case: K,
    value: Extract<InternalRequestBody, { $case: K }>['value'],
  ): ApplyResponses[K] & { revision: number } {
    const result = this.apply({ $case, value } as InternalRequestBody);
    if (!result.ok) throw new Error(`${$case} was refused: ${result.code}`);
    return { ...(result.response as ApplyResponses[K]), revision: result.revision };
  }

  /** Applies what must be refused; answers why. */
  refused<K extends RequestKind>(
    $case: K,
    value: Extract<InternalRequestBody, { $case: K }>['value'],
  ): string {
    const result = this.apply({ $case, value } as InternalRequestBody);
    if (result.ok) throw new Error(`${$case} was not refused`);
    return result.code;
  }

  put(key: string, value = '', more: Loose<PutRequest> = {}) {
    return this.do('put', putRequest({ key, value, ...more }));
  }

  delete(key: string, rangeEnd = '', prevKv = false) {
    return this.do('deleteRange', deleteRequest({ key, rangeEnd, prevKv }));
  }

  txn(loose: Partial<TxnRequest>) {
    return this.do('txn', txnRequest(loose));
  }

  compact(revision: number) {
    return this.do('compaction', { revision, physical: false });
  }

  alarm(action: AlarmRequest_AlarmAction, alarm: AlarmType, memberID = 7n) {
    return this.do('alarm', { action, memberID, alarm });
  }

  grant(ID: bigint, TTL = 60) {
    return this.do('leaseGrant', { ID, TTL });
  }

  range(key: string, rangeEnd = '', more: Loose<RangeRequest> = {}): RangeResponse {
    return this.state.range(rangeRequest({ key, rangeEnd, ...more }));
  }

  /** "key=value" of what is there, in the order of the answer. */
  read(key: string, rangeEnd = '', more: Loose<RangeRequest> = {}): string[] {
    const { kvs } = this.range(key, rangeEnd, more);
    return kvs.map((kv) => `${text(kv.key)}=${text(kv.value)}`);
  }

  compactAll(maxRows = 1_000): void {
    while (this.state.compactSlice(maxRows)) {
      // One slice after the other.
    }
  }
}
