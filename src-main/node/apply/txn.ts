import { assert } from '../../base/assert.ts';
import type {
  RangeRequest,
  RequestOp,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from '../../proto/etcd/rpc.ts';
import { isOpenEnd, keyRangeOf, rangeContains } from '../mvcc/key-range.ts';
import type { KvState } from '../mvcc/kv-state.ts';
import { checkReadRevision, rangeKeys } from '../mvcc/range.ts';
import type { KeyRange } from '../mvcc/types.ts';
import { compareHolds } from './compare.ts';
import type { ApplyContext } from './context.ts';
import { applyDeleteRange } from './delete-range.ts';
import { nodeError } from './errors.ts';
import { checkTxnPut, put } from './put.ts';
import { checkWrites } from './txn-check.ts';

const READ_ONLY = 'a transaction that only reads has a write';

/** Which branch a transaction takes, and those nested in the branch, in order. */
interface Plan {
  succeeded: boolean;
  ops: PlannedOp[];
}

interface PlannedOp {
  op: RequestOp;
  /** Set for a nested transaction. */
  nested: Plan | undefined;
}

/**
 * A transaction takes one main revision, or none if it writes nothing. As in etcd, all compares,
 * nested ones too, look at the state before the first write, and everything that can fail is
 * checked along the chosen path before it: first the puts, then the revisions that are read.
 */
export function applyTxn(context: ApplyContext, request: TxnRequest): TxnResponse {
  checkWrites(request);
  const plan = planOf(context.kv, request);
  checkPuts(context, plan);
  checkReads(context.kv, plan);
  return execute(plan, context.kv, context);
}

/**
 * A put that keeps the old value may find its key deleted by an operation before it, where
 * `checkWrites` overlooks the two. etcd's members crash on it; here it is refused.
 */
function checkPuts(context: ApplyContext, plan: Plan): void {
  const deleted: KeyRange[] = [];
  forEachOp(plan, ({ request }) => {
    if (request?.$case === 'requestDeleteRange') {
      const range = keyRangeOf(request.value.key, request.value.rangeEnd);
      if (isOpenEnd(range.end)) deleted.push(range);
    }
    if (request?.$case !== 'requestPut') return;
    const { key, ignoreValue, ignoreLease } = request.value;
    checkTxnPut(context, request.value);
    if (!ignoreValue && !ignoreLease) return;
    if (deleted.some((range) => rangeContains(range, key))) throw nodeError('KeyNotFound');
  });
}

/** One that only compares and reads, served from the state as it is. Throws NodeError. */
export function readTxn(kv: KvState, request: TxnRequest): TxnResponse {
  const plan = planOf(kv, request);
  checkReads(kv, plan);
  return execute(plan, kv, undefined);
}

/** Whether a put stands anywhere in it: what a state without space refuses. */
export function hasPut({ success, failure }: TxnRequest): boolean {
  const puts = ({ request }: RequestOp): boolean =>
    request?.$case === 'requestPut' || (request?.$case === 'requestTxn' && hasPut(request.value));
  return success.some(puts) || failure.some(puts);
}

function planOf(kv: KvState, request: TxnRequest): Plan {
  const succeeded = request.compare.every((compare) => compareHolds(kv, compare));
  const ops = (succeeded ? request.success : request.failure).map((op) => {
    const inner = op.request;
    return { op, nested: inner?.$case === 'requestTxn' ? planOf(kv, inner.value) : undefined };
  });
  return { succeeded, ops };
}

function forEachOp(plan: Plan, visit: (op: RequestOp) => void): void {
  for (const { op, nested } of plan.ops) {
    if (nested === undefined) visit(op);
    else forEachOp(nested, visit);
  }
}

function checkReads(kv: KvState, plan: Plan): void {
  forEachOp(plan, (op) => {
    if (op.request?.$case === 'requestRange') checkTxnRead(kv, op.request.value);
  });
}

/**
 * etcd refuses a negative revision here as compacted if it is below the compact revision, -1 to
 * begin with, while a range alone takes it for head.
 */
function checkTxnRead(kv: KvState, { revision }: RangeRequest): void {
  if (revision < 0 && revision < kv.compactRevision) throw nodeError('Compacted');
  checkReadRevision(kv, revision);
}

/** `writer` is undefined for a transaction that may only read. */
function execute(plan: Plan, kv: KvState, writer: ApplyContext | undefined): TxnResponse {
  const responses = plan.ops.map((planned) => executeOp(planned, kv, writer));
  return { header: undefined, succeeded: plan.succeeded, responses };
}

function executeOp(
  { op: { request }, nested }: PlannedOp,
  kv: KvState,
  writer: ApplyContext | undefined,
): ResponseOp {
  switch (request?.$case) {
    case 'requestRange': {
      const value = rangeKeys(kv, request.value);
      return { response: { $case: 'responseRange', value } };
    }
    case 'requestPut': {
      assert(writer !== undefined, READ_ONLY);
      const value = put(writer, request.value);
      return { response: { $case: 'responsePut', value } };
    }
    case 'requestDeleteRange': {
      assert(writer !== undefined, READ_ONLY);
      const value = applyDeleteRange(writer, request.value);
      return { response: { $case: 'responseDeleteRange', value } };
    }
    case 'requestTxn': {
      const value = execute(nested as Plan, kv, writer);
      return { response: { $case: 'responseTxn', value } };
    }
    case undefined:
      return { response: undefined };
  }
}
