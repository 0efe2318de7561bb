import { join } from 'node:path';
import { errorMessage } from '../../base/errors.ts';
import { corrupt, walError } from './errors.ts';
import type { WalFiles } from './files.ts';
import {
  ALIGNMENT_BYTES,
  decodeRecord,
  encodeSegmentHeader,
  parseSegmentName,
  recordAt,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  SEGMENT_VERSION,
  type WalItem,
} from './format.ts';
import { GroupReplay } from './group-state.ts';
import { nextRecord } from './record-search.ts';
import type { WalGroupState, WalMetadata, WalRecovery } from './types.ts';

/** One file of the log and what it holds. */
export interface Segment {
  path: string;
  sequence: number;
  /** Bytes up to the end of the last whole record. */
  bytes: number;
  /** Highest index of each group's entries in it. */
  lastIndexes: Map<number, number>;
}

export interface Recovered {
  recovery: WalRecovery;
  /** Oldest first; the last one is to be appended to. At least one. */
  segments: Segment[];
  /** The last whole record of the last segment: the one that may never have been synced. */
  lastRecord: { position: number; bytes: Buffer };
  /** The last file if a crash cut its making short: it holds nothing and goes. */
  stillborn: string | undefined;
}

export function noteItem(segment: Segment, item: WalItem): void {
  if (item.kind !== 'entry') return;
  const before = segment.lastIndexes.get(item.group) ?? 0;
  segment.lastIndexes.set(item.group, Math.max(before, item.entry.index));
}

/** Segment files by sequence, oldest first. */
export async function listSegments(
  files: WalFiles,
  dir: string,
): Promise<{ path: string; sequence: number }[]> {
  const found = (await files.list(dir)).flatMap((name) => {
    const sequence = parseSegmentName(name);
    return sequence === undefined ? [] : [{ path: join(dir, name), sequence }];
  });
  return found.sort((a, b) => a.sequence - b.sequence);
}

/** Reads the whole log. Changes nothing; throws WalCorrupt, WalForeign or WalMissing. */
export async function recover(files: WalFiles, dir: string): Promise<Recovered> {
  const found = await listSegments(files, dir);
  if (found.length === 0) {
    throw walError('WalMissing', `${dir} holds no write-ahead log`, {
      hint: 'Put the log back, or remove the data folder and let the member rejoin.',
    });
  }
  const replay = new Replay();
  const segments: Segment[] = [];
  let tornBytes = 0;
  let stillborn: string | undefined;
  let lastRecord = { position: 0, bytes: Buffer.alloc(0) };
  for (const [i, { path, sequence }] of found.entries()) {
    const expected = (found[0]?.sequence ?? 0) + i;
    if (sequence !== expected) throw corrupt(path, 0, `segment ${expected} is missing before it`);
    const isLast = i === found.length - 1;
    const content = await files.read(path);
    const segment: Segment = { path, sequence, bytes: 0, lastIndexes: new Map() };
    if (!hasHeader(content, segment, isLast)) {
      if (found.length === 1) throw corrupt(path, 0, 'it holds no whole record');
      stillborn = path;
      tornBytes += content.length;
      break;
    }
    const { torn, lastRecordAt } = readRecords(content, segment, isLast, replay);
    tornBytes += torn;
    if (segment.bytes === SEGMENT_HEADER_BYTES && isLast && segments.length > 0) {
      // Its first record, which repeats the state, never got whole: the segment does not count yet.
      stillborn = path;
      tornBytes += SEGMENT_HEADER_BYTES;
    } else {
      segments.push(segment);
      const bytes = Buffer.from(content.subarray(lastRecordAt, segment.bytes));
      lastRecord = { position: lastRecordAt, bytes };
    }
  }
  const last = segments.at(-1);
  if (last === undefined) throw corrupt(found[0]?.path ?? dir, 0, 'it holds no whole record');
  return { recovery: replay.finish(last, tornBytes), segments, lastRecord, stillborn };
}

