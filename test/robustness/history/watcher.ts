import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { seededRandom } from '../../../src-main/base/prng.ts';
import { Event_EventType } from '../../../src-main/proto/etcd/kv.ts';
import {
  WatchCreateRequest_FilterType,
  WatchRequest,
  type WatchResponse,
} from '../../../src-main/proto/etcd/rpc.ts';
import type { WatchStream } from '../../sim/history.ts';
import type { Engine } from '../../support/members.ts';
import type { Target } from './calls.ts';
import { bytes, type Recorder, toKeyValue } from './recorder.ts';

const REOPEN_AFTER_MS = 50;
const ASK_PROGRESS_EVERY_MS = 500;

/** A watch that goes on at another member when its stream breaks, and begins anew when it was compacted away. */
export class Watcher {
  readonly watch: WatchStream;
  readonly #recorder: Recorder;
  readonly #targets: readonly Target[];
  /** The revision to ask for next. */
  #next: number;
  #turn: number;
  #stream: ClientDuplexStream<WatchRequest, WatchResponse> | undefined;
  #asking: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    recorder: Recorder,
    targets: readonly Target[],
    watchId: number,
    spec: WatchStream['spec'],
  ) {
    this.#recorder = recorder;
    this.#targets = targets;
    this.#turn = watchId;
    this.#next = spec.startRevision;
    this.watch = {
      ...{ watchId, client: 1_000 + watchId, member: this.#target.name, spec },
      ...{ startedMs: recorder.nowMs, createdRevision: undefined, createdMs: undefined, items: [] },
      ...{ cancelled: false, settled: false },
    };
    recorder.history.watches.push(this.watch);
    this.#open();
  }

  /** Everything up to here has come. */
  get seenRevision(): number {
    return this.#next - 1;
  }

  stop(): void {
    this.#stopped = true;
    this.watch.cancelled = true;
    clearInterval(this.#asking);
    this.#stream?.cancel();
  }

  get #target(): Target {
    return this.#targets[this.#turn % this.#targets.length] as Target;
  }

  #open(): void {
    const { key, end, prevKv, noPut, noDelete, progressNotify } = this.watch.spec;
    const stream = this.#target.client.watcher.watch(new Metadata());
    this.#stream = stream;
    const filters = [
      ...(noPut ? [WatchCreateRequest_FilterType.NOPUT] : []),
      ...(noDelete ? [WatchCreateRequest_FilterType.NODELETE] : []),
    ];
    const range = { key: bytes(key), rangeEnd: bytes(end), startRevision: this.#next };
    const value = { ...range, prevKv, progressNotify, filters, fragment: true };
    stream.on('data', (response: WatchResponse) => this.#take(response, stream));
    stream.on('error', () => void this.#reopen(stream));
    stream.on('end', () => void this.#reopen(stream));
    stream.write(WatchRequest.fromPartial({ requestUnion: { $case: 'createRequest', value } }));
    if (!progressNotify) return;
    const ask = WatchRequest.fromPartial({ requestUnion: { $case: 'progressRequest', value: {} } });
    this.#asking = setInterval(() => stream.write(ask), ASK_PROGRESS_EVERY_MS);
  }

  #take(response: WatchResponse, stream: unknown): void {
    if (stream !== this.#stream || this.#stopped) return;
    const atMs = this.#recorder.nowMs;
    const revision = response.header?.revision ?? 0;
    const { items } = this.watch;
    if (response.canceled) {
      const { compactRevision } = response;
      if (compactRevision > 0) {
        items.push({ kind: 'compacted', atMs, compactRevision });
        this.#next = compactRevision + 1;
      }
      void this.#reopen(stream, compactRevision > 0);
    } else if (response.created) {
      this.watch.createdRevision ??= revision;
      this.watch.createdMs ??= atMs;
      // What was asked for from now on goes on from there.
      if (this.#next === 0) this.#next = revision + 1;
    } else if (response.events.length === 0) {
      items.push({ kind: 'progress', atMs, revision });
      this.#next = Math.max(this.#next, revision + 1);
    } else {
      const events = response.events.map(({ type, kv, prevKv }) => ({
        type: type === Event_EventType.PUT ? ('put' as const) : ('delete' as const),
        kv: toKeyValue(kv as NonNullable<typeof kv>),
        prevKv: prevKv && toKeyValue(prevKv),
      }));
      items.push({ kind: 'events', atMs, revision, events, fragment: response.fragment });
      // A revision that is to be continued would have to be asked for again.
      const last = events.at(-1)?.kv.modRevision ?? 0;
      this.#next = Math.max(this.#next, response.fragment ? last : last + 1);
    }
  }

  async #reopen(broken: unknown, isCompacted = false): Promise<void> {
    if (broken !== this.#stream || this.#stopped) return;
    clearInterval(this.#asking);
    this.#stream?.cancel();
    this.#stream = undefined;
    await sleep(REOPEN_AFTER_MS);
    if (this.#stopped) return;
    this.#turn++;
    const rest = { member: this.#target.name, startRevision: this.#next };
    const kind = isCompacted ? ('restarted' as const) : ('resumed' as const);
    this.watch.items.push({ kind, atMs: this.#recorder.nowMs, ...rest });
    this.#open();
  }
}

const MAX_PAST_REVISIONS = 400;
const MAX_WATCH_MS = 4_000;
/** Those that watch all the time have lower ids. */
const FIRST_SHORT_WATCH = 10;

/** One short watch after the other, each from now on, from the past, or from before what is compacted. */
export async function watchNowAndThen(
  { recorder, engine }: { recorder: Recorder; engine: Engine },
  targets: readonly Target[],
  signal: AbortSignal,
): Promise<void> {
  const random = seededRandom(recorder.history.seed + 2);
  for (let id = FIRST_SHORT_WATCH; !signal.aborted; id++) {
    const to = targets[random.below(targets.length)] as Target;
    const head = await to.client.status(1_000).catch(() => undefined);
    const revision = head?.header?.revision ?? 0;
    const past = Math.max(1, revision - random.below(MAX_PAST_REVISIONS));
    const startRevision = random.below(3) === 0 ? 0 : past;
    const flags = { prevKv: random.below(2) === 0, noPut: false, noDelete: random.below(4) === 0 };
    // etcd tells progress ahead of events, as said in run.ts.
    const progressNotify = engine === 'raftdeck' && random.below(2) === 0;
    const range = random.below(2) === 0 ? { key: 'k1', end: 'k3' } : { key: '\0', end: '\0' };
    const spec = { ...range, startRevision, ...flags, progressNotify };
    const watcher = new Watcher(recorder, targets, id, spec);
    await sleep(random.below(MAX_WATCH_MS));
    watcher.stop();
  }
}
