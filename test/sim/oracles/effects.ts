import type { KvOperation, Operation, TxnStep, TxnStepOutput } from '../history.ts';

/** What a write does to one key. `lease` is '0' for none and for deletions. */
export interface Effect {
  type: 'put' | 'delete';
  key: string;
  value: string;
  lease: string;
}

const KV_KINDS = new Set(['put', 'get', 'delete', 'cas', 'append', 'txn', 'range']);

export function isKv(operation: Operation): operation is KvOperation {
  return KV_KINDS.has(operation.kind);
}

/** It reads, and other than a linearizable read may lag behind. */
export function isSerializable(operation: KvOperation): boolean {
  return (operation.kind === 'get' || operation.kind === 'range') && operation.input.serializable;
}

/** The revision that it read: its header's unless it asked for one of the past. */
export function readRevision(asked: number, header: number): number {
  return asked === 0 ? header : asked;
}

/** What an answered operation wrote, at the revision of its answer; empty if it wrote nothing. */
export function effectsOf(operation: KvOperation): Effect[] {
  const { key, outcome } = operation;
  if (!outcome.ok) return [];
  switch (operation.kind) {
    case 'put':
      return [put(key, operation.input.value, operation.input.lease)];
    case 'delete':
      return operation.outcome.ok && operation.outcome.output.deleted > 0 ? [deletion(key)] : [];
    case 'cas':
    case 'append': {
      const succeeded = operation.outcome.ok && operation.outcome.output.succeeded;
      return succeeded ? [put(key, operation.input.value, '0')] : [];
    }
    case 'txn': {
      if (!operation.outcome.ok) return [];
      const { succeeded, steps } = operation.outcome.output;
      const ran = succeeded ? operation.input.success : operation.input.failure;
      return ran.flatMap((step, i) => stepEffect(step, steps[i]));
    }
    default:
      return [];
  }
}

/** Whatever it may write if it takes effect: of a transaction both branches. */
export function possibleEffects(operation: KvOperation): Effect[] {
  const { key } = operation;
  switch (operation.kind) {
    case 'put':
      return [put(key, operation.input.value, operation.input.lease)];
    case 'delete':
      return [deletion(key)];
    case 'cas':
    case 'append':
      return [put(key, operation.input.value, '0')];
    case 'txn':
      return [...operation.input.success, ...operation.input.failure].flatMap((step) =>
        stepEffect(step, undefined),
      );
    default:
      return [];
  }
}

function stepEffect(step: TxnStep, output: TxnStepOutput | undefined): Effect[] {
  if (step.kind === 'put') return [put(step.key, step.value, step.lease)];
  if (step.kind === 'get') return [];
  return output?.kind === 'delete' && output.deleted === 0 ? [] : [deletion(step.key)];
}

const put = (key: string, value: string, lease: string): Effect => ({
  type: 'put',
  key,
  value,
  lease: leaseId(lease),
});
const deletion = (key: string): Effect => ({ type: 'delete', key, value: '', lease: '0' });

/** One way to write a lease's id: clients pad it with zeros, answers may not. */
export function leaseId(hex: string): string {
  return hex.replace(/^0+(?=.)/, '');
}

/** Whether [start, end) holds the key; end '' is the one key, '\0' the rest of the key space. */
export function inRange(key: string, start: string, end: string): boolean {
  if (end === '') return key === start;
  return key >= start && (end === '\0' || key < end);
}
