/** What the storage view asks beyond its sizes: where the space goes, and upkeep by hand. */
import { z } from 'zod';
import type { NodeRole } from './views.ts';

const MAX_PREFIX_BYTES = 64 * 1024;

const prefixBytes = z
  .custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes')
  .refine((b) => b.length <= MAX_PREFIX_BYTES, `more than ${MAX_PREFIX_BYTES} bytes`);
const revision = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

export function storageToolCalls<Id extends z.ZodType>(clusterId: Id) {
  return {
    /** What compacting to a revision would remove, counted by the cluster. */
    'storage.compactionEffect': z.object({ clusterId, revision }).strict(),
    /** Which revision was current when, as far as the app looked. */
    'storage.timeline': z.object({ clusterId }).strict(),
    /** The sum over the history up to one revision, from every member. */
    'storage.hashes': z.object({ clusterId }).strict(),
  };
}

export interface StorageToolOutputs {
  'storage.compactionEffect': CompactionEffect;
  'storage.timeline': RevisionAt[];
  'storage.hashes': HashComparison;
}

export function storageToolStreams<Id extends z.ZodType>(clusterId: Id) {
  return {
    /** Reads the keys below a prefix page by page, and ends when all are read; closing it cancels. */
    'storage.space': z.object({ clusterId, prefix: prefixBytes }).strict(),
    /** A snapshot of one member; closing it cancels. */
    'storage.snapshot': z
      .object({ clusterId, node: z.string().min(1).max(128).optional() })
      .strict(),
  };
}

export interface StorageToolItems {
  'storage.space': SpaceReport;
  'storage.snapshot': SnapshotItem;
}

export interface CompactionEffect {
  /** Keys that exist at the revision: one version of each stays. */
  keysKept: number;
  /**
   * Versions and deletions that go. Exact where each revision changed one key; a transaction that
   * changed several makes it more.
   */
  versionsRemovedAtLeast: number;
}

export interface RevisionAt {
  atMs: number;
  revision: number;
}

export interface HashComparison {
  /** The newest revision that every member had. */
  revision: number;
  members: MemberHash[];
  /** differ: some two members that can be compared disagree; unknown: fewer than two can be. */
  verdict: 'equal' | 'differ' | 'unknown';
}

export interface MemberHash {
  name: string;
  role: NodeRole;
  clientUrl: string;
  hash: number | null;
  /** Sums can be compared where this is equal: what was compacted is not in them. */
  compactRevision: number | null;
  error: string | null;
}

/** Keys that share the next part of their path, or one key that ends there. */
export interface SpaceGroup {
  /** The prefix up to and with the slash, or the whole key. */
  key: Uint8Array;
  isFolder: boolean;
  keys: number;
  /** Of keys and values, newest versions alone. */
  bytes: number;
  /** How often these keys were written since they were created. */
  writes: number;
}

export interface SpaceReport {
  /** Most bytes first, bounded. */
  groups: SpaceGroup[];
  /** What the list has no room for. */
  others: { groups: number; keys: number; bytes: number; writes: number };
  keys: number;
  bytes: number;
  writes: number;
  /** Keys there are below the prefix: how far the scan is. */
  totalKeys: number;
  revision: number;
  /** The history was compacted meanwhile: later pages are of a newer revision. */
  isMixed: boolean;
  isDone: boolean;
}

export type SnapshotItem =
  | { kind: 'opened'; node: string; totalBytes: number; version: string | null }
  | { kind: 'chunk'; bytes: Uint8Array }
  | {
      kind: 'done';
      totalBytes: number;
      /** Of the database without the digest behind it, in hex. */
      sha256: string;
      /** It is the digest that stands behind the database. */
      isVerified: boolean;
    };
