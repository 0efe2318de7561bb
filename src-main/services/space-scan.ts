import { prefixEnd } from '../base/bytes.ts';
import type { SpaceGroup, SpaceReport } from '../contract/storage-tools.ts';
import type { KeyValue } from '../proto/etcd/kv.ts';
import type { RangeRequest, RangeResponse } from '../proto/etcd/rpc.ts';
import { RemoteError } from '../remote/errors.ts';
import type { StreamSink, StreamSource } from './stream.ts';

/** What the scan asks of a connection. */
export interface RangeReader {
  range(
    request: Partial<RangeRequest>,
    options: { signal: AbortSignal; timeoutMs: number },
  ): Promise<RangeResponse>;
}

/** What one answer should weigh. etcd's clients take 4 MiB at most unless told otherwise. */
const PAGE_BYTES = 1024 * 1024;
const FIRST_PAGE_KEYS = 2;
const MAX_PAGE_KEYS = 500;
const PAGE_TIMEOUT_MS = 15_000;
/** Rows that are kept and shown. */
export const MAX_GROUPS = 200;
/** Groups that are kept before the smallest are folded. */
const FOLD_ABOVE = 2 * MAX_GROUPS;
const SLASH = 0x2f;
const ALL: Buffer = Buffer.from([0]);

/**
 * Where the space below a prefix goes. Values have to be read to know their size, so the pages are
 * measured in bytes: the next one holds as many keys as fit by the largest value of the last.
 */
export async function* scanSpace(
  etcd: RangeReader,
  prefix: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<SpaceReport, undefined> {
  const tally = new SpaceTally(prefix);
  const rangeEnd = prefix.length === 0 ? ALL : Buffer.from(prefixEnd(prefix));
  let key = prefix.length === 0 ? ALL : Buffer.from(prefix);
  let limit = FIRST_PAGE_KEYS;
  let pinned = 0;
  for (;;) {
    let page: RangeResponse;
    try {
      const request = { key, rangeEnd, limit, revision: pinned, serializable: true };
      page = await etcd.range(request, { signal, timeoutMs: PAGE_TIMEOUT_MS });
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      if (error.code === 'Compacted' && pinned > 0) {
        pinned = 0;
        tally.isMixed = true;
      } else if (error.code === 'TooLarge' && limit > 1) {
        limit = Math.ceil(limit / 4);
      } else {
        throw error;
      }
      continue;
    }
    if (pinned === 0) {
      pinned = page.header?.revision ?? 0;
      tally.startPage(page.count, pinned);
    }
    for (const row of page.kvs) tally.add(row);
    const last = page.kvs.at(-1);
    const isDone = !page.more || last === undefined;
    yield tally.report(isDone);
    if (isDone) return undefined;
    key = Buffer.concat([last.key, ALL]);
    limit = nextLimit(page.kvs);
  }
}

/** The scan as a stream: its newest report, and the end. */
export function openSpaceScan(
  etcd: RangeReader,
  prefix: Uint8Array,
  sink: StreamSink<SpaceReport>,
): StreamSource {
  const controller = new AbortController();
  const run = async () => {
    for await (const report of scanSpace(etcd, prefix, controller.signal)) {
      if (controller.signal.aborted) return;
      sink.push(report);
    }
    sink.end();
  };
  run().catch((error: unknown) => sink.end(error));
  return { dispose: () => controller.abort() };
}

/** At most four times as many as before: the values that come next may be larger. */
function nextLimit(rows: readonly KeyValue[]): number {
  const largest = rows.reduce((most, row) => Math.max(most, row.key.length + row.value.length), 1);
  const fit = Math.max(1, Math.floor(PAGE_BYTES / largest));
  return Math.min(fit, 4 * rows.length, MAX_PAGE_KEYS);
}

/** Keys come in order, so that a group is complete once another one begins. */
export class SpaceTally {
  isMixed = false;
  readonly #prefix: Uint8Array;
  #groups: SpaceGroup[] = [];
  #open: SpaceGroup | null = null;
  #others = { groups: 0, keys: 0, bytes: 0, writes: 0 };
  #keys = 0;
  #bytes = 0;
  #writes = 0;
  #totalKeys = 0;
  #revision = 0;

  constructor(prefix: Uint8Array) {
    this.#prefix = prefix;
  }

  /** A page that is not of the revision of those before it: `count` keys from its first one on. */
  startPage(count: number, revision: number): void {
    this.#totalKeys = this.#keys + count;
    this.#revision = revision;
  }

  add(row: KeyValue): void {
    const { key, value, version } = row;
    const bytes = key.length + value.length;
    const open = this.#open;
    const isSame = open?.isFolder && key.subarray(0, open.key.length).equals(open.key);
    const group = isSame ? (open as SpaceGroup) : this.#begin(key);
    group.keys += 1;
    group.bytes += bytes;
    group.writes += version;
    this.#keys += 1;
    this.#bytes += bytes;
    this.#writes += version;
  }

  report(isDone: boolean): SpaceReport {
    const sorted = [...this.#groups].sort((a, b) => b.bytes - a.bytes);
    const others = { ...this.#others };
    for (const group of sorted.slice(MAX_GROUPS)) fold(others, group);
    return {
      groups: sorted.slice(0, MAX_GROUPS).map((group) => ({ ...group })),
      others,
      keys: this.#keys,
      bytes: this.#bytes,
      writes: this.#writes,
      totalKeys: Math.max(this.#totalKeys, this.#keys),
      revision: this.#revision,
      isMixed: this.isMixed,
      isDone,
    };
  }

  #begin(key: Buffer): SpaceGroup {
    if (this.#groups.length >= FOLD_ABOVE) {
      this.#groups.sort((a, b) => b.bytes - a.bytes);
      for (const group of this.#groups.splice(MAX_GROUPS)) fold(this.#others, group);
    }
    // A slash right behind the prefix belongs to the name that follows: "/registry/", not "/".
    const slash = key.indexOf(SLASH, this.#prefix.length + 1);
    const isFolder = slash !== -1;
    // Apart from the answer that it came with, which would stay in memory for it.
    const own = new Uint8Array(isFolder ? key.subarray(0, slash + 1) : key);
    const group = { key: own, isFolder, keys: 0, bytes: 0, writes: 0 };
    this.#groups.push(group);
    this.#open = group;
    return group;
  }
}

function fold(others: SpaceReport['others'], group: SpaceGroup): void {
  others.groups += 1;
  others.keys += group.keys;
  others.bytes += group.bytes;
  others.writes += group.writes;
}
