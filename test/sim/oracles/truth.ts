import type {
  AppliedWrite,
  History,
  KeyValue,
  KvOperation,
  WatchItem,
  WatchStream,
} from '../history.ts';
import { writersOfDeletions } from './deletions.ts';
import { type Effect, effectsOf, inRange, isKv, leaseId, possibleEffects } from './effects.ts';
import { type Held, type KeyState, meet } from './key-model.ts';

/** What a key held at a revision, with its lease; 'any' where the history does not tell. */
export type KeyTruth = (Held & { lease: string | undefined }) | 'absent' | 'any';

/** All that is known of one revision. */
export interface Revision {
  revision: number;
  effects: Effect[];
  /** The key-values of a watch, for what no answer tells. */
  watched: Map<string, KeyValue>;
  /** Who wrote it: by its answer, or because nobody else could have. */
  writer: KvOperation | undefined;
  /** A lease that went took the keys with it. */
  lease: string | undefined;
  /** When a member applied it; undefined if that was not recorded. */
  appliedMs?: number;
  /** It had no other effects than these. */
  isComplete: boolean;
}

/**
 * The one order of all writes as the history tells it: answers first, then the ends of leases, then what members
 * applied, if that was recorded, then watches for what is still not known. Reads are judged by it and add nothing to it.
 */
export class Truth {
  readonly revisions = new Map<number, Revision>();
  /** Highest revision that anything speaks of. */
  readonly lastRevision: number;
  /** Answered writes that claim a revision that another one has. */
  readonly rivals: { operation: KvOperation; revision: number }[] = [];
  /** Answered writes, and ends of leases, whose members applied something else: what they applied. */
  readonly untrue: { entry: Revision; applied: Effect[] }[] = [];
  /** Deletions that were applied, and that none of those without an answer can have asked for. */
  readonly orphans: Revision[] = [];
  /** The members' own history tells of every revision: what has no revision there never took effect. */
  readonly isExact: boolean;
  readonly #timelines = new Map<string, { from: number; state: KeyTruth }[]>();

  /** Keys that anything in the history may have written. */
  readonly #named = new Set<string>();
  /** Those that may be attached to a lease, so that they may go without anybody deleting them. */
  readonly #leased = new Set<string>();
  /** Those that a transaction without an answer may have deleted. */
  readonly #deletedInTxn = new Set<string>();

  constructor(history: History) {
    const operations = history.operations.filter(isKv);
    for (const { key, lease } of operations.flatMap(possibleEffects)) {
      this.#named.add(key);
      if (lease !== '0') this.#leased.add(key);
    }
    this.#claim(operations);
    this.#takeLeases(history);
    this.#takeApplied(history.writes ?? []);
    this.#takeWatches(history.watches);
    this.#attribute(operations);
    this.lastRevision = lastRevision(history, this.revisions);
    this.isExact = history.writes !== undefined && this.isComplete;
    if (!this.isExact) this.#attributeDeletions(operations);
    this.#replay(operations, history);
    if (!this.isExact) return;
    const { writers, orphans } = writersOfDeletions(this, operations);
    for (const [entry, writer] of writers) entry.writer = writer;
    this.orphans.push(...orphans);
  }

