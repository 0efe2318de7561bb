import { expect } from 'vitest';
import { Event_EventType } from '../../../proto/etcd/kv.ts';
import type { WatchBatch, Watcher, WatchSink, WatchSpec } from '../../mvcc/types.ts';
import type { StateMachine } from '../types.ts';
import { bytes, text } from './machine.ts';
import { plain } from './model.ts';

export interface SeenEvent {
  revision: number;
  key: string;
  kv: ReturnType<typeof plain> | undefined;
  previous: ReturnType<typeof plain> | undefined;
  /** What was compacted when the event came. */
  compactRevision: number;
}

/** A sink that notes what it gets, and checks what holds for every sink. */
export class RecordingSink implements WatchSink {
  readonly events: SeenEvent[] = [];
  readonly batches: WatchBatch[] = [];
  compactedAt: number | undefined;
  /** Batches that it still takes before it says that it is full. */
  room = Number.POSITIVE_INFINITY;
  onDeliver: (batch: WatchBatch) => void = () => {};
  readonly #state: StateMachine;
  #inside = false;
  #full = false;
  #revision = 0;

  constructor(state: StateMachine) {
    this.#state = state;
  }

  deliver(batch: WatchBatch): boolean {
    expect(this.#inside, 're-entered').toBe(false);
    expect(this.compactedAt, 'after compacted').toBeUndefined();
    expect(this.#full, 'without room').toBe(false);
    expect(batch.events.length).toBeGreaterThan(0);
    this.#inside = true;
    this.batches.push(batch);
    const first = batch.events[0]?.kv?.modRevision ?? 0;
    expect(first, 'a revision in two batches').toBeGreaterThan(this.#revision);
    for (const event of batch.events) this.#note(event);
    expect(batch.revision).toBe(this.#revision);
    this.onDeliver(batch);
    this.#inside = false;
    this.room--;
    this.#full = this.room <= 0;
    return !this.#full;
  }

  compacted(compactRevision: number): void {
    expect(this.compactedAt, 'compacted twice').toBeUndefined();
    this.compactedAt = compactRevision;
  }

  get full(): boolean {
    return this.#full;
  }

  makeRoom(batches = Number.POSITIVE_INFINITY): void {
    this.room = batches;
    this.#full = false;
  }

  /** "3 put a=1" and "4 del a", with " <- 0" for a previous value. */
  get shown(): string[] {
    return this.events.map(({ revision, key, kv, previous }) => {
      const what = kv === undefined ? `del ${key}` : `put ${key}=${kv.value}`;
      return `${revision} ${what}${previous === undefined ? '' : ` <- ${previous.value}`}`;
    });
  }

  #note(event: WatchBatch['events'][number]): void {
    const { kv, prevKv, type } = event;
    if (kv === undefined) throw new Error('an event without a key');
    expect(kv.modRevision).toBeGreaterThanOrEqual(this.#revision);
    this.#revision = kv.modRevision;
    const deleted = type === Event_EventType.DELETE;
    if (deleted) expect(plain(kv)).toMatchObject({ create: 0, version: 0, value: '', lease: 0n });
    this.events.push({
      revision: kv.modRevision,
      key: text(kv.key),
      kv: deleted ? undefined : plain(kv),
      previous: prevKv && plain(prevKv),
      compactRevision: this.#state.compactRevision,
    });
  }
}

interface LooseSpec extends Partial<Omit<WatchSpec, 'key' | 'end'>> {
  key: string;
  end?: string;
}

export function watchSpec({ key, end, ...more }: LooseSpec): WatchSpec {
  return {
    startRevision: 0,
    noPut: false,
    noDelete: false,
    prevKv: false,
    ...more,
    key: bytes(key),
    end: end === undefined ? undefined : bytes(end),
  };
}

export function watch(
  state: StateMachine,
  loose: LooseSpec,
): { sink: RecordingSink; watcher: Watcher } {
  const sink = new RecordingSink(state);
  return { sink, watcher: state.hub.watch(watchSpec(loose), sink) };
}
