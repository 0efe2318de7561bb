import type { KeyValue, KvOperation, Txn, TxnStep, TxnStepOutput } from '../history.ts';
import { inRange } from './effects.ts';
import type { Action, Guard, KeyOp, KeyState } from './key-model.ts';
import { shown } from './truth.ts';

const PLAIN = { guards: [], foreignGuards: false, failure: [] };

/**
 * What the operation does to each key, with what its answer says about it. A range touches every one of `keys` that
 * it spans, because it also says what is not there.
 */
export function keyOpsOf(operation: KvOperation, keys: Iterable<string>): Map<string, KeyOp> {
  const { key, outcome } = operation;
  const revision = outcome.ok ? outcome.output.revision : undefined;
  const succeeded = outcome.ok ? true : undefined;
  const plain = (action: Action): Map<string, KeyOp> =>
    new Map([[key, { ...PLAIN, succeeded, revision, success: [action] }]]);
  switch (operation.kind) {
    case 'put':
      return plain({ kind: 'put', value: operation.input.value });
    case 'get':
      return plain({ kind: 'get', answer: answer(operation.outcome) });
    case 'delete': {
      const deleted = operation.outcome.ok ? operation.outcome.output.deleted > 0 : undefined;
      return plain({ kind: 'delete', deleted });
    }
    case 'cas':
    case 'append':
      return new Map([[key, casOp(operation)]]);
    case 'txn':
      return txnOps(operation);
    case 'range':
      return rangeOps(operation, keys);
  }
}

function answer(outcome: Extract<KvOperation, { kind: 'get' }>['outcome']): KeyState | undefined {
  return outcome.ok ? shown(outcome.output.kv) : undefined;
}

function casOp(operation: Extract<KvOperation, { kind: 'cas' | 'append' }>): KeyOp {
  const { input, outcome } = operation;
  return {
    guards: [modIs(input.expectedModRevision)],
    foreignGuards: false,
    succeeded: outcome.ok ? outcome.output.succeeded : undefined,
    revision: outcome.ok && outcome.output.succeeded ? outcome.output.revision : undefined,
    success: [{ kind: 'put', value: input.value }],
    failure: [{ kind: 'get', answer: outcome.ok ? shown(outcome.output.kv) : undefined }],
  };
}

export const modIs = (operand: number): Guard => ({ target: 'mod', is: '=', operand });

function txnOps(operation: Txn): Map<string, KeyOp> {
  const { compares, success, failure } = operation.input;
  const { outcome } = operation;
  const succeeded = outcome.ok ? outcome.output.succeeded : undefined;
  const steps = outcome.ok ? outcome.output.steps : [];
  const ops = new Map<string, KeyOp>();
  for (const { key } of [...compares, ...success, ...failure]) {
    const mine = compares.filter((compare) => compare.key === key);
    ops.set(key, {
      guards: mine.map(({ modRevision }) => modIs(modRevision)),
      foreignGuards: mine.length < compares.length,
      succeeded,
      revision: outcome.ok ? outcome.output.revision : undefined,
      success: actions(key, success, succeeded === true ? steps : []),
      failure: actions(key, failure, succeeded === false ? steps : []),
    });
  }
  return ops;
}

function actions(key: string, steps: readonly TxnStep[], outputs: TxnStepOutput[]): Action[] {
  return steps.flatMap((step, i): Action[] => {
    if (step.key !== key) return [];
    const output = outputs[i];
    if (step.kind === 'put') return [{ kind: 'put', value: step.value }];
    if (step.kind === 'delete') {
      const deleted = output?.kind === 'delete' ? output.deleted > 0 : undefined;
      return [{ kind: 'delete', deleted }];
    }
    // What it shows is of the past.
    if (step.revision !== undefined && step.revision > 0) return [];
    return [{ kind: 'get', answer: output?.kind === 'get' ? shown(output.kv) : undefined }];
  });
}

function rangeOps(
  operation: Extract<KvOperation, { kind: 'range' }>,
  keys: Iterable<string>,
): Map<string, KeyOp> {
  const ops = new Map<string, KeyOp>();
  const { key: start, input, outcome } = operation;
  if (!outcome.ok) return ops;
  const { revision, kvs } = outcome.output;
  const rows = new Map<string, KeyValue>(kvs.map((kv) => [kv.key, kv]));
  for (const key of new Set([...keys, ...rows.keys()])) {
    if (!inRange(key, start, input.end)) continue;
    const get: Action = { kind: 'get', answer: shown(rows.get(key)) };
    ops.set(key, { ...PLAIN, succeeded: true, revision, success: [get] });
  }
  return ops;
}
