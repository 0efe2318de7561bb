import { type Random, seededRandom } from '../../../../src-main/base/prng.ts';
import type {
  AppliedWrite,
  History,
  KeyValue,
  KvOperation,
  TxnStep,
  WatchedEvent,
  WatchItem,
  WatchStream,
} from '../../history.ts';
import { Store } from './store.ts';

export interface Shape {
  seed: number;
  operations: number;
  keys: number;
  clients: number;
  /** Of a hundred calls, how many end without an answer, half of which take effect. */
  unknownPercent: number;
  /** A watch of everything. */
  watched: boolean;
  /** What members applied is recorded. */
  applied?: boolean;
}

interface Planned {
  operation: KvOperation;
  effectMs: number | undefined;
}

/** What a correct register answers to clients that overlap, crash and lose answers. */
export function legalHistory(shape: Shape): { history: History; store: Store } {
  const random = seededRandom(shape.seed);
  const store = new Store();
  const operations: KvOperation[] = [];
  const freeAt = Array.from({ length: shape.clients }, (_, i) => i);
  const pending: Planned[] = [];
  const writes: AppliedWrite[] = [];
  const applyUntil = (atMs: number): void => {
    pending.sort((a, b) => (a.effectMs ?? 0) - (b.effectMs ?? 0));
    while (pending[0]?.effectMs !== undefined && pending[0].effectMs < atMs) {
      const { operation, effectMs = 0 } = pending.shift() as Planned;
      const before = store.events.length;
      const result = store.run(operation, laggedRevision(operation, store, random));
      if (operation.outcome.ok) operations[operation.id] = result;
      const effects = store.events.slice(before).map(({ type, kv }) => ({ type, ...effectOf(kv) }));
      if (effects.length > 0) writes.push({ atMs: effectMs, revision: store.revision, effects });
    }
  };
  for (let id = 0; id < shape.operations; id++) {
    const client = freeAt.indexOf(Math.min(...freeAt));
    const invokedMs = freeAt[client] as number;
    applyUntil(invokedMs);
    const planned = plan(id, client, invokedMs, shape, store, random);
    operations.push(planned.operation);
    freeAt[client] = planned.operation.returnedMs + 1 + random.below(10);
    if (planned.effectMs !== undefined) pending.push(planned);
  }
  applyUntil(Number.POSITIVE_INFINITY);
  const history = { ...emptyHistory(), seed: shape.seed, operations };
  if (shape.applied === true) history.writes = writes;
  if (shape.watched) history.watches = [watchOfAll(store)];
  return { history, store };
}

const effectOf = ({ key, value, lease }: KeyValue) => ({ key, value, lease });

function laggedRevision(operation: KvOperation, store: Store, random: Random): number {
  const lags = 'serializable' in operation.input && operation.input.serializable;
  return lags ? Math.max(1, store.revision - random.below(5)) : store.revision;
}

function plan(
  id: number,
  client: number,
  invokedMs: number,
  shape: Shape,
  store: Store,
  random: Random,
): Planned {
  const call = { id, client, member: `m${client % 3}`, invokedMs };
  const body = chooseBody(id, shape, store, random);
  const durationMs = 1 + random.below(30);
  const returnedMs = invokedMs + durationMs;
  const roll = random.below(100);
  if (roll < shape.unknownPercent) {
    const outcome = { ok: false, error: 'unknown', code: 'ClientTimeout' } as const;
    const late = invokedMs + 0.5 + random.below(100);
    const effectMs = roll % 2 === 0 ? late : undefined;
    return { operation: { ...call, ...body, returnedMs, outcome } as KvOperation, effectMs };
  }
  if (roll === 99) {
    const outcome = { ok: false, error: 'definite', code: 'NoLeader' } as const;
    const operation = { ...call, ...body, returnedMs, outcome } as KvOperation;
    return { operation, effectMs: undefined };
  }
  const outcome = { ok: true, output: {} };
  const effectMs = invokedMs + 0.5 + random.below(durationMs);
  return { operation: { ...call, ...body, returnedMs, outcome } as KvOperation, effectMs };
}

function chooseBody(id: number, shape: Shape, store: Store, random: Random): object {
  const pick = () => `k${String(random.below(shape.keys)).padStart(2, '0')}`;
  const key = pick();
  const value = `v${id}`;
  const known = () => store.at(key, Math.max(1, store.revision - random.below(2)));
  const expectedModRevision = known()?.modRevision ?? 0;
  const roll = random.below(20);
  if (roll < 6) return { kind: 'put', key, input: { value, lease: '0' } };
  if (roll < 11) return { kind: 'get', key, input: { serializable: roll === 10, revision: 0 } };
  if (roll < 13) return { kind: 'delete', key, input: {} };
  if (roll < 15) return { kind: 'cas', key, input: { expectedModRevision, value } };
  if (roll < 17) {
    const list = [known()?.value, value].filter(Boolean).join();
    return { kind: 'append', key, input: { item: value, expectedModRevision, value: list } };
  }
  if (roll < 18) {
    return {
      kind: 'range',
      key: 'k',
      input: { end: 'l', serializable: id % 2 === 0, revision: 0 },
    };
  }
  const other = pick();
  const steps = (list: TxnStep[]) => list.filter((s, i) => i === 0 || s.key !== list[0]?.key);
  const input = {
    compares: [
      { key, modRevision: expectedModRevision },
      { key: other, modRevision: store.at(other)?.modRevision ?? 0 },
    ],
    success: steps([
      { kind: 'put', key, value, lease: '0' },
      { kind: 'delete', key: other },
    ]),
    failure: steps([
      { kind: 'get', key },
      { kind: 'put', key: other, value: `${value}!`, lease: '0' },
    ]),
  };
  return { kind: 'txn', key: '', input };
}

export function emptyHistory(): History {
  const none = { operations: [], watches: [], leases: [], observations: [], logs: [], applied: [] };
  const limits = { quotaBytes: 1_000_000, electionTimeoutMs: 1_000, maxClockDrift: 0 };
  return { seed: 0, ...limits, ...none, faults: [], final: undefined };
}

/** The store's events as a watch with prevKv of [key, end) sees them, one response per revision. */
export function watchOf(store: Store, spec: Partial<WatchStream['spec']> = {}): WatchStream {
  const all = {
    key: '\0',
    end: '\0',
    startRevision: 1,
    prevKv: true,
    noPut: false,
    noDelete: false,
  };
  const full = { ...all, progressNotify: true, ...spec };
  const events = store.events.filter(
    ({ kv }) => kv.modRevision >= full.startRevision && kv.key >= full.key,
  );
  return {
    ...{ watchId: 1, client: 0, member: 'm0', spec: full, startedMs: 0 },
    ...{ createdRevision: store.revision, createdMs: 0, items: responses(events) },
    ...{ cancelled: true, settled: true },
  };
}

export const watchOfAll = (store: Store): WatchStream => watchOf(store);

function responses(events: readonly WatchedEvent[]): WatchItem[] {
  const items: Extract<WatchItem, { kind: 'events' }>[] = [];
  for (const event of events) {
    const last = items.at(-1);
    const revision = event.kv.modRevision;
    if (last?.revision === revision) last.events.push(event);
    else items.push({ kind: 'events', atMs: 0, revision, events: [event], fragment: false });
  }
  return items;
}
