/** What a bulk operation wants changed, and the bounded transactions it is put into. */
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  type TxnRequest,
} from '../proto/etcd/rpc.ts';

/** etcd's --max-txn-ops is 128 by default; it counts compares and operations apart. */
export const MAX_BULK_OPS = 128;
/** Keys and values of one transaction, well below etcd's limit of 1.5 MiB for a request. */
export const MAX_BULK_BYTES = 1024 * 1024;
/** Bytes of a change besides key and value, about; its key is also in the compare and read back. */
const CHANGE_OVERHEAD_BYTES = 64;

export interface BulkPut {
  /** null: keeps the value it has; the key must exist. */
  value: Buffer | null;
  /** 0: none; null: keeps the one it has; the key must exist. */
  lease: bigint | null;
}

/** One key, as it must be found and as it shall be. */
export interface BulkChange {
  key: Buffer;
  /** Mod revision that it must have; 0: it must not exist. */
  expectModRevision: number;
  /** null: it is deleted. */
  put: BulkPut | null;
}

/** Changes that happen together or not at all: those of one transaction, at most MAX_BULK_OPS. */
export type BulkStep = readonly BulkChange[];

/** Fills transactions with whole steps; a step larger than the bounds is one of its own. */
export class StepBatcher {
  #steps: BulkStep[] = [];
  #names = new Set<string>();
  #ops = 0;
  #bytes = 0;

  /** Takes a step; returns the batch that had to be closed before it. */
  add(step: BulkStep): BulkStep[] | null {
    const bytes = step.reduce((sum, change) => sum + weigh(change), 0);
    const names = step.map((change) => change.key.toString('latin1'));
    const isFull =
      this.#ops + step.length > MAX_BULK_OPS ||
      this.#bytes + bytes > MAX_BULK_BYTES ||
      // etcd refuses a transaction that writes a key twice.
      names.some((name) => this.#names.has(name));
    const closed = isFull ? this.take() : null;
    this.#steps.push(step);
    this.#ops += step.length;
    this.#bytes += bytes;
    for (const name of names) this.#names.add(name);
    return closed;
  }

  /** What has been gathered, or null. */
  take(): BulkStep[] | null {
    if (this.#steps.length === 0) return null;
    const steps = this.#steps;
    this.#steps = [];
    this.#names = new Set();
    this.#ops = 0;
    this.#bytes = 0;
    return steps;
  }
}

function weigh(change: BulkChange): number {
  const valueBytes = change.put?.value?.length ?? 0;
  return 3 * change.key.length + valueBytes + CHANGE_OVERHEAD_BYTES;
}

/** Does all of it if every key is as expected, and otherwise tells how each one is. */
export function toTxn(changes: readonly BulkChange[]): Partial<TxnRequest> {
  return {
    compare: changes.map(({ key, expectModRevision }) => ({
      ...Compare.create(),
      key,
      target: Compare_CompareTarget.MOD,
      result: Compare_CompareResult.EQUAL,
      targetUnion: { $case: 'modRevision', value: BigInt(expectModRevision) },
    })),
    success: changes.map(toOp),
    failure: changes.map(({ key }) => ({
      request: {
        $case: 'requestRange',
        value: { ...RangeRequest.create(), key, keysOnly: true },
      },
    })),
  };
}

function toOp({ key, put }: BulkChange): RequestOp {
  if (put === null) {
    const value = { ...DeleteRangeRequest.create(), key };
    return { request: { $case: 'requestDeleteRange', value } };
  }
  const value: PutRequest = {
    ...PutRequest.create(),
    key,
    value: put.value ?? Buffer.alloc(0),
    ignoreValue: put.value === null,
    lease: put.lease ?? 0n,
    ignoreLease: put.lease === null,
  };
  return { request: { $case: 'requestPut', value } };
}