  /** All that is known of the key after `revision` was applied. */
  stateAt(key: string, revision: number): KeyTruth {
    const timeline = this.#timelines.get(key);
    if (timeline === undefined) return 'absent';
    let low = 0;
    let high = timeline.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((timeline[middle]?.from as number) <= revision) low = middle + 1;
      else high = middle;
    }
    return timeline[low - 1]?.state ?? 'absent';
  }

  /** Revisions from which on the key may have been another. */
  changesOf(key: string): number[] {
    return (this.#timelines.get(key) ?? []).map(({ from }) => from);
  }

  get keys(): string[] {
    return [...this.#timelines.keys()];
  }

  /** Nothing of the writes up to here is unknown. */
  get isComplete(): boolean {
    for (let at = 2; at <= this.lastRevision; at++) {
      if (this.revisions.get(at)?.isComplete !== true) return false;
    }
    return true;
  }

  /** A watch of every key that there is: what it does not tell did not happen. */
  seesAll({ spec }: WatchStream): boolean {
    if (spec.noPut || spec.noDelete) return false;
    for (const key of this.#named) if (!inRange(key, spec.key, spec.end)) return false;
    return true;
  }

  /** Whether a deletion of the key that took effect shows among the revisions as that and no other's. */
  isDeletionTold(key: string): boolean {
    return !this.#leased.has(key) && !this.#deletedInTxn.has(key);
  }

  #entry(revision: number): Revision {
    const known = this.revisions.get(revision);
    if (known !== undefined) return known;
    const rest = { watched: new Map(), writer: undefined, lease: undefined, isComplete: false };
    const entry: Revision = { revision, effects: [], ...rest };
    this.revisions.set(revision, entry);
    return entry;
  }

  #claim(operations: readonly KvOperation[]): void {
    for (const operation of operations) {
      const effects = effectsOf(operation);
      if (!operation.outcome.ok || effects.length === 0) continue;
      const { revision } = operation.outcome.output;
      const entry = this.#entry(revision);
      if (entry.writer !== undefined) {
        this.rivals.push({ operation, revision });
        continue;
      }
      entry.writer = operation;
      entry.effects = effects;
      entry.isComplete = true;
    }
  }

  #takeLeases(history: History): void {
    for (const { kind, lease, keys, revision } of history.leases) {
      if (kind === 'granted' || keys.length === 0) continue;
      const entry = this.#entry(revision);
      if (entry.writer !== undefined) continue;
      entry.lease = leaseId(lease);
      entry.effects = keys.map((key) => ({ type: 'delete', key, value: '', lease: '0' }));
      entry.isComplete = true;
    }
  }

  #takeApplied(writes: readonly AppliedWrite[]): void {
    for (const { atMs, revision, effects } of writes) {
      const entry = this.#entry(revision);
      entry.appliedMs = atMs;
      const applied = effects.map((effect) => ({ ...effect, lease: leaseId(effect.lease) }));
      if (!entry.isComplete) entry.effects = applied;
      else if (!isSame(entry.effects, applied)) this.untrue.push({ entry, applied });
      entry.isComplete = true;
    }
  }

  #takeWatches(watches: readonly WatchStream[]): void {
    const byCover = [...watches].sort((a, b) => Number(this.seesAll(b)) - Number(this.seesAll(a)));
    for (const watch of byCover) {
      const whole = this.seesAll(watch);
      for (const item of watch.items) if (item.kind === 'events') this.#takeEvents(item, whole);
    }
  }

  #takeEvents(item: Extract<WatchItem, { kind: 'events' }>, whole: boolean): void {
    const told = new Set<Revision>();
    for (const { type, kv } of item.events) {
      const entry = this.#entry(kv.modRevision);
      const isKnown = entry.effects.some(({ key }) => key === kv.key);
      if (!isKnown && !entry.isComplete) {
        entry.effects.push({ type, key: kv.key, value: kv.value, lease: leaseId(kv.lease) });
      }
      if (!entry.watched.has(kv.key)) entry.watched.set(kv.key, kv);
      told.add(entry);
    }
    if (whole) for (const entry of told) entry.isComplete = true;
  }

  /** Finds who wrote what no answer claims: the one operation without an answer that could have. */
  #attribute(operations: readonly KvOperation[]): void {
    const byEffect = new Map<string, KvOperation[]>();
    for (const operation of operations) {
      if (operation.outcome.ok || operation.outcome.error === 'definite') continue;
      for (const effect of possibleEffects(operation)) {
        const name = effectName(effect);
        byEffect.set(name, [...(byEffect.get(name) ?? []), operation]);
      }
    }
    for (const entry of this.revisions.values()) {
      if (entry.writer !== undefined || entry.lease !== undefined) continue;
      const [first, ...others] = entry.effects.map((effect) => byEffect.get(effectName(effect)));
      const candidates = new Set(first?.filter((one) => others.every((all) => all?.includes(one))));
      const hasPut = entry.effects.some(({ type }) => type === 'put');
      // A deletion may also be the end of a lease; a value was put by nobody but its writer.
      if (hasPut && candidates.size === 1) entry.writer = [...candidates][0];
    }
  }

  /**
   * Deletions without an answer are all alike but for when they were asked for: the first that was asked for made
   * the first revision. If any assignment to the revisions is possible, this one is.
   */
  #attributeDeletions(operations: readonly KvOperation[]): void {
    const lostOf = new Map<string, KvOperation[]>();
    for (const operation of operations) {
      const { kind, outcome, key } = operation;
      if (outcome.ok || outcome.error === 'definite') continue;
      if (kind === 'delete') lostOf.set(key, [...(lostOf.get(key) ?? []), operation]);
      else
        for (const effect of possibleEffects(operation)) {
          if (effect.type === 'delete') this.#deletedInTxn.add(effect.key);
        }
    }
    // A transaction may be the one that deleted it: then nobody can tell.
    for (const key of this.#deletedInTxn) lostOf.delete(key);
    for (const lost of lostOf.values()) lost.sort((a, b) => b.invokedMs - a.invokedMs);
    const revisions = [...this.revisions.values()].sort((a, b) => a.revision - b.revision);
    for (const entry of revisions) {
      const [effect, ...others] = entry.effects;
      if (entry.writer !== undefined || effect?.type !== 'delete' || others.length > 0) continue;
      if (!entry.isComplete || this.#leased.has(effect.key)) continue;
      entry.writer = lostOf.get(effect.key)?.pop();
    }
  }

  #replay(operations: readonly KvOperation[], history: History): void {
    const uncertain = uncertainKeys(operations, history);
    for (let at = 2; at <= this.lastRevision; at++) {
      const entry = this.revisions.get(at);
      const told = new Set(entry?.effects.map(({ key }) => key));
      if (entry?.isComplete !== true) {
        for (const key of uncertain) if (!told.has(key)) this.#push(key, at, 'any');
      }
      for (const effect of entry?.effects ?? []) this.#apply(effect, entry as Revision);
    }
  }

  #apply(effect: Effect, { revision, watched, writer }: Revision): void {
    const { key, type, value, lease } = effect;
    if (type === 'delete') {
      this.#push(key, revision, 'absent');
      return;
    }
    const before = this.stateAt(key, revision - 1);
    const after: Held & { lease: string | undefined } =
      typeof before === 'string'
        ? { value, mod: revision, create: undefined, version: undefined, lease }
        : { ...before, value, mod: revision, version: next(before.version), lease };
    if (before === 'absent') Object.assign(after, { create: revision, version: 1 });
    const seen = watched.get(key);
    if (before === 'any' && seen !== undefined && writer === undefined) {
      after.create = seen.createRevision;
      after.version = seen.version;
    }
    this.#push(key, revision, after);
  }

  #push(key: string, from: number, state: KeyTruth): void {
    const timeline = this.#timelines.get(key) ?? [];
    const last = timeline.at(-1);
    if (state === 'any' && last?.state === 'any') return;
    timeline.push({ from, state });
    this.#timelines.set(key, timeline);
  }
}

