import type { CallOutput, CallParsed } from '../contract/calls.ts';
import type { KeyHistoryPage, KeyVersion } from '../contract/views.ts';
import type { KeyValue } from '../proto/etcd/kv.ts';
import {
  WatchCreateRequest,
  WatchCreateRequest_FilterType,
  type WatchRequest,
  type WatchResponse,
  WatchService,
} from '../proto/etcd/rpc.ts';
import type { CallOptions, EtcdConnection } from '../remote/connection.ts';
import { RemoteError, toRemoteError } from '../remote/errors.ts';
import { failure } from './errors.ts';
import { leaseToHex } from './ids.ts';

/** Deletions of one key that are told; the newest ones. */
const MAX_DELETIONS = 1_000;
/** A search of the history for deletions ends after this long, and says so. */
const SEARCH_TIMEOUT_MS = 15_000;
/** No event for so long after the server said that it is done: it is. */
const QUIET_MS = 250;
/** A server that never says so is taken to be done after so long without an event. */
const SILENCE_MS = 2_000;

const FROM_FIRST_KEY = Buffer.from([0]);

/**
 * The versions of a key, newest first, from `before` (exclusive) or from now. Each step is a range
 * at the revision before the last one's, so a page costs one small request per version; values are
 * left out and read when they are shown. The walk ends where the key was created, where it is
 * absent, or at the compaction.
 */
export async function keyHistory(
  etcd: EtcdConnection,
  input: CallParsed<'keys.history'>,
  options: CallOptions,
): Promise<KeyHistoryPage> {
  const key = Buffer.from(input.key);
  const versions: KeyVersion[] = [];
  let revision = input.before === undefined ? 0 : input.before - 1;
  if (input.before !== undefined && revision < 1) return { versions, end: 'absent', next: null };
  while (versions.length < input.limit) {
    const kv = await versionAt(etcd, key, revision, options);
    if (kv === 'compacted') return { versions, end: 'compacted', next: null };
    if (kv === null) return { versions, end: 'absent', next: null };
    versions.push(toVersion(kv));
    if (kv.version === 1) return { versions, end: 'created', next: null };
    revision = kv.modRevision - 1;
  }
  return { versions, end: 'more', next: versions.at(-1)?.modRevision ?? null };
}

async function versionAt(
  etcd: EtcdConnection,
  key: Buffer,
  revision: number,
  options: CallOptions,
): Promise<KeyValue | null | 'compacted'> {
  try {
    const { kvs } = await etcd.range({ key, revision, keysOnly: true }, options);
    return kvs[0] ?? null;
  } catch (error) {
    if (error instanceof RemoteError && error.code === 'Compacted') return 'compacted';
    throw error;
  }
}

function toVersion(kv: KeyValue): KeyVersion {
  return {
    modRevision: kv.modRevision,
    createRevision: kv.createRevision,
    version: kv.version,
    lease: leaseToHex(kv.lease),
  };
}

/**
 * Revisions at which a key was deleted, newest first, back to the compaction. Ranges cannot tell
 * them: a key that is absent at a revision may have lived before it. So the history is replayed to
 * a watch that lets deletions through only. The server reads all of the history for it, so this is
 * asked for, not done by itself.
 */
export async function keyDeletions(
  etcd: EtcdConnection,
  input: CallParsed<'keys.deletions'>,
  options: CallOptions,
): Promise<CallOutput<'keys.deletions'>> {
  const channel = etcd.candidates()[0];
  if (channel === undefined) throw failure('Unavailable', 'no endpoint to ask');
  const replay = new DeletionReplay(Buffer.from(input.key));
  const stream = channel.duplex(WatchService.watch, { requireLeader: true });
  try {
    await new Promise<void>((resolve, reject) => {
      const failed = (cause: unknown) =>
        reject(toRemoteError(cause, { endpoint: channel.endpoint.address, method: 'Watch' }));
      stream.on('error', failed);
      stream.on('end', () => failed(new Error('the server ended the stream')));
      stream.on('data', (response: WatchResponse) => replay.onResponse(response));
      replay.run((request) => stream.write(request), resolve, failed);
      options.signal?.addEventListener('abort', () => failed(new Error('cancelled')), {
        once: true,
      });
    });
  } finally {
    replay.dispose();
    stream.removeAllListeners();
    // The cancellation comes back as an error that nobody needs.
    stream.on('error', () => {});
    stream.cancel();
  }
  return replay.result;
}