/** False for the last segment if a crash cut its header short. */
function hasHeader(content: Buffer, segment: Segment, isLast: boolean): boolean {
  const { path, sequence } = segment;
  const head = content.subarray(0, SEGMENT_HEADER_BYTES);
  if (head.equals(encodeSegmentHeader(sequence))) return true;
  const magic = head.subarray(0, SEGMENT_MAGIC.length);
  const isOurs = magic.equals(SEGMENT_MAGIC);
  const version = head.length >= 12 ? head.readUInt32LE(8) : 0;
  if (isOurs && version > SEGMENT_VERSION && head.length === SEGMENT_HEADER_BYTES) {
    const text = `${path} is of version ${version}, this node reads ${SEGMENT_VERSION}`;
    throw walError('WalForeign', text, { hint: 'Start the newer version that wrote it.' });
  }
  // What a crash leaves: nothing, the beginning of the header, or room that was never written.
  const torn = head.every((byte, i) => byte === 0 || byte === encodeSegmentHeader(sequence)[i]);
  if (torn && isLast && nextRecord(content, 0, sequence) === undefined) return false;
  if (!isOurs && !torn) {
    throw walError('WalForeign', `${path} is not a segment of a write-ahead log`, {
      hint: 'Nothing was changed. Move the file away if it does not belong here.',
    });
  }
  throw corrupt(path, 0, 'its header does not match');
}

/** Answers how many bytes at the end are torn, and where the last whole record begins. */
function readRecords(
  content: Buffer,
  segment: Segment,
  isLast: boolean,
  replay: Replay,
): { torn: number; lastRecordAt: number } {
  const { path, sequence } = segment;
  let at = SEGMENT_HEADER_BYTES;
  let lastRecordAt = at;
  while (at < content.length) {
    const record = recordAt(content, at, sequence);
    if (record === undefined) break;
    replayRecord(record, at, segment, replay);
    lastRecordAt = at;
    at += record.length;
  }
  segment.bytes = at;
  const rest = content.length - at;
  if (rest === 0) return { torn: 0, lastRecordAt };
  if (!isLast) throw corrupt(path, at, 'a damaged record, and later segments follow');
  // An append starts only after the one before was synced. So a sound record behind an unsound one
  // proves that synced data was damaged later; cutting it off could lose what was acknowledged.
  const next = nextRecord(content, at + ALIGNMENT_BYTES, sequence);
  if (next !== undefined) {
    throw corrupt(path, at, `a damaged record, and a sound one follows at byte ${next}`);
  }
  return { torn: rest, lastRecordAt };
}

function replayRecord(record: Buffer, at: number, segment: Segment, replay: Replay): void {
  try {
    for (const item of decodeRecord(record)) {
      replay.item(item);
      noteItem(segment, item);
    }
  } catch (error) {
    // Its CRC is right: somebody else wrote it.
    throw corrupt(segment.path, at, errorMessage(error));
  }
}

class Replay {
  readonly #groups = new Map<number, GroupReplay>();
  #metadata: WalMetadata | undefined;

  item(item: WalItem): void {
    switch (item.kind) {
      case 'metadata':
        this.#metadata = item.metadata;
        break;
      case 'hardState':
        this.#group(item.group).hardState(item.hardState);
        break;
      case 'snapshot':
        this.#group(item.group).snapshot(item.snapshot);
        break;
      case 'entry':
        this.#group(item.group).entry(item.entry);
        break;
    }
  }

  finish(last: Segment, tornBytes: number): WalRecovery {
    if (this.#metadata === undefined) throw corrupt(last.path, 0, 'it holds no whole record');
    const groups = new Map<number, WalGroupState>();
    for (const [group, replay] of this.#groups) {
      const state = replay.finish();
      if (state === undefined) {
        throw corrupt(last.path, last.bytes, `entries of group ${group} are missing`);
      }
      groups.set(group, state);
    }
    return { metadata: this.#metadata, groups, tornBytes };
  }

  #group(group: number): GroupReplay {
    const found = this.#groups.get(group);
    if (found !== undefined) return found;
    const made = new GroupReplay();
    this.#groups.set(group, made);
    return made;
  }
}
