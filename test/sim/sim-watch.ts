import { idToHex } from '../../src-main/base/bytes.ts';
import { type Event, Event_EventType, type KeyValue as Kv } from '../../src-main/proto/etcd/kv.ts';
import {
  WatchCreateRequest_FilterType as Filter,
  WatchRequest,
  type WatchResponse,
  WatchService,
} from '../../src-main/proto/etcd/rpc.ts';
import { ClientStream } from './client-stream.ts';
import type { KeyValue, WatchedEvent, WatchStream } from './history.ts';
import type { SimClient } from './sim-client.ts';
import type { SimMember } from './sim-member.ts';

/** One watch as a client keeps it: when its stream ends it goes on at another member, after the last revision it saw. */
export class SimWatch {
  readonly record: WatchStream;
  readonly #client: SimClient;
  readonly #pick: () => SimMember | undefined;
  #stream: ClientStream | undefined;
  #nextRevision: number;
  #opened = 0;
  #stopped = false;
  /** Milliseconds that the client takes for a response: a slow one fills its window. */
  #readMs: number;
  /** Fragments of a revision that is not whole yet do not count as seen. */
  #partial = false;
  /** What it needed was compacted: it goes on from there. */
  #restarts = false;

  constructor(client: SimClient, record: WatchStream, pick: () => SimMember | undefined) {
    this.#client = client;
    this.record = record;
    this.#pick = pick;
    this.#nextRevision = record.spec.startRevision;
    this.#readMs = client.chance.happens(0.3) ? client.chance.between(5, 100) : 0.3;
    this.#open();
  }

  /** Everything before it has been seen, as far as the client knows. */
  get nextRevision(): number {
    return this.#nextRevision;
  }

  /** Ends the stream: it goes on elsewhere. */
  move(): void {
    this.#stream?.close();
  }

  /** The client is slow no more. */
  hurry(): void {
    this.#readMs = 0.1;
    if (this.#stream !== undefined) this.#stream.readMs = 0.1;
  }

  /** Asks how far it is. */
  askProgress(): void {
    const request: WatchRequest = { requestUnion: { $case: 'progressRequest', value: {} } };
    this.#stream?.send(Buffer.from(WatchRequest.encode(request).finish()));
  }

  stop(): void {
    this.#stopped = true;
    this.record.cancelled = true;
    this.#stream?.close();
  }

  #again(): void {
    if (this.#stopped) return;
    const { world, chance } = this.#client;
    world.after(chance.around(30), () => this.#open());
  }

  #open(): void {
    if (this.#stopped) return;
    const member = this.#pick();
    const method = member?.methods.get(WatchService.watch.path);
    if (member === undefined || method?.kind !== 'bidi') {
      this.#again();
      return;
    }
    if (this.#opened > 0) {
      this.record.items.push({
        kind: this.#restarts ? 'restarted' : 'resumed',
        atMs: this.#client.world.nowMs,
        member: member.name,
        startRevision: this.#nextRevision,
      });
    }
    this.#restarts = false;
    if (this.#opened === 0) this.record.member = member.name;
    this.#opened++;
    this.#partial = false;
    const stream = new ClientStream(this.#client, member, method.invoke, this.#readMs, {
      received: (bytes) => {
        if (this.#stream === stream) this.#received(bytes);
      },
      closed: () => {
        this.#stream = undefined;
        this.#again();
      },
    });
    this.#stream = stream;
    stream.send(Buffer.from(WatchRequest.encode(this.#createRequest()).finish()));
  }

  #createRequest(): WatchRequest {
    const { key, end, prevKv, noPut, noDelete, progressNotify } = this.record.spec;
    const filters = [...(noPut ? [Filter.NOPUT] : []), ...(noDelete ? [Filter.NODELETE] : [])];
    return {
      requestUnion: {
        $case: 'createRequest',
        value: {
          key: Buffer.from(key, 'latin1'),
          rangeEnd: Buffer.from(end, 'latin1'),
          startRevision: this.#nextRevision,
          progressNotify,
          filters,
          prevKv,
          watchId: 0,
          fragment: false,
        },
      },
    };
  }

  #received(bytes: Buffer): void {
    const response: WatchResponse = WatchService.watch.responseDeserialize(bytes);
    const atMs = this.#client.world.nowMs;
    const revision = response.header?.revision ?? 0;
    const { record } = this;
    if (response.created) {
      if (response.canceled) {
        this.#client.recorder.violation('watch refused', record.spec.key, response.cancelReason);
        this.stop();
        return;
      }
      record.createdRevision ??= revision;
      record.createdMs ??= atMs;
      // "From now on" must mean the same now after the stream is opened anew.
      if (this.#nextRevision === 0) this.#nextRevision = revision + 1;
      return;
    }
    if (response.canceled) {
      const { compactRevision } = response;
      record.items.push({ kind: 'compacted', atMs, compactRevision });
      this.#nextRevision = Math.max(compactRevision, this.#nextRevision);
      this.#restarts = true;
      this.#stream?.close();
      return;
    }
    if (response.events.length === 0) {
      record.items.push({ kind: 'progress', atMs, revision });
      if (!this.#partial) this.#nextRevision = Math.max(this.#nextRevision, revision + 1);
      return;
    }
    const events = response.events.map(watched);
    record.items.push({ kind: 'events', atMs, revision, events, fragment: response.fragment });
    this.#partial = response.fragment;
    const last = events.at(-1)?.kv.modRevision ?? 0;
    this.#nextRevision = Math.max(this.#nextRevision, response.fragment ? last : last + 1);
  }
}

export function toKeyValue(kv: Kv): KeyValue {
  return {
    key: kv.key.toString('latin1'),
    value: kv.value.toString('latin1'),
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
    version: kv.version,
    lease: kv.lease === 0n ? '0' : idToHex(kv.lease),
  };
}

function watched({ type, kv, prevKv }: Event): WatchedEvent {
  return {
    type: type === Event_EventType.DELETE ? 'delete' : 'put',
    kv: toKeyValue(kv as Kv),
    prevKv: prevKv === undefined ? undefined : toKeyValue(prevKv),
  };
}