/** Ids of the watches for deletions are 1, 2, …; a marker's id is so much more than its watch's. */
const MARKER_OFFSET = 1_000;

type Send = (request: WatchRequest) => void;

/** One watch lets deletions through; a second one and a progress request tell when it is over. */
class DeletionReplay {
  readonly #key: Buffer;
  readonly #revisions: number[] = [];
  #compactedAt = 0;
  #isComplete = true;
  #send: Send = () => {};
  #done: () => void = () => {};
  #failed: (cause: unknown) => void = () => {};
  #watchId = 0;
  #isOpen = false;
  #markerSeen = false;
  #progressSeen = false;
  #timer: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(key: Buffer) {
    this.#key = key;
  }

  get result(): CallOutput<'keys.deletions'> {
    return {
      revisions: this.#revisions.toReversed(),
      compactedAt: this.#compactedAt,
      isComplete: this.#isComplete,
    };
  }

  run(send: Send, done: () => void, failed: (cause: unknown) => void): void {
    this.#send = send;
    this.#done = done;
    this.#failed = failed;
    this.#deadline = setTimeout(() => {
      this.#isComplete = false;
      done();
    }, SEARCH_TIMEOUT_MS);
    this.#watch(1);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
  }

  onResponse(response: WatchResponse): void {
    const isOurs = response.watchId === this.#watchId;
    if (response.canceled) {
      // The marker is a help, not a need.
      if (isOurs) this.#onCanceled(response);
    } else if (response.created) {
      if (isOurs) this.#onCreated(response);
    } else if (response.events.length === 0) {
      this.#progressSeen = true;
    } else if (isOurs) {
      for (const { kv } of response.events) if (kv !== undefined) this.#note(kv.modRevision);
    } else if (response.watchId === this.#watchId + MARKER_OFFSET) {
      this.#markerSeen = true;
    }
    this.#wait();
  }

  #note(revision: number): void {
    this.#revisions.push(revision);
    if (this.#revisions.length <= MAX_DELETIONS) return;
    this.#revisions.shift();
    this.#isComplete = false;
  }

  #onCanceled(response: WatchResponse): void {
    if (response.compactRevision === 0) {
      this.#failed(new Error(response.cancelReason || 'the server cancelled the watch'));
      return;
    }
    this.#compactedAt = response.compactRevision;
    // The compact revision itself can still be read.
    this.#watch(response.compactRevision);
  }

  #onCreated(response: WatchResponse): void {
    this.#isOpen = true;
    // Servers before 3.4.25 answer a progress request before they have caught up. A watch that
    // begins at the newest revision is served in the same round as the first one, or later.
    const marker = WatchCreateRequest.create();
    marker.key = FROM_FIRST_KEY;
    marker.rangeEnd = FROM_FIRST_KEY;
    marker.startRevision = response.header?.revision ?? 1;
    marker.fragment = true;
    marker.watchId = this.#watchId + MARKER_OFFSET;
    this.#send({ requestUnion: { $case: 'createRequest', value: marker } });
    this.#send({ requestUnion: { $case: 'progressRequest', value: {} } });
  }

  #watch(startRevision: number): void {
    this.#watchId += 1;
    this.#isOpen = false;
    this.#markerSeen = false;
    this.#progressSeen = false;
    const create = WatchCreateRequest.create();
    create.key = this.#key;
    create.startRevision = startRevision;
    create.filters = [WatchCreateRequest_FilterType.NOPUT];
    create.watchId = this.#watchId;
    this.#send({ requestUnion: { $case: 'createRequest', value: create } });
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (!this.#isOpen) return;
    const isTold = this.#markerSeen && this.#progressSeen;
    this.#timer = setTimeout(this.#done, isTold ? QUIET_MS : SILENCE_MS);
  }
}
