import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import type { HardState } from '../../proto/raftdeck/raft.ts';
import { walError, writeFailed } from './errors.ts';
import { systemFiles, type WalFile, type WalFiles, writeAll } from './files.ts';
import { encodeRecord, encodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from './format.ts';
import { listSegments, type Recovered, recover, type Segment } from './recover.ts';
import type {
  WalBatch,
  WalMetadata,
  WalRecovery,
  WalSnapshotMark,
  WriteAheadLog,
} from './types.ts';

/** A segment that has grown to this is followed by a new one. */
export const SEGMENT_BYTES: number = 64 * 1024 * 1024;
/** Appends up to this size share one buffer; a larger one gets its own. */
const SCRATCH_BYTES = 256 * 1024;

export interface WalOptions {
  files?: WalFiles;
  segmentBytes?: number;
}

/** What the head of every segment repeats of a group, so that older segments can go. */
interface GroupHead {
  hardState: HardState | undefined;
  snapshot: WalSnapshotMark | undefined;
  /** Of the entries: for the segment's name. */
  lastIndex: number;
}

export async function walExists(dir: string, options: WalOptions = {}): Promise<boolean> {
  return (await listSegments(options.files ?? systemFiles, dir)).length > 0;
}

/**
 * Makes a new log whose first record is `initial`; durable when it resolves. A log that was made
 * for the same member and holds no entry and no vote yet is replaced: it is what a first start
 * leaves that was cut short. Any other one is WalExists.
 */
export async function createWal(
  dir: string,
  metadata: WalMetadata,
  initial: WalBatch[] = [],
  options: WalOptions = {},
): Promise<WriteAheadLog> {
  const files = options.files ?? systemFiles;
  await files.makeFolder(dir);
  await removeUnused(files, dir, metadata);
  const log = new SegmentedLog(dir, metadata, files, options.segmentBytes ?? SEGMENT_BYTES);
  return await closeIfFails(log, log.begin(initial));
}

/**
 * Opens an existing log, cutting off a torn tail. Throws WalCorrupt, WalForeign or WalMissing and
 * then changes nothing.
 */
export async function openWal(
  dir: string,
  options: WalOptions = {},
): Promise<{ wal: WriteAheadLog; recovery: WalRecovery }> {
  const files = options.files ?? systemFiles;
  const { recovery, segments, lastRecord, stillborn } = await recover(files, dir);
  for (const name of await files.list(dir)) {
    if (name.endsWith('.wal.tmp')) await files.remove(join(dir, name));
  }
  if (stillborn !== undefined) await files.remove(stillborn);
  const bytes = options.segmentBytes ?? SEGMENT_BYTES;
  const log = new SegmentedLog(dir, recovery.metadata, files, bytes);
  await closeIfFails(log, log.resume(segments, recovery, lastRecord));
  return { wal: log, recovery };
}

async function closeIfFails(log: SegmentedLog, begun: Promise<void>): Promise<SegmentedLog> {
  try {
    await begun;
    return log;
  } catch (error) {
    await log.close();
    throw error;
  }
}

async function removeUnused(files: WalFiles, dir: string, metadata: WalMetadata): Promise<void> {
  const found = await listSegments(files, dir);
  if (found.length === 0) return;
  const { recovery } = await recover(files, dir);
  const sameMember =
    recovery.metadata.clusterId === metadata.clusterId &&
    recovery.metadata.memberId === metadata.memberId;
  const unused = [...recovery.groups.values()].every(
    ({ hardState, entries, snapshot }) =>
      hardState.vote === 0n &&
      entries.length === 0 &&
      hardState.commit <= snapshot.index &&
      snapshot.index <= 1,
  );
  if (!sameMember || !unused) {
    throw walError('WalExists', `${dir} holds a write-ahead log already`, {
      hint: 'Use an empty data folder.',
    });
  }
  for (const { path } of found) await files.remove(path);
  await files.syncFolder(dir);
}

class SegmentedLog implements WriteAheadLog {
  readonly #dir: string;
  readonly #metadata: WalMetadata;
  readonly #files: WalFiles;
  readonly #segmentBytes: number;
  readonly #groups = new Map<number, GroupHead>();
  readonly #scratch: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  /** Oldest first; the last one is open in `#file`. */
  #segments: Segment[] = [];
  #file: WalFile | undefined;
  /** The file that an I/O error is about. */
  #target: string;
  #writing: Promise<void> | undefined;
  #releasing: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #closed = false;

  constructor(dir: string, metadata: WalMetadata, files: WalFiles, segmentBytes: number) {
    this.#dir = dir;
    this.#target = dir;
    this.#metadata = metadata;
    this.#files = files;
    this.#segmentBytes = segmentBytes;
  }

  size(): { bytes: number; segments: number } {
    const bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
    return { bytes, segments: this.#segments.length };
  }

  begin(initial: WalBatch[]): Promise<void> {
    return this.#exclusive(() => this.#startSegment(1, initial));
  }

  /**
   * Whatever was read from the log is acted upon as durable from here on, so it must be. All but the
   * last record is: its append had ended before the next began. Of that one a process that died may
   * have left no more than the page cache holds, and after a sync that failed the kernel takes its
   * pages for clean and would not write them with the next: so it is written anew.
   */
  async resume(
    segments: Segment[],
    recovery: WalRecovery,
    lastRecord: Recovered['lastRecord'],
  ): Promise<void> {
    for (const [group, { hardState, snapshot, entries }] of recovery.groups) {
      const lastIndex = entries.at(-1)?.index ?? snapshot.index;
      this.#groups.set(group, { hardState, snapshot, lastIndex });
    }
    this.#segments = segments;
    const { path, bytes } = this.#current();
    this.#target = path;
    await this.#exclusive(async () => {
      const file = await this.#files.open(path);
      this.#file = file;
      await writeAll(file, lastRecord.bytes, lastRecord.position);
      // Nothing of the tail may be left for a later recovery to stumble over.
      if (recovery.tornBytes > 0) await file.truncate(bytes);
      await file.datasync();
      await this.#files.syncFolder(this.#dir);
    });
  }

  append(batches: WalBatch[]): Promise<void> {
    return this.#exclusive(async () => {
      if (batches.every(isEmpty)) return;
      if (this.#current().bytes >= this.#segmentBytes) {
        await this.#startSegment(this.#current().sequence + 1, []);
      }
      const segment = this.#current();
      this.#target = segment.path;
      const record = encodeRecord(batches, segment.sequence, segment.bytes, this.#scratch);
      const file = this.#file as WalFile;
      await writeAll(file, record, segment.bytes);
      await file.datasync();
      segment.bytes += record.length;
      this.#note(segment, batches);
    });
  }

  /** May run beside an append. If it fails the files stay and the log goes on. */
  releaseSegments(): Promise<void> {
    const result = this.#releasing.then(() => this.#release());
    this.#releasing = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing?.catch(() => {});
    await this.#releasing;
    await this.#file?.close();
  }

  async #release(): Promise<void> {
    // From the oldest on and one by one: recovery wants an unbroken row of files.
    while (!this.#closed && this.#segments.length > 1) {
      const [oldest] = this.#segments as [Segment];
      if (!this.#isReleasable(oldest)) return;
      try {
        await this.#files.remove(oldest.path);
        await this.#files.syncFolder(this.#dir);
      } catch (error) {
        throw writeFailed(oldest.path, error);
      }
      this.#segments.shift();
    }
  }

  #current(): Segment {
    const last = this.#segments.at(-1);
    assert(last !== undefined, 'a log without a segment');
    return last;
  }

  #isReleasable(segment: Segment): boolean {
    for (const [group, lastIndex] of segment.lastIndexes) {
      if (lastIndex > (this.#groups.get(group)?.snapshot?.index ?? 0)) return false;
    }
    return true;
  }

  /**
   * Makes a segment whose first record repeats metadata, hard states and marks, and takes `initial`
   * in, too. It gets its name only once it is synced, so that no half-made segment is ever found.
   */
  async #startSegment(sequence: number, initial: WalBatch[]): Promise<void> {
    const lastIndex = this.#groups.get(0)?.lastIndex ?? 0;
    const path = join(this.#dir, segmentName(sequence, lastIndex));
    const temporary = `${path}.tmp`;
    this.#target = path;
    const heads = [...this.#groups].map(([group, { hardState, snapshot }]): WalBatch => {
      return { group, hardState, ...(snapshot === undefined ? {} : { snapshot }) };
    });
    const batches = [...heads, ...initial];
    const at = SEGMENT_HEADER_BYTES;
    const record = encodeRecord(batches, sequence, at, this.#scratch, this.#metadata);
    const file = await this.#files.create(temporary);
    try {
      const whole = Buffer.concat([encodeSegmentHeader(sequence), record]);
      await writeAll(file, whole, 0);
      await file.datasync();
      await this.#files.rename(temporary, path);
      await this.#files.syncFolder(this.#dir);
    } catch (error) {
      await file.close();
      throw error;
    }
    const old = this.#file;
    this.#file = file;
    const segment: Segment = { path, sequence, bytes: at + record.length, lastIndexes: new Map() };
    this.#segments.push(segment);
    this.#note(segment, initial);
    await old?.close();
  }

  /** Remembers what later segments have to repeat and which indexes this one holds. */
  #note(segment: Segment, batches: readonly WalBatch[]): void {
    for (const { group = 0, hardState, snapshot, entries } of batches) {
      const head = this.#groups.get(group) ?? {
        hardState: undefined,
        snapshot: undefined,
        lastIndex: 0,
      };
      this.#groups.set(group, head);
      if (hardState !== undefined) head.hardState = hardState;
      if (snapshot !== undefined && snapshot.index >= (head.snapshot?.index ?? 0)) {
        head.snapshot = snapshot;
      }
      const last = entries?.at(-1)?.index;
      if (last === undefined) continue;
      head.lastIndex = last;
      const before = segment.lastIndexes.get(group) ?? 0;
      segment.lastIndexes.set(group, Math.max(before, last));
    }
  }

  /**
   * One at a time; after the first I/O error none any more: what the kernel kept of it is unknown.
   */
  #exclusive(work: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closed)
      return Promise.reject(walError('WalClosed', `the log ${this.#dir} is closed`));
    assert(this.#writing === undefined, 'two appends at once');
    const result = work().then(
      () => {
        this.#writing = undefined;
      },
      (error: unknown) => {
        this.#writing = undefined;
        this.#failure = writeFailed(this.#target, error);
        throw this.#failure;
      },
    );
    this.#writing = result;
    return result;
  }
}

function isEmpty(batch: WalBatch): boolean {
  return (
    batch.hardState === undefined &&
    batch.snapshot === undefined &&
    (batch.entries === undefined || batch.entries.length === 0)
  );
}