const next = (version: number | undefined) => (version === undefined ? undefined : version + 1);
const isSame = (some: readonly Effect[], others: readonly Effect[]) =>
  some.map(wholeName).sort().join('\n') === others.map(wholeName).sort().join('\n');
const wholeName = (effect: Effect) => `${effectName(effect)}\n${effect.lease}`;
const effectName = ({ type, key, value }: Effect) => `${type} ${key}\n${value}`;

/** Keys that something without an answer may have changed: a write, or a lease. */
function uncertainKeys(operations: readonly KvOperation[], history: History): Set<string> {
  const keys = new Set<string>();
  for (const operation of operations) {
    const isLost = !operation.outcome.ok && operation.outcome.error === 'unknown';
    for (const { key, lease } of possibleEffects(operation)) {
      if (isLost || lease !== '0') keys.add(key);
    }
  }
  for (const watch of history.watches) {
    for (const item of watch.items) {
      if (item.kind !== 'events') continue;
      for (const { kv } of item.events) if (leaseId(kv.lease) !== '0') keys.add(kv.key);
    }
  }
  return keys;
}

function lastRevision(history: History, revisions: ReadonlyMap<number, Revision>): number {
  let last = history.final?.revision ?? 1;
  for (const revision of revisions.keys()) last = Math.max(last, revision);
  for (const { outcome } of history.operations) {
    if (outcome.ok) last = Math.max(last, outcome.output.revision);
  }
  return last;
}

/** Whether an answer shows what the key held. What is not known of it is not held against the answer. */
export function agrees(state: KeyTruth, kv: KeyValue | undefined): boolean {
  if (state === 'any') return true;
  if (state === 'absent' || kv === undefined) return state === 'absent' && kv === undefined;
  if (state.lease !== undefined && state.lease !== leaseId(kv.lease)) return false;
  return meet(state, shown(kv)) !== undefined;
}

export function shown(kv: KeyValue | undefined): KeyState {
  if (kv === undefined) return 'absent';
  const { value, modRevision: mod, createRevision: create, version } = kv;
  return { value, mod, create, version };
}

/** Every key of [start, end) that holds something, or may, at the revision. */
export function keysAt(truth: Truth, start: string, end: string, revision: number): string[] {
  return truth.keys.filter(
    (key) => inRange(key, start, end) && truth.stateAt(key, revision) !== 'absent',
  );
}
