import { prefixEnd } from '../../../base/bytes.ts';
import { Event_EventType as EventType, type KeyValue } from '../../../proto/etcd/kv.ts';
import type { LeaderResponse } from '../../../proto/etcd/v3election.ts';
import type { WatchBatch } from '../../mvcc/types.ts';
import type { ResponseSink } from '../../rpc/service.ts';
import type { Backend } from '../backend.ts';
import { type Follower, follow, type Verdict } from './follow.ts';
import { PacedSink } from './paced-sink.ts';
import type { Queue } from './queue.ts';

interface Sighting {
  kv: KeyValue;
  /** The leader is followed from the next one on. */
  revision: number;
}

/**
 * One Observe call: the present leader, what it proclaims, and after its end the next one. Leaders
 * that came and went in between may be passed over, the last one never is.
 */
export class Observer {
  readonly #backend: Backend;
  readonly #queue: Queue;
  readonly #sink: PacedSink<LeaderResponse>;
  readonly #signal: AbortSignal;

  constructor(
    backend: Backend,
    queue: Queue,
    responses: ResponseSink<LeaderResponse>,
    signal: AbortSignal,
  ) {
    this.#backend = backend;
    this.#queue = queue;
    this.#sink = new PacedSink(responses, signal);
    this.#signal = signal;
  }

  /** Ends with the call, or, as in etcd without an error, when the leader cannot be read. */
  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      const kv = await this.#queue.holder(this.#signal).catch(() => null);
      if (kv === null) return;
      const { revision } = this.#backend.state;
      const sighting = kv === undefined ? await this.#firstAfter(revision) : { kv, revision };
      if (sighting === undefined) continue;
      this.#write(sighting);
      await this.#sink.room();
      await this.#whileLeading(sighting);
    }
  }

  /** The next key of the queue; undefined if it was missed. */
  async #firstAfter(revision: number): Promise<Sighting | undefined> {
    let sighting: Sighting | undefined;
    const { prefix } = this.#queue;
    const keys = { key: prefix, end: prefixEnd(prefix), startRevision: revision + 1 };
    await this.#follow(keys, ({ events }) => {
      const kv = events.find(({ type }) => type === EventType.PUT)?.kv;
      if (kv === undefined) return 'more';
      sighting = { kv, revision: kv.modRevision };
      return 'enough';
    }).ended;
    return sighting;
  }

  async #whileLeading({ kv, revision }: Sighting): Promise<void> {
    const keys = { key: kv.key, end: undefined, startRevision: revision + 1 };
    const follower = this.#follow(keys, (batch) => this.#proclaimed(batch));
    this.#sink.onRoom = () => follower.resume();
    await follower.ended;
  }

  #proclaimed({ events, revision }: WatchBatch): Verdict {
    for (const { type, kv } of events) {
      if (type === EventType.DELETE) return 'enough';
      if (kv !== undefined) this.#write({ kv, revision });
    }
    return this.#sink.full ? 'full' : 'more';
  }

  #follow(keys: Parameters<typeof follow>[1], take: (batch: WatchBatch) => Verdict): Follower {
    return follow(this.#backend.state.hub, keys, this.#signal, take);
  }

  #write({ kv, revision }: Sighting): void {
    this.#sink.write({ header: this.#backend.header(revision), kv });
  }
}
