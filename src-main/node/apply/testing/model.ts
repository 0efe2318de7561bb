import type { KeyValue } from '../../../proto/etcd/kv.ts';
import {
  type Compare,
  RangeRequest_SortOrder as Order,
  type RangeRequest,
  type RequestOp,
  Compare_CompareResult as Result,
  RangeRequest_SortTarget as SortTarget,
  Compare_CompareTarget as Target,
  type TxnRequest,
} from '../../../proto/etcd/rpc.ts';
import { text } from './machine.ts';

export interface ModelKv {
  key: string;
  create: number;
  mod: number;
  version: number;
  value: string;
  lease: bigint;
}

export interface ModelEvent {
  revision: number;
  key: string;
  /** undefined for a deletion. */
  kv: ModelKv | undefined;
  /** The key before the revision. */
  previous: ModelKv | undefined;
}

export function plain(kv: KeyValue): ModelKv {
  return {
    key: text(kv.key),
    create: kv.createRevision,
    mod: kv.modRevision,
    version: kv.version,
    value: text(kv.value),
    lease: kv.lease,
  };
}

/** Byte order of keys that hold one character per byte. */
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** etcd's state, written as plainly as can be: every revision's whole key space is kept. */
export class Model {
  revision = 1;
  compactRevision = 0;
  readonly states: Map<string, ModelKv>[] = [new Map(), new Map()];
  readonly events: ModelEvent[] = [];
  readonly leases = new Set<bigint>();
  #working: Map<string, ModelKv> | undefined;

  get current(): Map<string, ModelKv> {
    return this.#working ?? (this.states[this.revision] as Map<string, ModelKv>);
  }

  inRange(key: string, end: string, candidate: string): boolean {
    if (end === '') return candidate === key;
    return candidate >= key && (end === '\0' || candidate < end);
  }

  keysIn(key: string, end: string, state = this.current): ModelKv[] {
    return [...state.values()]
      .filter((kv) => this.inRange(key, end, kv.key))
      .sort((a, b) => order(a.key, b.key));
  }

  put(key: string, value: string, lease: bigint): void {
    const old = this.current.get(key);
    const mod = this.revision + 1;
    const kv = {
      key,
      value,
      lease,
      mod,
      create: old?.create ?? mod,
      version: (old?.version ?? 0) + 1,
    };
    this.#change(key, kv);
  }

  delete(key: string, end: string): ModelKv[] {
    const gone = this.keysIn(key, end);
    for (const kv of gone) this.#change(kv.key, undefined);
    return gone;
  }

  /** Ends a request: its changes, if any, are one revision. */
  commit(): void {
    if (this.#working === undefined) return;
    this.states.push(this.#working);
    this.#working = undefined;
    this.revision++;
  }

  revoke(lease: bigint): void {
    const attached = [...this.current.values()].filter((kv) => kv.lease === lease);
    for (const kv of attached.sort((a, b) => order(a.key, b.key))) this.#change(kv.key, undefined);
    this.leases.delete(lease);
  }

  /** Which operations run, in order, nested ones in their place. */
  chosen(request: TxnRequest): RequestOp[] {
    const holds = request.compare.every((compare) => this.#holds(compare));
    return (holds ? request.success : request.failure).flatMap((op) =>
      op.request?.$case === 'requestTxn' ? this.chosen(op.request.value) : [op],
    );
  }

  /** etcd's Range as it is written there: fetch, filter, sort, cut. */
  range(request: RangeRequest): { kvs: ModelKv[]; count: number; more: boolean } {
    const revision = Math.max(request.revision, 0);
    const state = revision === 0 ? this.current : (this.states[revision] as Map<string, ModelKv>);
    const all = this.keysIn(text(request.key), text(request.rangeEnd), state);
    const count = all.length;
    if (request.countOnly) return { kvs: [], count, more: false };
    const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
    const filters = minModRevision + maxModRevision + minCreateRevision + maxCreateRevision > 0;
    const fetchAll = request.sortOrder !== Order.NONE || filters || request.limit <= 0;
    let kvs = fetchAll ? all : all.slice(0, request.limit + 1);
    kvs = kvs.filter(
      ({ mod, create }) =>
        (maxModRevision === 0 || mod <= maxModRevision) &&
        (minModRevision === 0 || mod >= minModRevision) &&
        (maxCreateRevision === 0 || create <= maxCreateRevision) &&
        (minCreateRevision === 0 || create >= minCreateRevision),
    );
    kvs = [...kvs].sort(comparison(request));
    const more = request.limit > 0 && kvs.length > request.limit;
    if (more) kvs = kvs.slice(0, request.limit);
    if (request.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: '' }));
    return { kvs, count, more };
  }

  #change(key: string, kv: ModelKv | undefined): void {
    this.#working ??= new Map(this.current);
    if (kv === undefined) this.#working.delete(key);
    else this.#working.set(key, kv);
    const previous = this.states[this.revision]?.get(key);
    this.events.push({ revision: this.revision + 1, key, kv, previous });
  }

  #holds(compare: Compare): boolean {
    const kvs = this.keysIn(text(compare.key), text(compare.rangeEnd));
    if (kvs.length === 0) return compare.target !== Target.VALUE && holdsFor(compare, undefined);
    return kvs.every((kv) => holdsFor(compare, kv));
  }
}

function holdsFor({ target, result, targetUnion }: Compare, kv: ModelKv | undefined): boolean {
  const actual = {
    [Target.VERSION]: BigInt(kv?.version ?? 0),
    [Target.CREATE]: BigInt(kv?.create ?? 0),
    [Target.MOD]: BigInt(kv?.mod ?? 0),
    [Target.LEASE]: kv?.lease ?? 0n,
    [Target.VALUE]: kv?.value ?? '',
  }[target];
  const raw = targetUnion?.value;
  const wanted = typeof raw === 'bigint' ? raw : text(raw as Buffer);
  switch (result) {
    case Result.EQUAL:
      return actual === wanted;
    case Result.NOT_EQUAL:
      return actual !== wanted;
    case Result.GREATER:
      return actual > wanted;
    default:
      return actual < wanted;
  }
}

function comparison({ sortTarget, sortOrder }: RangeRequest): (a: ModelKv, b: ModelKv) => number {
  const sign = sortOrder === Order.DESCEND ? -1 : 1;
  return (a, b) => {
    switch (sortTarget) {
      case SortTarget.VERSION:
        return sign * (a.version - b.version);
      case SortTarget.CREATE:
        return sign * (a.create - b.create);
      case SortTarget.MOD:
        return sign * (a.mod - b.mod);
      case SortTarget.VALUE:
        return sign * order(a.value, b.value);
      default:
        return sign * order(a.key, b.key);
    }
  };
}
