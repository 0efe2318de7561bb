import { afterEach, describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../base/prng.ts';
import {
  Compare,
  type Compare_CompareResult,
  type RequestOp,
  Compare_CompareTarget as Target,
  type TxnRequest,
} from '../../proto/etcd/rpc.ts';
import type { Watcher } from '../mvcc/types.ts';
import {
  bytes,
  deleteOp,
  Machine,
  putOp,
  putRequest,
  rangeOp,
  rangeRequest,
  text,
  txnOp,
  txnRequest,
} from './testing/machine.ts';
import { Model, type ModelEvent, plain } from './testing/model.ts';
import { STORE_KINDS, type StoreHome } from './testing/stores.ts';
import { RecordingSink, watchSpec } from './testing/watchers.ts';

/** Keys that are starts of each other, with bytes that an escaping could get wrong. */
const KEYS = [
  'a',
  'a\0',
  'a\0\0b',
  'a\0\x01',
  'a\x01',
  'ab',
  'b',
  'b\xff',
  'b\xff\xff',
  'c',
].concat(['\0', '\0\xff', '\xff', '\xff\xff', 'd'.repeat(3000), `${'d'.repeat(3000)}\0`]);
const ENDS = [...KEYS, '\0', '\0', 'b\0', 'e'];
const LEASES = [1n, 2n, -3n, 0x7fff_ffff_ffff_ffffn];

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

interface Watched {
  spec: { key: string; end: string | undefined; noPut: boolean; noDelete: boolean };
  from: number;
  sink: RecordingSink;
  watcher: Watcher;
}

class Run {
  readonly random: Random;
  readonly home: StoreHome;
  readonly model = new Model();
  machine!: Machine;
  watched: Watched[] = [];
  /** Of watchers of before a restart: what they must have seen by then was checked. */
  compactedWatchers = 0;
  #value = 0;

  constructor(seed: number, home: StoreHome) {
    this.random = seededRandom(seed);
    this.home = home;
  }

  async go(steps: number): Promise<void> {
    this.machine = new Machine(await this.home.open());
    for (let step = 0; step < steps; step++) {
      const dice = this.random.below(100);
      if (dice < 30) this.put();
      else if (dice < 40) this.delete();
      else if (dice < 50) this.txn();
      else if (dice < 70) this.compareRange();
      else if (dice < 73) this.lease();
      else if (dice < 76) this.compact();
      else if (dice < 80) this.machine.state.compactSlice(1 + this.random.below(6));
      else if (dice < 86) this.watch();
      else if (dice < 92) this.machine.tasks.turn();
      else if (dice < 95) this.makeRoom();
      else if (dice < 97) this.cancel();
      else if (dice < 99) await new Promise((resolve) => setImmediate(resolve));
      else await this.reopen();
      expect(this.machine.state.revision).toBe(this.model.revision);
      expect(this.machine.state.compactRevision).toBe(this.model.compactRevision);
    }
    await this.reopen();
    for (let i = 0; i < 50; i++) this.compareRange();
    this.checkCompacted();
  }

  put(): void {
    const key = pick(this.random, KEYS);
    const lease = this.random.below(3) === 0 ? pick(this.random, LEASES) : 0n;
    const value = `v${this.#value++}`;
    const request = putRequest({ key, value, lease, prevKv: this.random.below(2) === 0 });
    const old = this.model.current.get(key);
    if (lease !== 0n && !this.model.leases.has(lease)) {
      expect(this.machine.refused('put', request)).toBe('LeaseNotFound');
      return;
    }
    const { prevKv, revision } = this.machine.do('put', request);
    expect(prevKv && plain(prevKv)).toEqual(request.prevKv ? old : undefined);
    this.model.put(key, value, lease);
    this.model.commit();
    expect(revision).toBe(this.model.revision);
  }

  delete(): void {
    const key = pick(this.random, KEYS);
    const end = this.random.below(2) === 0 ? '' : pick(this.random, ENDS);
    const { deleted, prevKvs, revision } = this.machine.delete(key, end, true);
    const gone = this.model.delete(key, end);
    this.model.commit();
    expect(prevKvs.map(plain)).toEqual(gone);
    expect(deleted).toBe(gone.length);
    expect(revision).toBe(this.model.revision);
  }

  txn(): void {
    const request = this.randomTxn();
    const ops = this.model.chosen(request);
    const { responses, revision } = this.machine.do('txn', request);
    const flat = flatten(responses);
    expect(flat.length).toBe(ops.length);
    ops.forEach((op, i) => {
      this.#checkOp(op, flat[i]);
    });
    this.model.commit();
    expect(revision).toBe(this.model.revision);
  }

  #checkOp(op: RequestOp, response: ReturnType<typeof flatten>[number] | undefined): void {
    const inner = op.request;
    if (inner?.$case === 'requestPut') {
      this.model.put(text(inner.value.key), text(inner.value.value), 0n);
      expect(response?.$case).toBe('responsePut');
    } else if (inner?.$case === 'requestDeleteRange') {
      const gone = this.model.delete(text(inner.value.key), text(inner.value.rangeEnd));
      expect(response?.$case === 'responseDeleteRange' && response.value.deleted).toBe(gone.length);
    } else if (inner?.$case === 'requestRange') {
      const found = response?.$case === 'responseRange' ? response.value.kvs.map(plain) : undefined;
      expect(found).toEqual(this.model.range(inner.value).kvs);
    }
  }

  /** Each key at most once, so that no branch writes one twice. */
  randomTxn(): TxnRequest {
    const keys = [...KEYS].sort(() => this.random.below(3) - 1);
    const op = (): RequestOp => {
      const key = keys.pop() ?? 'spare';
      const dice = this.random.below(3);
      if (dice === 0) return deleteOp({ key });
      if (dice === 1) return putOp({ key, value: `v${this.#value++}` });
      return rangeOp({ key, rangeEnd: pick(this.random, ENDS) });
    };
    const compare = () => {
      const target = this.random.below(4);
      const n = BigInt(this.random.below(this.model.revision + 2));
      const union = {
        [Target.VERSION]: { $case: 'version' as const, value: n % 4n },
        [Target.CREATE]: { $case: 'createRevision' as const, value: n },
        [Target.MOD]: { $case: 'modRevision' as const, value: n },
        [Target.VALUE]: { $case: 'value' as const, value: bytes(`v${n}`) },
      }[target];
      return Compare.fromPartial({
        key: bytes(pick(this.random, KEYS)),
        rangeEnd: bytes(this.random.below(2) === 0 ? '' : pick(this.random, ENDS)),
        target: target as 0,
        result: this.random.below(4) as Compare_CompareResult,
        targetUnion: union,
      });
    };
    const nested = txnOp({ compare: [compare()], success: [op(), op()], failure: [op()] });
    return txnRequest({
      compare: this.random.below(2) === 0 ? [compare()] : [compare(), compare()],
      success: [op(), nested, op()],
      failure: this.random.below(2) === 0 ? [] : [op(), op()],
    });
  }

  compareRange(): void {
    const { random, model } = this;
    const some = (bound: number) => (random.below(3) === 0 ? random.below(bound) : 0);
    const request = rangeRequest({
      key: pick(random, KEYS),
      rangeEnd: random.below(3) === 0 ? '' : pick(random, ENDS),
      limit: some(6),
      revision: some(model.revision + 2),
      sortOrder: random.below(3) as 0,
      sortTarget: random.below(5) as 0,
      keysOnly: random.below(4) === 0,
      countOnly: random.below(4) === 0,
      minModRevision: random.below(6) === 0 ? random.below(model.revision) : 0,
      maxModRevision: random.below(6) === 0 ? random.below(model.revision) : 0,
      minCreateRevision: random.below(6) === 0 ? random.below(model.revision) : 0,
      maxCreateRevision: random.below(6) === 0 ? random.below(model.revision) : 0,
    });
    const refusal =
      request.revision > model.revision
        ? 'FutureRev'
        : request.revision > 0 && request.revision < model.compactRevision
          ? 'Compacted'
          : undefined;
    if (refusal !== undefined) {
      expect(() => this.machine.state.range(request)).toThrow(
        expect.objectContaining({ code: refusal }),
      );
      return;
    }
    const { kvs, count, more } = this.machine.state.range(request);
    expect({ kvs: kvs.map(plain), count, more }).toEqual(model.range(request));
  }

  lease(): void {
    const lease = pick(this.random, LEASES);
    if (!this.model.leases.has(lease)) {
      this.machine.grant(lease);
      this.model.leases.add(lease);
      return;
    }
    const keys = [...this.model.current.values()].filter((kv) => kv.lease === lease);
    expect(this.machine.state.leaseKeys(lease).map(text)).toEqual(keys.map((kv) => kv.key).sort());
    const { revision } = this.machine.do('leaseRevoke', { ID: lease });
    this.model.revoke(lease);
    this.model.commit();
    expect(revision).toBe(this.model.revision);
  }

  compact(): void {
    const target = this.random.below(this.model.revision + 2);
    const request = { revision: target, physical: false };
    if (target <= this.model.compactRevision) {
      expect(this.machine.refused('compaction', request)).toBe('Compacted');
    } else if (target > this.model.revision) {
      expect(this.machine.refused('compaction', request)).toBe('FutureRev');
    } else {
      this.machine.compact(target);
      this.model.compactRevision = target;
    }
  }

  watch(): void {
    const { random, model } = this;
    const key = pick(random, KEYS);
    const end = random.below(3) === 0 ? undefined : pick(random, ENDS);
    const spec = { key, end, noPut: random.below(5) === 0, noDelete: random.below(5) === 0 };
    const startRevision = random.below(model.revision + 4);
    const sink = new RecordingSink(this.machine.state);
    sink.room = random.below(2) === 0 ? 1 + random.below(3) : Number.POSITIVE_INFINITY;
    const full = { ...spec, startRevision, prevKv: true };
    const { end: _, ...open } = full;
    const loose = end === undefined ? open : { ...open, end };
    const watcher = this.machine.state.hub.watch(watchSpec(loose), sink);
    const from = startRevision === 0 ? model.revision + 1 : startRevision;
    this.watched.push({ spec, from, sink, watcher });
  }

  makeRoom(): void {
    for (const { sink, watcher } of this.watched) {
      if (!sink.full) continue;
      sink.makeRoom(1 + this.random.below(3));
      watcher.resume();
    }
  }

  cancel(): void {
    const at = this.random.below(this.watched.length + 1);
    const [gone] = this.watched.splice(at, 1);
    gone?.watcher.cancel();
  }

  /** Everybody gets what is left; then each must have seen all of its events, once and in order. */
  settle(): void {
    for (const { sink, watcher } of this.watched) {
      sink.makeRoom();
      watcher.resume();
    }
    this.machine.tasks.drain();
    for (const one of this.watched) this.checkWatched(one);
  }

  checkWatched({ spec, from, sink, watcher }: Watched): void {
    const wanted = this.model.events.filter(
      (event) =>
        event.revision >= from &&
        this.model.inRange(spec.key, spec.end ?? '', event.key) &&
        !(event.kv === undefined ? spec.noDelete : spec.noPut),
    );
    const due = sink.compactedAt === undefined ? wanted.length : sink.events.length;
    if (sink.compactedAt !== undefined) {
      this.compactedWatchers++;
      expect(watcher.progressRevision + 1).toBeLessThan(sink.compactedAt);
    } else expect(watcher.progressRevision).toBeGreaterThanOrEqual(this.model.revision);
    expect(sink.events.map(({ revision, key, kv }) => ({ revision, key, kv }))).toEqual(
      wanted.slice(0, due).map(({ revision, key, kv }) => ({ revision, key, kv })),
    );
    sink.events.forEach((seen, i) => {
      const { previous, revision } = wanted[i] as ModelEvent;
      const readable = revision - 1 >= seen.compactRevision;
      expect(seen.previous).toEqual(readable ? previous : undefined);
    });
  }

  async reopen(): Promise<void> {
    this.settle();
    this.watched = [];
    const { appliedIndex } = this.machine.state;
    const leases = this.machine.state.leases();
    this.machine = new Machine(await this.home.reopen());
    expect(this.machine.state.appliedIndex).toBe(appliedIndex);
    expect(this.machine.state.leases()).toEqual(leases);
  }

  /**
   * What is left once everything is compacted: the live keys, and a tombstone only at the very
   * revision.
   */
  checkCompacted(): void {
    const { model, machine } = this;
    machine.put('last');
    model.put('last', '', 0n);
    model.commit();
    machine.compact(model.revision);
    machine.compactAll(3);
    for (const table of ['current', 'revisions', 'history'] as const) {
      expect([...machine.store.keys(table, {})].length, table).toBe(model.current.size);
    }
    const { kvs } = machine.range('\0', '\0');
    expect(kvs.map(plain)).toEqual(model.keysIn('\0', '\0'));
  }
}

function flatten(responses: readonly { response: TxnResponseOp }[]): NonNullable<TxnResponseOp>[] {
  return responses.flatMap(({ response }) => {
    if (response === undefined) return [];
    return response.$case === 'responseTxn' ? flatten(response.value.responses) : [response];
  });
}
type TxnResponseOp = import('../../proto/etcd/rpc.ts').ResponseOp['response'];

let home: StoreHome | undefined;
afterEach(async () => {
  await home?.dispose();
  home = undefined;
});

for (const kind of STORE_KINDS) {
  describe(`the state over ${kind.name}`, () => {
    for (let seed = 1; seed <= 6; seed++) {
      it(`does what etcd does (seed ${seed})`, async () => {
        home = await kind.home();
        const run = new Run(seed, home);
        await run.go(1_200);
        expect(run.compactedWatchers, 'no watcher was overtaken: weak seed').toBeGreaterThan(0);
      });
    }
  });
}
