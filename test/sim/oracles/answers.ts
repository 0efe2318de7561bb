import type { KeyValue, KvOperation } from '../history.ts';
import { describeKv } from './describe.ts';
import { effectsOf, readRevision } from './effects.ts';
import { guardHolds, type KeyState, stepKey } from './key-model.ts';
import { keyOpsOf, modIs } from './key-ops.ts';
import { agrees, type KeyTruth, keysAt, type Truth } from './truth.ts';

/** What an answer says that the state at its revision contradicts; undefined if it is right. */
export function wrongAnswer(operation: KvOperation, truth: Truth): string | undefined {
  if (!operation.outcome.ok) return undefined;
  const { revision } = operation.outcome.output;
  const wrote = effectsOf(operation).length > 0;
  if (revision < (wrote ? 2 : 1)) return 'an empty store is at revision 1';
  if (operation.kind === 'get' || operation.kind === 'range') {
    return wrongRead(operation, truth, readRevision(operation.input.revision, revision));
  }
  const base = wrote ? revision - 1 : revision;
  for (const [key, op] of keyOpsOf(operation, [])) {
    const state = truth.stateAt(key, base);
    if (stepKey(state, op).length === 0) {
      return `it cannot answer so where ${name(key)} holds ${describeState(state)} at revision ${base}`;
    }
  }
  return (
    wrongBranch(operation, truth, base) ??
    wrongPast(operation, truth) ??
    wrongLease(operation, truth, base)
  );
}

/** A transaction may read an old revision beside what it does. */
function wrongPast(operation: KvOperation, truth: Truth): string | undefined {
  if (operation.kind !== 'txn' || !operation.outcome.ok) return undefined;
  const { succeeded, steps } = operation.outcome.output;
  const ran = succeeded ? operation.input.success : operation.input.failure;
  for (const [i, step] of ran.entries()) {
    const output = steps[i];
    if (step.kind !== 'get' || output?.kind !== 'get' || (step.revision ?? 0) === 0) continue;
    const wrong = mismatch(step.key, output.kv, truth, step.revision ?? 0);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** Why a read cannot come from the state at `revision`. */
export function wrongRead(
  operation: Extract<KvOperation, { kind: 'get' | 'range' }>,
  truth: Truth,
  revision: number,
): string | undefined {
  if (!operation.outcome.ok) return undefined;
  if (operation.kind === 'get') {
    return mismatch(operation.key, operation.outcome.output.kv, truth, revision);
  }
  const { kvs, count } = operation.outcome.output;
  if (count !== kvs.length) return `it counts ${count} and shows ${kvs.length}`;
  const rows = new Map(kvs.map((kv) => [kv.key, kv]));
  if (rows.size !== kvs.length) return 'it shows a key twice';
  if (kvs.some((kv, i) => i > 0 && kv.key <= (kvs[i - 1] as KeyValue).key)) {
    return 'its rows are not in the order of their keys';
  }
  const held = keysAt(truth, operation.key, operation.input.end, revision);
  for (const key of new Set([...held, ...rows.keys()])) {
    const wrong = mismatch(key, rows.get(key), truth, revision);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** With several keys compared, a failure needs one that differs: only all keys together tell. */
function wrongBranch(operation: KvOperation, truth: Truth, base: number): string | undefined {
  if (operation.kind !== 'txn' || !operation.outcome.ok) return undefined;
  const { succeeded } = operation.outcome.output;
  const holds = operation.input.compares.map(({ key, modRevision }) =>
    guardHolds(truth.stateAt(key, base), modIs(modRevision)),
  );
  if (succeeded || !holds.every((one) => one === true)) return undefined;
  return `it failed although every compare holds at revision ${base}`;
}

function wrongLease(operation: KvOperation, truth: Truth, base: number): string | undefined {
  if (!operation.outcome.ok) return undefined;
  if (operation.kind === 'cas' || operation.kind === 'append') {
    const { kv, succeeded } = operation.outcome.output;
    return succeeded ? undefined : mismatch(operation.key, kv, truth, base);
  }
  return undefined;
}

function mismatch(
  key: string,
  kv: KeyValue | undefined,
  truth: Truth,
  revision: number,
): string | undefined {
  const state = truth.stateAt(key, revision);
  if (kv !== undefined && kv.key !== key) return `it shows ${name(kv.key)} for ${name(key)}`;
  if (kv !== undefined && kv.modRevision > revision) {
    return `${name(key)} was modified at ${kv.modRevision}, after the revision read, ${revision}`;
  }
  if (agrees(state, kv)) return undefined;
  return `${name(key)} holds ${describeState(state)} at revision ${revision}, not ${describeKv(kv)}`;
}

const name = (key: string) => JSON.stringify(key);

export function describeState(state: KeyTruth | KeyState): string {
  if (typeof state === 'string') return state === 'absent' ? 'nothing' : 'something';
  const { value, create, mod, version } = state;
  return describeKv({
    key: '',
    value,
    createRevision: create ?? Number.NaN,
    modRevision: mod ?? Number.NaN,
    version: version ?? Number.NaN,
    lease: 'lease' in state ? (state.lease ?? '?') : '0',
  });
}
