import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CodedError } from '../../../base/errors.ts';
import { type Entry, EntryType } from '../../../proto/raftdeck/raft.ts';
import type { WalGroupState, WalMetadata, WalRecovery, WalSnapshotMark } from '../types.ts';
import { openWal, type WalOptions } from '../wal.ts';

export const metadata: WalMetadata = { clusterId: 0xfedcba9876543210n, memberId: 7n };

export function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'raftdeck-wal-'));
}

export function mark(index: number, term: number): WalSnapshotMark {
  const confState = {
    voters: [1n, 0xffffffffffffffffn],
    learners: [3n],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: true,
  };
  return { index, term, confState };
}

export function entry(index: number, term: number, text = `entry ${index} of ${term}`): Entry {
  return { index, term, type: EntryType.NORMAL, data: Buffer.from(text) };
}

export function run(first: number, last: number, term: number): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, i) => entry(first + i, term));
}

export async function recoverLog(dir: string, options: WalOptions = {}): Promise<WalRecovery> {
  const { wal, recovery } = await openWal(dir, options);
  await wal.close();
  return recovery;
}

export async function recoverGroup(dir: string, id: number): Promise<WalGroupState> {
  return (await recoverLog(dir)).groups.get(id) as WalGroupState;
}

export async function listSegments(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith('.wal')).sort();
}

export async function refusal(promise: Promise<unknown>): Promise<CodedError> {
  return promise.then(
    () => {
      throw new Error('it was not refused');
    },
    (error: CodedError) => error,
  );
}
