/** What is done to keys, as data: from it the same can be said for etcdctl and in TypeScript. */
export type KeyAction =
  | { kind: 'get'; key: Uint8Array; prefix?: boolean; revision?: number; keysOnly?: boolean }
  | {
      kind: 'put';
      key: Uint8Array;
      value: Uint8Array;
      /** In hex. */
      lease?: string;
      /** Keeps the lease that the key has. */
      ignoreLease?: boolean;
    }
  | { kind: 'delete'; key: Uint8Array; prefix?: boolean }
  | { kind: 'watch'; key: Uint8Array; prefix?: boolean; startRevision?: number }
  | Transaction;

export type KeyOperation = Exclude<KeyAction, { kind: 'watch' } | { kind: 'txn' }>;

export interface Transaction {
  kind: 'txn';
  compare: readonly Comparison[];
  success: readonly KeyOperation[];
  failure: readonly KeyOperation[];
}

export interface Comparison {
  key: Uint8Array;
  /** etcd's targets; a mod revision of 0 says that the key is not there. */
  target: 'mod' | 'create' | 'version' | 'value';
  operator: '=' | '!=' | '<' | '>';
  value: number | Uint8Array;
}

/** A put only if the key is still at this mod revision; 0: only if it is not there. */
export function putIf(
  key: Uint8Array,
  value: Uint8Array,
  modRevision: number,
  options: { lease?: string; ignoreLease?: boolean } = {},
): Transaction {
  return {
    kind: 'txn',
    compare: [{ key, target: 'mod', operator: '=', value: modRevision }],
    success: [{ kind: 'put', key, value, ...options }],
    failure: [],
  };
}

/** A deletion only if the key is still at this mod revision. */
export function deleteIf(key: Uint8Array, modRevision: number): Transaction {
  return {
    kind: 'txn',
    compare: [{ key, target: 'mod', operator: '=', value: modRevision }],
    success: [{ kind: 'delete', key }],
    failure: [],
  };
}
